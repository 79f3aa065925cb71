"""Finds parameters by search, by gradients, or by both."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.api.optimization import Optimization
from quantsim.api.progress import Progress, showing
from quantsim.api.stores import StoreLike, opened
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.starts import Start
from quantsim.config import Experiment
from quantsim.prices import PriceData
from quantsim.tracking import open_tracking

if TYPE_CHECKING:
    from quantsim.drivers.hybrid import HybridProgress, HybridRun
    from quantsim.drivers.search import SearchProgress, SearchRun
    from quantsim.drivers.search.engines import Backend
    from quantsim.drivers.sgd import Progress as SgdProgress
    from quantsim.drivers.sgd import SgdRun
    from quantsim.storages.location import Location

__all__ = ["hybrid", "search", "train"]

StartLike = Start | Checkpoint | Mapping[str, Any]
"""A parameter set to start from: a stored one, or raw or human-readable names and values."""


def search(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    trials: int | None = None,
    start: Sequence[StartLike] = (),
    jobs: int | None = None,
    storage: Location | None = None,
    study_name: str | None = None,
    backend: Backend = "threads",
    address: str | None = None,
    take_over: bool = False,
    series: Mapping[str, Any] | None = None,
    progress: Progress[SearchProgress] = True,
    tensorboard: str | os.PathLike[str] | None = None,
    mlflow: str | None = None,
) -> Optimization[SearchRun]:
    """Finds parameters by search, with Optuna, as ``quantsim optuna`` does. The same call resumes an interrupted search.

    Args:
        experiment: experiment with the tables ``search`` and ``objective``.
        prices: prices for all its periods: :class:`~quantsim.Prices`, a frame with a column per token, or a dictionary of
            OHLCV frames by token; by default, those that ``experiment.data`` names.
        store: checkpoint store, or its location; by default, as for the commands (docs/commands.md).
        trials: number of trials of the study in the end; default: that of the experiment.
        start: parameter sets to try first.
        jobs: number of trials that are evaluated at the same time; it does not affect results.
        storage: storage of the Optuna study; by default, a journal beside the store.
        study_name: name of the Optuna study.
        backend: where trials are evaluated: "threads", "dask" or "ray".
        address: address of the cluster.
        take_over: whether to run a study that a process on another machine holds.
        series: series in memory; see :class:`~quantsim.Evaluator`.
        progress: whether to show a bar, or a function that is called after every step.
        tensorboard: folder for TensorBoard, which gets everything that is stored (extra ``tensorboard``).
        mlflow: tracking URI of MLflow, such as ``sqlite:///mlflow.db``, for the same (extra ``mlflow``).

    Raises:
        QuantsimError: as in :func:`quantsim.drivers.search.run_search`.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
        >>> found = quantsim.search(study, trials=20, store="results.db")  # doctest: +SKIP
        >>> found.human, found.metrics["test"], found.to_frame()  # doctest: +SKIP
    """
    from quantsim.drivers.search import run_search

    tracking = open_tracking(tensorboard, mlflow)
    table, place = experiment.prices(prices, given_series=series or ()), opened(store)
    with showing(progress, "trial", _of_search) as report:
        run = run_search(
            experiment,
            table,
            place,
            series=series,
            storage=storage,
            study_name=study_name,
            jobs=jobs,
            trials=trials,
            enqueue=[_human(experiment, one) for one in start],
            progress=report,
            take_over=take_over,
            backend=backend,
            address=address,
            tracking=tracking,
        )
    return Optimization(experiment, table, place, run, series)


def train(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    start: Sequence[StartLike] = (),
    resume: bool = True,
    series: Mapping[str, Any] | None = None,
    progress: Progress[SgdProgress] = True,
    tensorboard: str | os.PathLike[str] | None = None,
    mlflow: str | None = None,
) -> Optimization[SgdRun]:
    """Finds parameters by gradient ascent, as ``quantsim sgd`` does. The same call resumes an interrupted run.

    Args:
        experiment: experiment with the tables ``sgd`` and ``objective``.
        prices: as in :func:`search`.
        store: as in :func:`search`.
        start: parameter sets to start from: none for the experiment's own, one to draw sets around it, several as the sets.
        resume: whether to resume an unfinished run.
        series: series in memory; see :class:`~quantsim.Evaluator`.
        progress: as in :func:`search`.
        tensorboard: as in :func:`search`.
        mlflow: as in :func:`search`.

    Raises:
        QuantsimError: as in :func:`quantsim.drivers.sgd.run_sgd`.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_zero_fee").override(["sgd.steps=50"])
        >>> found = quantsim.train(study, store="results.db")  # doctest: +SKIP
    """
    from quantsim.checkpoints.starts import comparable_starts
    from quantsim.drivers.sgd import run_sgd

    tracking = open_tracking(tensorboard, mlflow)
    table, place = experiment.prices(prices, given_series=series or ()), opened(store)
    with showing(progress, "step", _of_training) as report:
        run = run_sgd(
            experiment,
            table,
            place,
            series=series,
            start=[_raw(one) for one in start],
            resume=resume,
            progress=report,
            tracking=tracking,
        )
    stored = [one for one in start if isinstance(one, Start)]
    alike, _ = comparable_starts(stored, place.run(run.run_id).data_id)
    return Optimization(experiment, table, place, run, series, tuple(alike))


def hybrid(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    jobs: int | None = None,
    storage: Location | None = None,
    take_over: bool = False,
    series: Mapping[str, Any] | None = None,
    progress: Progress[HybridProgress] = True,
    tensorboard: str | os.PathLike[str] | None = None,
    mlflow: str | None = None,
) -> Optimization[HybridRun]:
    """Alternates a search and gradient training of its best trials, as ``quantsim hybrid`` does.

    The same call resumes an interrupted run. Arguments as in :func:`search`; the budgets are keys of the table ``hybrid``.

    Raises:
        QuantsimError: as in :func:`quantsim.drivers.hybrid.run_hybrid`.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees").override(["hybrid.rounds=2"])
        >>> found = quantsim.hybrid(study, store="results.db")  # doctest: +SKIP
    """
    from quantsim.drivers.hybrid import run_hybrid

    tracking = open_tracking(tensorboard, mlflow)
    table, place = experiment.prices(prices, given_series=series or ()), opened(store)
    with showing(progress, "evaluation", _of_hybrid) as report:
        run = run_hybrid(
            experiment,
            table,
            place,
            series=series,
            storage=storage,
            jobs=jobs,
            progress=report,
            take_over=take_over,
            tracking=tracking,
        )
    return Optimization(experiment, table, place, run, series)


def _human(experiment: Experiment, start: StartLike) -> Mapping[str, Any]:
    """Returns a set in human units, which a search space takes."""
    if isinstance(start, Start | Checkpoint):
        return start.human
    human = experiment.human_parameters(experiment.initial_parameters(start))
    return {name: values.tolist() for name, values in human.items()}


def _raw(start: StartLike) -> Mapping[str, Any]:
    return start.params if isinstance(start, Start | Checkpoint) else start


def _best(value: float | None) -> str:
    return "" if value is None else f"best {value:.4g}"


def _of_search(progress: SearchProgress) -> tuple[int, int, str]:
    return progress.finished, progress.total, _best(progress.best_value)


def _of_training(progress: SgdProgress) -> tuple[int, int, str]:
    return progress.step, progress.steps, _best(progress.best)


def _of_hybrid(progress: HybridProgress) -> tuple[int, int, str]:
    return progress.done, progress.total, f"round {progress.round} {progress.kind} {_best(progress.best)}".strip()
