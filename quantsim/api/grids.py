"""Evaluates a grid of parameters, and returns a result with tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quantsim.api.display import as_html
from quantsim.config import Experiment
from quantsim.prices import PriceData
from quantsim.simulator import Axis, Split
from quantsim.simulator import evaluate_grid as evaluated
from quantsim.simulator.grid import Grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["GridResult", "evaluate_grid"]

_MOST_ROWS = 10


@dataclass(frozen=True, eq=False, repr=False)
class GridResult(Grid):
    """The result of :func:`evaluate_grid`: a :class:`~quantsim.simulator.grid.Grid` with its experiment, tables and figures.

    Attributes:
        experiment: the experiment.
    """

    experiment: Experiment = field(kw_only=True)

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per cell: the value of each axis, in human units, and metrics in columns such as ``train_returns``."""
        from quantsim.report.grids import grid_frame

        return grid_frame(self)

    def plot(self, metric: str | None = None, split: Split = "train") -> Figure:
        """Returns a map of two axes, or a line over one, with the best cell. As the last line of a cell it shows itself.

        Args:
            metric: the metric that is drawn; default: the first one.
            split: the split that is drawn, and that chooses the best cell.

        Raises:
            ConfigError: there are more than two axes, or as in :meth:`best`; or matplotlib is not installed.
        """
        from quantsim.report.grids import grid_figure

        return grid_figure(self.experiment, self, self.best(metric, split))

    def __repr__(self) -> str:
        axes = " x ".join(f"{axis.n_points} {axis.name}" for axis in self.axes)
        best = self.best()
        where = ", ".join(f"{name} = {value:.4g}" for name, value in best.values.items())
        value = best.metrics[best.chosen_by][best.metric]
        return (
            f"GridResult({self.experiment.name!r}, {axes}; best {best.chosen_by} {best.metric} {value:.4g} at {where})"
        )

    def _repr_html_(self) -> str:
        best = self.best()
        column = f"{best.chosen_by}_{best.metric}"
        shown = self.to_frame().sort_values(column, ascending=False).head(_MOST_ROWS)
        names = [*best.values, *(f"{split}_{best.metric}" for split in self.metrics)]
        return as_html(f"{self!r}. The best cells by {column}:", shown[names])


def evaluate_grid(
    experiment: Experiment,
    axes: Sequence[Axis],
    prices: PriceData | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Sequence[str] | None = None,
    series: Mapping[str, Any] | None = None,
) -> GridResult:
    """Evaluates the product of ranges of parameters on every split, as ``quantsim grid`` does.

    Arguments and errors are those of :func:`quantsim.simulator.evaluate_grid`.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
        >>> axes = [quantsim.Axis("memory_days", 5.0, 80.0, 3, log=True)]
        >>> quantsim.evaluate_grid(study, axes, metrics=["returns"]).to_frame()["memory_days"].tolist()
        [5.0, 20.0, 80.0]
    """
    found = evaluated(experiment, axes, prices, params=params, metrics=metrics, series=series)
    return GridResult(**vars(found), experiment=experiment)
