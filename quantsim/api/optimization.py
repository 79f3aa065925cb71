"""Finds parameters by search, by gradients, or by both, and returns the best set with tables and figures."""

from __future__ import annotations

import functools
import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantsim.api.progress import Progress, showing
from quantsim.api.simulation import Simulation, simulate
from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, chronological
from quantsim.checkpoints.starts import Start
from quantsim.config import Experiment
from quantsim.errors import SelectionError
from quantsim.prices import PriceData, Prices
from quantsim.project import default_store
from quantsim.simulator import Result, Split
from quantsim.tracking import open_tracking

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from quantsim.api.reporting import HtmlReport
    from quantsim.checkpoints.training import TrainingCurves
    from quantsim.drivers.hybrid import HybridProgress, HybridRun
    from quantsim.drivers.search import SearchProgress, SearchRun
    from quantsim.drivers.search.engines import Backend
    from quantsim.drivers.sgd import Progress as SgdProgress
    from quantsim.drivers.sgd import SgdRun
    from quantsim.report import Comparison, RunResult
    from quantsim.storages.location import Location
    from quantsim.validation import Validation

__all__ = ["Optimization", "StoreLike", "hybrid", "opened", "search", "train"]

RunT = TypeVar("RunT", "SearchRun", "SgdRun", "HybridRun", covariant=True)

StoreLike = CheckpointStore | str | os.PathLike[str]
"""A checkpoint store, or its location."""

StartLike = Start | Checkpoint | Mapping[str, Any]
"""A parameter set to start from: a stored one, or raw or human-readable names and values."""


@dataclass(frozen=True, eq=False, repr=False)
class Optimization(Generic[RunT]):
    """The result of :func:`search`, :func:`train` or :func:`hybrid`.

    Attributes:
        experiment: the experiment.
        prices: the prices.
        store: the checkpoint store.
        run: what the driver returns: numbers of trials or steps, and how it ended.
        series: series in memory, if they were given.
        starts: comparable checkpoints that the run started from. One of them is the best if no step was better.
    """

    experiment: Experiment
    prices: Prices
    store: CheckpointStore
    run: RunT
    series: Mapping[str, Any] | None = None
    starts: tuple[Checkpoint, ...] = field(default=())

    @property
    def run_id(self) -> str:
        """The id of the run in the store."""
        return self.run.run_id

    @functools.cached_property
    def best(self) -> RunResult:
        """The selected checkpoint and how it was selected: by the objective on validation data if there is any.

        Raises:
            SelectionError: no checkpoint of the run can be selected.
        """
        from quantsim.report.results import result_of_run

        several = bool(self.experiment.search.objectives) and hasattr(self.run, "front")
        balanced = getattr(self.run, "best_trial", None) if several else None
        return result_of_run(self.store, self.experiment, self.run_id, balanced, self.starts)

    @property
    def checkpoint(self) -> Checkpoint:
        """The selected checkpoint."""
        return self.best.checkpoint

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters of the selected checkpoint, name → (m,), as :func:`quantsim.simulate` takes them."""
        return self.checkpoint.params

    @property
    def human(self) -> Mapping[str, tuple[float, ...]]:
        """Its parameters in human units (days, weights, …)."""
        return self.checkpoint.human

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """Its metrics: split → metric → value."""
        return self.checkpoint.metrics

    @property
    def comparison(self) -> Comparison:
        """The selected set beside the baselines, with intervals."""
        return self.best.comparison

    def simulate(self, split: Split = "all") -> Simulation:
        """Simulates the selected set, bar by bar."""
        if split not in self._simulated:
            self._simulated[split] = simulate(
                self.experiment, self.params, self.prices, split=split, series=self.series
            )
        return self._simulated[split]

    @functools.cached_property
    def _simulated(self) -> dict[str, Simulation]:
        return {}

    @property
    def frame(self) -> pd.DataFrame:
        """A row per bar of the selected set on all splits, without interruption; see :meth:`Simulation.to_frame`."""
        return self.simulate().frame

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per evaluated parameter set: the trials of a search, or all sets of each report of training.

        Parameters are in human units. Columns of metrics are named ``split.metric``.
        """
        from quantsim.checkpoints.frames import checkpoints_frame

        labels = {parameter.human_name: parameter.labels for parameter in self.experiment.layout}
        return checkpoints_frame(self.store.checkpoints(run_id=self.run_id), labels)

    def plot(self) -> Figure:
        """Returns a figure of the selected set on all splits: value, HODL and weights."""
        return self.simulate().plot()

    @property
    def curves(self) -> TrainingCurves:
        """The curves of gradient training: objective, learning rate, norms and rejected updates by step.

        Raises:
            SelectionError: the run took no gradient steps.
        """
        from quantsim.checkpoints.training import training_curves

        return training_curves(self.store, self.run_id)

    def plot_training(self) -> Figure:
        """Returns a figure of :attr:`curves`, for results of :func:`train` and :func:`hybrid`."""
        from quantsim.report.training_plot import training_figure

        return training_figure(self.curves)

    def compare(
        self, other: Optimization[Any] | Result, split: Split = "test", metrics: Sequence[str] | None = None
    ) -> Any:
        """Compares the selected set with that of another run, or with a simulation; see :meth:`Simulation.compare`.

        Args:
            other: another run on the same prices, or a simulation of ``split``.
            split: the split to compare on. On the split that selected it, a set looks better than it is.
            metrics: as in :meth:`Simulation.compare`.
        """
        theirs = other.simulate(split) if isinstance(other, Optimization) else other
        return self.simulate(split).compare(theirs, metrics)

    def validate(self, **options: Any) -> Validation:
        """Tests whether luck explains the result; arguments as in :func:`quantsim.validate`."""
        from quantsim.validation import validate

        return validate(self.store, [self.run_id], study=self.experiment, selected=self.checkpoint, **options)

    def to_json(self, validation: Validation | None = None) -> dict[str, Any]:
        """Returns how the run ended, the selected set, its metrics, baselines and intervals, as ``--json`` prints them.

        Args:
            validation: the result of :meth:`validate`, to be included.
        """
        from quantsim.report.json_results import run_json

        place = self.store.location.removeprefix("sqlite:///")
        found = run_json(self.experiment, self._driver, self.run, self.best, place)
        return found if validation is None else {**found, "validation": validation.to_json()}

    @property
    def _driver(self) -> str:
        return type(self.run).__name__.removesuffix("Run").lower()

    def report(self, **options: Any) -> HtmlReport:
        """Returns the report of the selected set; options as in :func:`quantsim.make_report`."""
        from quantsim.api.reporting import make_report

        given = {"prices": self.prices, "series": self.series, **options}
        return make_report(self.store, self.checkpoint.key, **given)

    def __repr__(self) -> str:
        kind = self._driver
        try:
            key = self.checkpoint.key
        except SelectionError as error:
            return f"Optimization({self.experiment.name!r}, {kind}, run {self.run_id[:SHORT_RUN_ID]}: {error})"
        name = self.experiment.objective.name
        if self.best.selection is None:  # the balanced choice of several objectives
            name = self.experiment.search_objectives[0].removeprefix("-")
        values = (
            f"{split} {self.metrics[split][name]:.4g}"
            for split in chronological(self.metrics)
            if name in self.metrics[split]
        )
        return f"Optimization({self.experiment.name!r}, {kind}, {key}: {name} {', '.join(values)})"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.comparison._repr_html_()}"


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


def opened(store: StoreLike | None) -> CheckpointStore:
    """Returns a checkpoint store as it is, and opens a location; creates the store if there is none.

    Args:
        store: the store or its location; None for that of the project (:func:`quantsim.project.default_store`).
    """
    if isinstance(store, CheckpointStore):
        return store
    return CheckpointStore(default_store() if store is None else store)


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
