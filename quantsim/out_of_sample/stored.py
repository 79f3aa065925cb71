"""Finds the walk-forward of a study in a store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quantsim.checkpoints import CheckpointStore, Run
from quantsim.checkpoints.picking import method_named
from quantsim.checkpoints.stored import study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides
from quantsim.errors import ConfigError, PriceError, SelectionError
from quantsim.folds import Fold, Span
from quantsim.out_of_sample.run import METHOD, WalkForward, data_identity, group_of, selected
from quantsim.out_of_sample.schedule import name_of_part, with_periods
from quantsim.out_of_sample.trainers import check_selection
from quantsim.out_of_sample.training import Task
from quantsim.prices import Prices

__all__ = ["stored_walk_forward"]


def stored_walk_forward(
    store: CheckpointStore,
    experiment: Experiment,
    prices: Prices,
    *,
    series: Mapping[str, Any] | None = None,
    rule_files: Iterable[str | Path] = (),
    method: str | None = None,
) -> WalkForward | None:
    """Returns the newest finished walk-forward of a study on these prices; None if there is none.

    Each fold has the set that ``method`` selects if folds can use it, else that of the method with which the walk-forward ran
    last. Walk-forwards of other versions of quantsim may not be found.

    Args:
        store: store of the runs.
        experiment: the study; the budget of the walk-forward may differ.
        prices: prices that cover all folds.
        series: series in memory; see :class:`~quantsim.simulator.Evaluator`.
        rule_files: files of users' rules in a stored study.
        method: selection method; None for that of the walk-forward.
    """
    for group_id in store.groups():
        runs = store.runs_of_group(group_id)
        names = [name_of_part(experiment, f"fold-{position}") for position in range(len(runs))]
        if [run.config["name"] for run in runs] != names or any(run.status != "finished" for run in runs):
            continue
        try:
            found = _opened(store, experiment, prices, group_id, runs, series, tuple(rule_files), method)
        except (ConfigError, PriceError):  # of another study, or not valid in this version
            continue
        if found is not None:
            return found
    return None


def _opened(
    store: CheckpointStore,
    experiment: Experiment,
    prices: Prices,
    group_id: str,
    runs: Sequence[Run],
    series: Mapping[str, Any] | None,
    rule_files: Sequence[str | Path],
    method: str | None,
) -> WalkForward | None:
    """Returns a group of runs as a walk-forward; None if it is one of another study or other prices, or not whole."""
    of_folds = [study_of_run(run, rule_files) for run in runs]
    walked = _with_periods_of(experiment, of_folds[0])
    if walked.content(Decides.VALUE) != experiment.content(Decides.VALUE):
        return None
    folds = [_fold(place, study) for place, study in enumerate(of_folds)]
    data_id = data_identity(walked, prices, series)
    for trainer in (runs[0].driver, "random"):
        if group_of(walked, trainer, folds, data_id) == group_id:
            tasks = [Task(fold.position, study, lambda: prices) for fold, study in zip(folds, of_folds, strict=True)]
            name = _usable(of_folds[0], method, runs[0].notes.get(METHOD))
            results = [
                selected(store, fold, task, run.run_id, name, series)
                for fold, task, run in zip(folds, tasks, runs, strict=True)
            ]
            return WalkForward(walked, trainer, group_id, tuple(results), name)
    return None


def _usable(fold: Experiment, *methods: str | None) -> str:
    """Returns the first of the given selection methods that folds can use, or the default one."""
    for method in methods:
        with contextlib.suppress(ConfigError, SelectionError):
            check_selection(fold, method)
            if method is not None:
                return method_named(method, fold)
    return method_named(None, fold)


def _with_periods_of(experiment: Experiment, fold: Experiment) -> Experiment:
    """Returns the study that a fold was made from: that of the fold, with the name and periods of the experiment."""
    given = experiment.periods.model_dump()
    return with_periods(fold, experiment.name, **given)


def _fold(position: int, study: Experiment) -> Fold:
    spans = {name: Span(*ends) for name, ends in study.periods.splits().items()}
    return Fold(position, spans["train"], spans["test"], spans.get("validation"))
