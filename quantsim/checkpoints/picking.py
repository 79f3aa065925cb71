"""Selects from the comparable runs of a store: chooses the runs, the default method, and the metrics.

:mod:`quantsim.checkpoints.selection` selects among given rows; this module decides which rows are given.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.baseline import BENCHMARK, Baseline
from quantsim.checkpoints.checkpoint import ROUNDING, Checkpoint, Run
from quantsim.checkpoints.comparable import comparable_runs, same_prices, without_folds
from quantsim.checkpoints.methods import (
    FRONT_METHODS,
    METHODS,
    default_metrics,
    method_of,
    needs_one_run,
)
from quantsim.checkpoints.pareto import signed
from quantsim.checkpoints.reevaluation import evaluation_of
from quantsim.checkpoints.returns import constant_weights_of, with_returns
from quantsim.checkpoints.selection import Selection, select
from quantsim.checkpoints.stored import content_of, of_same_study, study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides, differences
from quantsim.errors import SelectionError, nearest
from quantsim.objective import OBJECTIVE
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.simulator import Evaluator

__all__ = [
    "BEST",
    "Pick",
    "any_has",
    "best_of_run",
    "check_method",
    "default_method",
    "method_named",
    "of_same_metrics",
    "pick",
    "pick_among",
]

BEST = "best"
"""Means ``balanced`` if the search has several objectives, else :func:`default_method`."""


_STEPS = "weight_steps"  # the note of quantsim.simulator.weight_steps, which would import JAX


@dataclass(frozen=True)
class Pick:
    """The result of a selection from a store.

    Attributes:
        experiment: study of the runs.
        runs: the compared runs, the newest first.
        selection: the selected checkpoints, with all metrics.
        n_others: number of other runs, which are not comparable with the newest one.
    """

    experiment: Experiment
    runs: tuple[Run, ...]
    selection: Selection
    n_others: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        """The selected checkpoint; raises SelectionError if there are several."""
        return self.selection.checkpoint

    def __repr__(self) -> str:
        keys = ", ".join(checkpoint.key for checkpoint in self.selection.checkpoints)
        return f"Pick({self.experiment.name!r}, {keys}: {self.selection.describe()})"

    @property
    def prices_notes(self) -> tuple[str, ...]:
        """Notes on prices in memory that the runs used, and on bars that are long for weights that move."""
        used = [f"the prices were {run.notes['prices']}" for run in self.runs if "prices" in run.notes]
        return (*used[:1], *dict.fromkeys(run.notes[_STEPS] for run in self.runs if _STEPS in run.notes))


def default_method(experiment: Experiment) -> str:
    """Returns the default method: ``best_validation`` if the study has validation data, else ``best_train``."""
    return "best_validation" if experiment.periods.has_validation else "best_train"


def method_named(name: str | None, experiment: Experiment) -> str:
    """Returns the name of a selection method; ``best`` and None mean the default one of the study."""
    if name is None or name == BEST:
        return "balanced" if experiment.search.objectives else default_method(experiment)
    return name


def check_method(name: str) -> None:
    """Raises SelectionError if there is no such selection method."""
    if name not in (BEST, *METHODS):
        remedy = nearest(name, (BEST, *METHODS))
        raise SelectionError(f"{name!r} is neither a checkpoint such as 3f9c01ab:120:0 nor a method; {remedy}")


def pick(
    store: CheckpointStore,
    method: str | None = None,
    *,
    study: Experiment | None = None,
    run: str | None = None,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
    rule_files: Iterable[str | Path] = (),
    evaluator: Evaluator | None = None,
) -> Pick:
    """Selects among the runs of one study on the same prices, of any driver.

    Args:
        store: checkpoint store.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``, or "best". The default is ``best_validation``, ``best_train``
            without validation, or ``balanced`` if the search has several objectives and no metric is named.
        study: study of the runs; default: the study of the newest run that is not a fold of a walk-forward.
        run: a single run to select from: its id, the first characters of it, or its name.
        metrics: metrics to maximise; ``balanced`` and ``pareto_front`` need at least two, and minimise a metric with a minus
            before its name. The default is the study's objective, or ``search.objectives``.
        minimum: as in :func:`~quantsim.checkpoints.select`.
        rule_files: files of users' rules in a stored study.
        evaluator: evaluator of the study, for ``plateau``; by default, one is made on the prices that the study names.

    Raises:
        CheckpointError: there is no such run.
        ConfigError: the stored study is not valid in this version, or the hash of a rule file does not match.
        SelectionError: there are no runs to compare, the run is not of the study, or as :func:`~quantsim.checkpoints.select`.

    Example:
        >>> picked = quantsim.pick(store, "best_validation", study=study)  # doctest: +SKIP
        >>> picked.checkpoint.human  # doctest: +SKIP
        {'memory_days': (21.4, 21.4), ...}
    """
    runs, n_others = _runs(store, study, run)
    experiment = study or study_of_run(runs[0], rule_files)
    if metrics and method in (None, BEST):
        method = default_method(experiment)
    method = method_named(method, experiment)
    compared = runs[:1] if needs_one_run(method) else runs
    selection = pick_among(store, experiment, compared, method, metrics, minimum, evaluator)
    whole = tuple(store.get(row.checkpoint_id) for row in selection.checkpoints)
    return Pick(experiment, tuple(runs), replace(selection, checkpoints=whole), n_others)


def best_of_run(
    store: CheckpointStore, experiment: Experiment, run_id: str, also: Sequence[Checkpoint] = ()
) -> Selection:
    """Selects from one run by the study's objective, on validation if there is any. For several objectives see :func:`pick`.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        run_id: id of the run.
        also: checkpoints of other comparable runs, such as the starts of the run. A copy counts as its original.

    Raises:
        SelectionError: no checkpoint of the run can be selected.
    """
    rows = [*store.checkpoints(run_id=run_id), *also]
    return select(rows, default_method(experiment), experiment.objective.name)


def pick_among(
    store: CheckpointStore,
    experiment: Experiment,
    runs: Iterable[Run],
    method: str,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
    evaluator: Evaluator | None = None,
) -> Selection:
    """Selects from comparable runs; only reads the metrics that are compared.

    Args:
        store: checkpoint store.
        experiment: experiment with the default objective and constraints.
        runs: comparable runs.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metrics: metrics to compare; default: the experiment's objective, the objectives of its search for a front, or the
            metrics of a load method.
        minimum: as in :func:`~quantsim.checkpoints.select`.
        evaluator: as in :func:`pick`.

    Raises:
        SelectionError: as in :func:`~quantsim.checkpoints.select`; or all runs have another objective.
    """
    several = method in FRONT_METHODS
    constraints = dict(experiment.objective.constraints) if several else {}
    theirs = () if metrics else default_metrics(method)
    metrics = tuple(metrics) or theirs or (experiment.search.objectives if several else (experiment.objective.name,))
    if not metrics:
        raise SelectionError(
            f"{method} compares several metrics, but study {experiment.name!r} has one objective: name at least two metrics "
            "(--metric), or search with search.objectives"
        )
    names = [*(signed(name)[0] for name in metrics), *constraints]
    given = list(runs)
    alike = of_same_metrics(given, experiment, names)
    runs, remarks = _of_same_benchmark(store, alike, experiment, names)
    rows = [row for run in runs for row in store.checkpoints(run_id=run.run_id, metrics=[*names, TIE_METRIC])]
    if rows and theirs != (OBJECTIVE,) and not any_has(rows, names):
        rows = store.checkpoints(run_id=runs[0].run_id)  # so that the message can say what is stored
    rows, needed = _needed(store, experiment, runs, rows, method, metrics[0], evaluator)
    chosen = None if theirs else metrics
    selection = select(rows, method, chosen, minimum=minimum, constraints=constraints, **needed)
    if others := len(given) - len(alike):
        remarks = (
            f"{others} of {len(given)} runs left out: another [objective], so another {', '.join(metrics)}",
            *remarks,
        )
    return replace(selection, notes=(*remarks, *selection.notes))


def _needed(
    store: CheckpointStore,
    experiment: Experiment,
    runs: Sequence[Run],
    rows: list[Checkpoint],
    method: str,
    metric: str,
    evaluator: Evaluator | None,
) -> tuple[list[Checkpoint], dict[str, Any]]:
    """Returns the rows with what the method reads of them, and further arguments of ``select``."""
    rule = method_of(method)
    if rule.reads_returns and runs:
        return with_returns(store, runs, rows, rule.splits), {"constant_weights": constant_weights_of(store, runs)}
    if rule.evaluates and runs:
        return rows, {"evaluate": evaluation_of(runs, experiment, metric, rule.split, evaluator)}
    return rows, {}


def _of_same_benchmark(
    store: CheckpointStore, runs: Sequence[Run], experiment: Experiment, names: Sequence[str]
) -> tuple[list[Run], tuple[str, ...]]:
    """Returns the runs whose constant weights are those of the first one, if a metric compares with them, and a note on others.

    Constant weights have the study's own initial weights and swap fee, in which comparable runs may differ.
    """
    runs = list(runs)
    if len(runs) < 2 or not _reads_benchmark(experiment, names):
        return runs, ()
    stored = {run.run_id: store.baselines(run.run_id).get(BENCHMARK) for run in runs}
    first = next((baseline for baseline in stored.values() if baseline is not None), None)
    kept = [run for run in runs if _same_returns(stored[run.run_id], first)]
    if len(kept) == len(runs):
        return runs, ()
    return kept, (f"{len(runs) - len(kept)} of {len(runs)} runs left out: other constant weights to compare with",)


def _reads_benchmark(experiment: Experiment, names: Iterable[str]) -> bool:
    from quantsim.metrics import Need, get_metric, metric_names

    objective, wanted = experiment.objective, set()
    for name in names:
        parts = (*objective.terms, *objective.constraints) if name == OBJECTIVE else ((name.partition(".")[0], 1.0),)
        wanted |= {part for part, _ in parts}
    return any(Need.BENCHMARK in get_metric(name).needs for name in wanted.intersection(metric_names()))


def _same_returns(one: Baseline | None, other: Baseline | None) -> bool:
    """Whether two baselines have the same daily returns up to rounding; True if one is unknown."""
    if one is None or other is None or one is other:
        return True
    first, second = one.daily_log_returns, other.daily_log_returns
    return first.keys() == second.keys() and all(
        np.allclose(first[split], second[split], ROUNDING, ROUNDING) for split in first
    )


def any_has(rows: Iterable[Checkpoint], names: Iterable[str]) -> bool:
    """Whether any row has one of these metrics, on any split."""
    return any(name in table for row in rows for table in row.metrics.values() for name in names)


def of_same_metrics(runs: Sequence[Run], experiment: Experiment, names: Iterable[str]) -> list[Run]:
    """Returns the runs in which these metrics have the same meaning as in the experiment.

    The objective, and metrics of periods, depend on the experiment.

    Raises:
        SelectionError: there are runs, but none of them qualifies.
    """
    purpose = functools.reduce(operator.or_, map(_what_decides, names), Decides.NOTHING)
    same = of_same_study(runs, experiment, purpose)
    if runs and not same:
        raise SelectionError(
            f"no stored run has the [objective] of study {experiment.name!r}, so {', '.join(names)} is not comparable: run the "
            "study first, or name a checkpoint by its key or a metric of whole splits (--metric)"
        )
    return same


def _what_decides(metric: str) -> Decides:
    """Returns what the meaning of a stored metric depends on, besides the pool."""
    if metric == OBJECTIVE:
        return Decides.OBJECTIVE | Decides.PERIODS
    return Decides.PERIODS if "." in metric else Decides.NOTHING


def _runs(store: CheckpointStore, study: Experiment | None, run: str | None) -> tuple[list[Run], int]:
    """Returns the runs to compare, the newest first, and the number of other runs."""
    if run is not None:
        only = store.run(run)
        if study is not None and (
            changed := differences(content_of(only, Decides.VALUE), study.content(Decides.VALUE))
        ):
            lines = "\n".join(f"  {line}" for line in changed)
            raise SelectionError(
                f"run {only.key} is not of study {study.name!r}, which differs in what decides metrics:\n{lines}\n"
                "Remove the study (--study) or the run (--run)"
            )
        return [only], 0
    runs = without_folds(store)
    if not runs:
        raise SelectionError("no run is stored yet: run `quantsim sgd` or `quantsim optuna` first")
    comparable = comparable_runs(runs, study or runs[0])
    if study is not None and not comparable:
        raise SelectionError(
            f"no run of study {study.name!r} is stored: run it first, with `quantsim optuna` or `quantsim sgd` and the "
            "same changes (--set)"
        )
    found = same_prices(comparable)
    return found, len(runs if study is None else comparable) - len(found)
