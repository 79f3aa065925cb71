"""A parameter grid as a table, and as a picture: a heat map of two axes, or a line over one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import ConfigError
from quantsim.objective import is_cost, nan_reason, unit_of
from quantsim.ranking import TIE_METRIC
from quantsim.report.canvas import GRID, INK, MUTED, STYLE, TOKENS, add_title, blank_figure
from quantsim.report.formats import cost_text, metric_text, number_text, unit_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quantsim.config import Experiment
    from quantsim.simulator.grid import Axis, Cell, Grid

__all__ = ["MOST_AXES", "failed_cells", "grid_figure", "grid_frame"]

MOST_AXES = 2
"""Largest number of axes in a picture."""

_SPLITS = {"train": TOKENS[0], "validation": TOKENS[2], "test": TOKENS[5]}


def failed_cells(experiment: Experiment, grid: Grid, split: str) -> str | None:
    """Returns a sentence on the cells whose first metric is nan on a split, and the reason for the first of them; None without.

    Args:
        experiment: experiment of the grid.
        grid: the grid.
        split: the split.
    """
    table = grid.metrics[split]
    metric = next(iter(table))
    failed = np.flatnonzero(np.isnan(table[metric]))
    if not failed.size:
        return None
    first = {name: float(column.flat[failed[0]]) for name, column in {**table, TIE_METRIC: grid.ties[split]}.items()}
    reason = nan_reason(experiment.objective, split, metric, first)
    return f"{failed.size} of {table[metric].size:,} cells failed. Of the first, {reason}"


def grid_frame(grid: Grid) -> pd.DataFrame:
    """Returns one row per cell: a column per axis, in human units, and one per split and metric, like ``train_returns``."""
    import pandas as pd

    places = np.meshgrid(*(axis.values for axis in grid.axes), indexing="ij")
    columns = {axis.name: place.ravel() for axis, place in zip(grid.axes, places, strict=True)}
    columns |= {
        f"{split}_{metric}": values.ravel() for split, table in grid.metrics.items() for metric, values in table.items()
    }
    return pd.DataFrame(columns)


def grid_figure(experiment: Experiment, grid: Grid, best: Cell) -> Figure:
    """Draws the metric that chose the best cell, on the split that chose it, and marks the cell.

    Args:
        experiment: experiment of the grid, for its name and the units of its parameters.
        grid: grid with one or two axes. A picture of one axis also shows the other splits.
        best: best cell of the grid.

    Raises:
        ConfigError: the grid has more than two axes, or matplotlib is not installed.
    """
    if len(grid.axes) > MOST_AXES:
        raise ConfigError(f"a picture shows one or two axes, not {len(grid.axes)}: remove the others")
    figure_style = STYLE if len(grid.axes) == 1 else {**STYLE, "axes.grid": False}
    figure = blank_figure()
    import matplotlib

    with matplotlib.rc_context(figure_style):
        axes = figure.subplots()
        (_draw_line if len(grid.axes) == 1 else _draw_map)(axes, experiment, grid, best)
        _set_axis(axes, "x", experiment, grid.axes[0])
        title = f"{experiment.name}: {experiment.pool.label} on {', '.join(experiment.tokens)}"
        add_title(axes, title, "; ".join((_outcome(best), *experiment.cautions)))
    return figure


def _draw_map(axes: Axes, experiment: Experiment, grid: Grid, best: Cell) -> None:
    across, up = grid.axes
    values = np.ma.masked_invalid(_shown(grid.metrics[best.chosen_by][best.metric], best.metric))
    axes.set_facecolor(GRID)  # cells that are nan
    mesh = axes.pcolormesh(_edges(across), _edges(up), values.T, cmap="viridis", linewidth=0.0, rasterized=True)
    _set_axis(axes, "y", experiment, up)
    place = (best.values[across.name], best.values[up.name])
    axes.plot(*place, marker="o", markersize=16, markerfacecolor="none", markeredgecolor="white", markeredgewidth=4.5)
    axes.plot(*place, marker="o", markersize=16, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=2.0)
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(_metric_label(best.metric, best.chosen_by))
    bar.outline.set_visible(False)


def _draw_line(axes: Axes, experiment: Experiment, grid: Grid, best: Cell) -> None:
    (across,) = grid.axes
    for split, table in grid.metrics.items():
        chose = split == best.chosen_by
        shown = _shown(table[best.metric], best.metric)
        axes.plot(
            across.values,
            shown,
            color=_SPLITS[split],
            linewidth=2.4 if chose else 1.2,
            marker="o" if chose else "",
            label=split,
        )
    axes.axvline(best.values[across.name], color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_ylabel(_metric_label(best.metric))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.5)


def _set_axis(axes: Axes, which: str, experiment: Experiment, axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    unit = next(p.spec.unit for p in experiment.layout if p.human_name == axis.parameter)
    label, side = f"{axis.name}, {unit}" if unit else axis.name, axes.xaxis if which == "x" else axes.yaxis
    if axis.log:
        set_scale: Any = axes.set_xscale if which == "x" else axes.set_yscale
        set_scale("log")
        side.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        side.set_minor_locator(NullLocator())
    side.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    side.set_label_text(label)


def _edges(axis: Axis) -> NDArray[np.float64]:
    """Returns the edges of the cells around an axis' values, (n_points + 1,), half a step beyond the outermost values."""
    values = np.log(axis.values) if axis.log else axis.values
    half = 0.5 * (values[1] - values[0])
    edges = np.append(values - half, values[-1] + half)
    return np.asarray(np.exp(edges) if axis.log else edges)


def _shown(values: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Returns values in the displayed unit: fractions in percent, costs positive, infinite values as the extremes."""
    finite = values[np.isfinite(values)]
    shown = np.clip(values, *((finite.min(), finite.max()) if finite.size else (0.0, 0.0)))
    shown = -shown if is_cost(metric) else shown
    return 100.0 * shown if unit_text(unit_of(metric)).startswith("%") else shown


def _metric_label(metric: str, split: str = "") -> str:
    unit = unit_text(unit_of(metric))
    return f"{split} {metric}".strip() + (f", {unit}" if unit else "")


def _outcome(best: Cell) -> str:
    unit = unit_of(best.metric)
    where = ", ".join(f"{name} = {number_text(value)}" for name, value in best.values.items())
    text = cost_text if is_cost(best.metric) else metric_text
    splits = ", ".join(f"{split} {text(table[best.metric], unit)}" for split, table in best.metrics.items())
    percent = f" {unit_text(unit)}" if unit_text(unit).startswith("%") else ""
    return f"Best cell, chosen on {best.chosen_by}: {where}; {best.metric}{percent}: {splits}"
