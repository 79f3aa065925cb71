"""The result of a search, of gradient training, or of both: the best set, with tables and figures."""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantsim.api.simulation import Simulation, simulate
from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.checkpoint import SHORT_RUN_ID, chronological
from quantsim.config import Experiment
from quantsim.errors import SelectionError
from quantsim.prices import Prices
from quantsim.simulator import Result, Split

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from quantsim.api.reporting import HtmlReport
    from quantsim.checkpoints.training import TrainingCurves
    from quantsim.drivers.hybrid import HybridRun
    from quantsim.drivers.search import SearchRun
    from quantsim.drivers.sgd import SgdRun
    from quantsim.report import Comparison, RunResult
    from quantsim.validation import Validation

__all__ = ["Optimization"]

RunT = TypeVar("RunT", "SearchRun", "SgdRun", "HybridRun", covariant=True)


@dataclass(frozen=True, eq=False, repr=False)
class Optimization(Generic[RunT]):
    """The result of :func:`quantsim.search`, :func:`quantsim.train` or :func:`quantsim.hybrid`.

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
        """Returns a figure of :attr:`curves`, for results of :func:`quantsim.train` and :func:`quantsim.hybrid`."""
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
        from quantsim.checkpoints.database.location import path_or_url
        from quantsim.report.json_results import run_json

        place = path_or_url(self.store.location)
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
