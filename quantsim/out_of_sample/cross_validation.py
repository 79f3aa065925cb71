"""Combinatorial purged cross-validation: trains on every split of a study (López de Prado 2018, ch. 12)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.config import Experiment
from quantsim.config.identity import digest
from quantsim.drivers.search.engines import Backend
from quantsim.errors import ConfigError
from quantsim.folds import Combinatorial, PurgedSplit, Span, combinatorial
from quantsim.folds.purged import Block
from quantsim.limits import LONGEST_DAYS
from quantsim.objective.short import FEWEST_RETURNS
from quantsim.out_of_sample.bridged import bridged
from quantsim.out_of_sample.fold_result import FoldResult
from quantsim.out_of_sample.memory import memory_days
from quantsim.out_of_sample.run import data_identity, selected
from quantsim.out_of_sample.schedule import check_causal, name_of_part, span_of, with_periods
from quantsim.out_of_sample.trainers import Resources, budgeted, check_selection, check_trainer, content_of_task
from quantsim.out_of_sample.training import FoldProgress, Task, train_all
from quantsim.prices import PriceData
from quantsim.storages.location import Location

__all__ = ["CrossValidation", "Grouping", "check_cross_validation", "run_cross_validation"]

_WHOLE = {"n_periods": 1, "n_random_periods": 0, "period_overlap": 0.0, "bout_offset_days": 0.0}


@dataclass(frozen=True)
class Grouping:
    """How the periods of a study are cut into groups; :func:`quantsim.folds.combinatorial` explains it.

    Attributes:
        n_groups: number of groups, ``N``.
        n_test_groups: number of test groups in each split, ``k``.
        purge_days: days of training data next to a test group that are left out.
        embargo_days: days after a test group that are left out, too; default: the longest memory of an estimator that training
            may reach.
    """

    n_groups: int = 6
    n_test_groups: int = 2
    purge_days: float = 0.0
    embargo_days: float | None = None


@dataclass(frozen=True)
class CrossValidation:
    """The result of a cross-validation.

    Attributes:
        experiment: the study, with the budget of the trainer.
        trainer: name of the trainer.
        group_id: id of the group of runs in the store, one for each split.
        embargo_days: length of the embargo, in whole days and chunks.
        groups: the groups, in order.
        paths: for each path, the split that each group's test data are taken from, (φ, N).
        results: results of the splits, in order. The daily returns "train" of their checkpoints are those within training data.
    """

    experiment: Experiment
    trainer: str
    group_id: str
    embargo_days: float
    groups: tuple[Span, ...]
    paths: tuple[tuple[int, ...], ...]
    results: tuple[FoldResult[PurgedSplit], ...]


def run_cross_validation(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    grouping: Grouping | None = None,
    *,
    trainer: str = "search",
    evaluations: int | None = None,
    method: str | None = None,
    storage: Location | None = None,
    jobs: int = 1,
    backend: Backend = "threads",
    address: str | None = None,
    progress: Callable[[FoldProgress], None] | None = None,
) -> CrossValidation:
    """Trains on every split, and selects on each the parameter set that is tested on its test groups.

    A split is trained on one simulation from its first to its last training day, whose objective is that of the training
    blocks, aggregated as ``objective.aggregate`` says. Prices of test groups, purged and embargoed days are interpolated (see
    :func:`~quantsim.out_of_sample.bridged.bridged`), so that no estimator sees them, even with unlimited memory.

    Args:
        experiment: the study. Groups cover its periods, from the start of training to the end of the last one.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store of the runs.
        grouping: number of groups, purging and embargo; default: 6 groups with 2 for test.
        trainer: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        evaluations: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        method: selection method on training data; default: ``best_train``.
        storage: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        jobs: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        backend: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        address: as in :func:`~quantsim.out_of_sample.run_walk_forward`.
        progress: as in :func:`~quantsim.out_of_sample.run_walk_forward`.

    Raises:
        ConfigError: the groups do not fit, an embargo leaves no training data, the study has series or looks beyond its groups,
            or the selection method uses test or validation data.
        PriceError: the prices do not cover the periods.
        DriverError: a split cannot be trained; a note says which.
        KeyboardInterrupt: completed steps of all splits are stored.
    """
    resources, grouping = Resources(jobs, backend, address, storage), grouping or Grouping()
    check_cross_validation(experiment, grouping, trainer, evaluations, method, resources)
    experiment = budgeted(experiment, trainer, evaluations)
    unit, splits, embargo = _splits(experiment, grouping, trainer)
    start, end = whole = span_of(experiment)
    prices = experiment.prices(prices)
    data_id = data_identity(experiment, prices)
    content = content_of_task(experiment, trainer)
    blocks = [[split.train, split.test] for split in splits.splits]
    group_id = digest(["cpcv", content, start.isoformat(), end.isoformat(), unit.days, blocks, data_id])

    def spans(of: Sequence[Block]) -> list[Span]:
        return [Span(start + first * unit, start + stop * unit) for first, stop in of]

    tasks = [
        Task(
            split.position,
            _split_experiment(experiment, split, spans(split.train)),
            functools.partial(bridged, prices, whole, spans(split.train)),
        )
        for split in splits.splits
    ]
    run_ids = train_all(trainer, tasks, store, resources, group_id=group_id, progress=progress)
    results = []
    for split, task, run_id in zip(splits.splits, tasks, run_ids, strict=True):
        found = selected(store, split, task, run_id, method)
        row = _within_training(found.checkpoint, spans(split.train))
        results.append(replace(found, checkpoint=row))
    groups = tuple(spans(splits.groups))
    return CrossValidation(experiment, trainer, group_id, embargo, groups, splits.paths, tuple(results))


def check_cross_validation(
    experiment: Experiment,
    grouping: Grouping,
    trainer: str = "search",
    evaluations: int | None = None,
    method: str | None = None,
    resources: Resources | None = None,
) -> None:
    """Checks a cross-validation as far as that needs no prices. Arguments and errors: :func:`run_cross_validation`."""
    check_trainer(trainer, resources or Resources())
    check_causal(experiment)
    start, end = span_of(experiment)
    check_selection(with_periods(experiment, experiment.name, train_start=start, train_end=end), method)
    _splits(budgeted(experiment, trainer, evaluations), grouping, trainer)
    for name, source in experiment.series:
        if source is not None:
            raise ConfigError(
                f"series.{name} = {source!r} runs through test groups, which training must not see: remove it, or "
                "use a walk-forward (scheme rolling or anchored)"
            )


def _splits(experiment: Experiment, grouping: Grouping, trainer: str) -> tuple[timedelta, Combinatorial, float]:
    """Returns the unit of the splits, the splits in this unit, and the embargo in days."""
    whole = span_of(experiment)
    unit = timedelta(minutes=math.lcm(1440, experiment.update.chunk_minutes))
    memory = memory_days(experiment, trainer)
    embargo_days = memory if grouping.embargo_days is None else grouping.embargo_days
    for name, days in (("purge_days", grouping.purge_days), ("embargo_days", embargo_days)):
        if not 0.0 <= days <= LONGEST_DAYS:
            raise ConfigError(f"{name} = {days:g} must be a number of days, 0 to {LONGEST_DAYS:,.0f}")
    purge, embargo = (math.ceil(timedelta(days=days) / unit) for days in (grouping.purge_days, embargo_days))
    n_units = (whole.end - whole.start) // unit
    try:
        splits = combinatorial(n_units, grouping.n_groups, grouping.n_test_groups, purge=purge, embargo=embargo)
        splits = replace(splits, splits=tuple(_without_slivers(split, unit) for split in splits.splits))
    except ConfigError as error:
        if grouping.embargo_days is None:
            error.add_note(
                f"the embargo of {embargo_days:g} days is the longest memory of an estimator that {trainer} may reach: narrow "
                "the range of memory_days, lower update.max_memory_days, or give embargo_days"
            )
        raise
    return unit, splits, embargo * unit.days


def _without_slivers(split: PurgedSplit, unit: timedelta) -> PurgedSplit:
    """Returns the split without training blocks so short that their ratios are often infinite."""
    long = tuple((first, stop) for first, stop in split.train if (stop - first) * unit.days > FEWEST_RETURNS)
    if not long:
        groups = ", ".join(map(str, split.test_groups))
        raise ConfigError(
            f"no training block has more than {FEWEST_RETURNS} days where groups {groups} are test data: shorten purge_days or "
            "embargo_days, or take longer or fewer test groups"
        )
    return replace(split, train=long)


def _split_experiment(experiment: Experiment, split: PurgedSplit, train: Sequence[Span]) -> Experiment:
    """Returns the experiment of a split, whose objective is that of its training blocks."""
    return with_periods(
        experiment,
        name_of_part(experiment, f"split-{split.position}"),
        {**_WHOLE, "periods": [[span.start.isoformat(), span.end.isoformat()] for span in train]},
        train_start=train[0].start,
        train_end=train[-1].end,
    )


def _within_training(row: Checkpoint, train: Sequence[Span]) -> Checkpoint:
    """Returns the checkpoint with only those daily returns whose two days lie in one block of training data."""
    returns: Mapping[str, NDArray[np.float64]] = row.daily_log_returns
    if "train" not in returns:
        return row
    begin, parts = train[0].start, []
    for span in train:
        first, stop = (span.start - begin).days, (span.end - begin).days
        parts.append(returns["train"][first : stop - 1])
    kept: dict[str, Any] = {**returns, "train": np.concatenate(parts)}
    return replace(row, daily_log_returns=kept)
