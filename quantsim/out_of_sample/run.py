"""Walk-forward: trains on every fold of a study, and selects a parameter set for the data after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.methods import METHODS
from quantsim.checkpoints.picking import method_named, pick
from quantsim.config import Experiment
from quantsim.config.identity import digest
from quantsim.drivers.search.engines import Backend
from quantsim.errors import ConfigError
from quantsim.folds import Fold
from quantsim.out_of_sample.fold_result import FoldResult, FoldT
from quantsim.out_of_sample.schedule import Schedule, check_causal, fold_experiment, span_of, with_periods
from quantsim.out_of_sample.trainers import Resources, budgeted, check_selection, check_trainer, content_of_task
from quantsim.out_of_sample.training import FoldProgress, Task, train_all
from quantsim.prices import PriceData, Prices
from quantsim.simulator import Evaluator
from quantsim.storages.location import Location

__all__ = [
    "METHOD",
    "WalkForward",
    "check_walk_forward",
    "compare_trainers",
    "data_identity",
    "group_of",
    "run_walk_forward",
    "selected",
]


METHOD = "method"
"""The note of the run of a fold with the selection method of its walk-forward."""


@dataclass(frozen=True)
class WalkForward:
    """The result of a walk-forward.

    Attributes:
        experiment: the study, with the budget of the trainer.
        trainer: name of the trainer; see :data:`~quantsim.out_of_sample.TRAINERS`.
        group_id: id of the group of runs in the store, one for each fold.
        results: results of the folds, in chronological order.
        method: selection method of the folds.
    """

    experiment: Experiment
    trainer: str
    group_id: str
    results: tuple[FoldResult[Fold], ...]
    method: str = ""


def run_walk_forward(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    schedule: Schedule | None = None,
    *,
    trainer: str = "search",
    evaluations: int | None = None,
    method: str | None = None,
    series: Mapping[str, Any] | None = None,
    storage: Location | None = None,
    jobs: int = 1,
    backend: Backend = "threads",
    address: str | None = None,
    progress: Callable[[FoldProgress], None] | None = None,
) -> WalkForward:
    """Trains on every fold, and selects a parameter set for the test window of each.

    Each fold is a separate run in the store, on the periods of the fold; all runs form a group. The same call resumes an
    interrupted walk-forward. Results do not depend on ``jobs`` and ``backend``. Programs are compiled once for folds of equal
    length with equal warm-up.

    Args:
        experiment: the study. Folds cover its periods, from the start of training to the end of the last one.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store of the runs.
        schedule: lengths of the folds; default: four rolling folds.
        trainer: "search", "sgd", "hybrid", "random" (a search with the random sampler) or "fixed" (the study's own parameters).
        evaluations: evaluations of the objective in each fold: trials, and gradient steps times sets; default: those
            of the study.
        method: selection method, which must not use test data; default: ``best_validation``, or ``best_train`` without
            validation data.
        series: series in memory instead of files; see :class:`~quantsim.simulator.Evaluator`.
        storage: storage of the Optuna studies, as in :func:`~quantsim.drivers.search.run_search`; default: a journal for each
            fold, in a folder beside a store in a file.
        jobs: number of folds that are trained at the same time; if there are more jobs than folds, searches use the others.
        backend: where trials of a search are evaluated: "threads", "dask" or "ray". On a cluster, folds follow one another.
        address: address of the cluster.
        progress: function that is called after every step of any fold.

    Raises:
        ConfigError: the lengths do not fit, the study looks beyond its folds, or the selection method uses test data.
        PriceError: the prices do not cover the periods.
        DriverError: a fold cannot be trained; a note says which.
        KeyboardInterrupt: completed steps of all folds are stored.
    """
    resources = Resources(jobs, backend, address, storage, series or {})
    schedule = schedule or Schedule()
    check_walk_forward(experiment, schedule, (trainer,), evaluations, method, resources)
    experiment = budgeted(experiment, trainer, evaluations)
    folds = schedule.folds(experiment)
    prices = experiment.prices(prices, given_series=series or ())
    group_id = group_of(experiment, trainer, folds, data_identity(experiment, prices, series))
    tasks = [Task(fold.position, fold_experiment(experiment, fold), lambda: prices) for fold in folds]
    run_ids = train_all(trainer, tasks, store, resources, group_id=group_id, progress=progress)
    results = [
        selected(store, fold, task, run_id, method, series)
        for fold, task, run_id in zip(folds, tasks, run_ids, strict=True)
    ]
    name = method_named(method, tasks[0].experiment)
    for run_id in run_ids:
        if store.run(run_id).notes.get(METHOD) != name:
            store.add_notes(run_id, {METHOD: name})
    return WalkForward(experiment, trainer, group_id, tuple(results), name)


def compare_trainers(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    schedule: Schedule | None = None,
    *,
    trainers: Sequence[str],
    evaluations: int | None = None,
    **options: Any,
) -> dict[str, WalkForward]:
    """Runs a walk-forward with each trainer, on the same folds and with the same budget.

    Args:
        experiment: the study.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store of the runs.
        schedule: lengths of the folds.
        trainers: names as in :func:`run_walk_forward`.
        evaluations: evaluations of the objective in each fold; default: ``search.trials``.
        options: other arguments of :func:`run_walk_forward`.

    Returns:
        Trainer → result, in the given order.

    Raises:
        ConfigError: a trainer is named twice or cannot use the budget; otherwise as :func:`run_walk_forward`.
    """
    budget = experiment.search.trials if evaluations is None else evaluations
    check_walk_forward(experiment, schedule or Schedule(), trainers, budget, options.get("method"))
    prices = experiment.prices(prices, given_series=options.get("series") or ())
    given: dict[str, Any] = {"evaluations": budget, **options}
    return {name: run_walk_forward(experiment, prices, store, schedule, trainer=name, **given) for name in trainers}


def check_walk_forward(
    experiment: Experiment,
    schedule: Schedule,
    trainers: Sequence[str] = ("search",),
    evaluations: int | None = None,
    method: str | None = None,
    resources: Resources | None = None,
) -> None:
    """Checks a walk-forward as far as that needs no prices. Arguments and errors are those of :func:`run_walk_forward`.

    Raises:
        ConfigError: also if a trainer is named twice.
    """
    if len(set(trainers)) < len(trainers):
        raise ConfigError(f"the drivers {','.join(trainers)} must be distinct: name each once")
    for trainer in trainers:
        check_trainer(trainer, resources or Resources())
        budgeted(experiment, trainer, evaluations)
    check_causal(experiment)
    check_selection(fold_experiment(experiment, schedule.folds(experiment)[0]), method)


def selected(
    store: CheckpointStore,
    fold: FoldT,
    task: Task,
    run_id: str,
    method: str | None,
    series: Mapping[str, Any] | None = None,
) -> FoldResult[FoldT]:
    """Returns the result of a fold whose run is finished."""
    evaluates = METHODS[method_named(method, task.experiment)].evaluates
    evaluator = Evaluator(task.experiment, task.load(), series) if evaluates else None
    picked = pick(store, method, study=task.experiment, run=run_id, evaluator=evaluator)
    return FoldResult(fold, run_id, picked.checkpoint)


def data_identity(experiment: Experiment, prices: Prices, series: Mapping[str, Any] | None = None) -> str:
    """Returns the identity of the data of all folds; raises PriceError if they are not valid."""
    start, end = span_of(experiment)
    whole = with_periods(experiment, experiment.name, train_start=start, train_end=end)
    return Evaluator(whole, prices, series).data_id


def group_of(experiment: Experiment, trainer: str, folds: Sequence[Fold], data_id: str) -> str:
    spans = [
        [moment.isoformat() for span in (fold.train, fold.validation, fold.test) for moment in span or ()]
        for fold in folds
    ]
    return digest(["walk-forward", content_of_task(experiment, trainer), spans, data_id])
