"""A robustness report as tables, and as a picture."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table

from quantsim.objective import unit_of
from quantsim.report.canvas import INK, MUTED, STYLE, TOKENS, blank_figure
from quantsim.report.formats import certain_text, unit_text
from quantsim.report.layout import Fitting, plain_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quantsim.config import Experiment
    from quantsim.robustness import Robustness, Spread, Varied

__all__ = ["robustness_figure", "robustness_table"]

_IQR_OF_NORMAL = 1.349  # interquartile range of a standard normal distribution
_SET, _CONSTANT = TOKENS[0], TOKENS[5]


def robustness_table(found: Robustness, metric: str) -> Fitting:
    """Returns one row per split and kind of variations.

    The columns are the set without variations, percentiles of it, constant weights without variations, percentiles of the
    difference to constant weights under the same variation, and the share of variations in which the set is ahead.

    Args:
        found: the report.
        metric: the metric to show.
    """
    return Fitting(partial(_table, found, metric), partial(_table, found, metric, narrow=True))


def _table(found: Robustness, metric: str, *, narrow: bool = False) -> Table:
    """Returns the table; if it is narrow, with the split above its rows."""
    unit = unit_of(metric)
    title = f"{metric} under variations ({unit_text(unit)})"
    table = plain_table(title)
    for column in ("variation",) if narrow else ("split", "variation"):
        table.add_column(column, no_wrap=True)
    shares = ("5 %", "25 %", "50 %", "75 %", "95 %")
    for column in ("set", *shares, "constant\nweights", "ahead:\n5 %", "95 %", "in"):
        table.add_column(column, justify="right")
    for split in found.point:
        rows = [(kind, varied) for kind, varied in found.kinds.items() if split in varied.values]
        if narrow:
            table.add_row(split, style="bold")
        for number, (kind, varied) in enumerate(rows):
            first = [] if narrow else ["" if number else split]
            table.add_row(*first, kind.replace("_", " "), *_cells(varied, split, metric, unit))
        table.add_section()
    return table


def _cells(varied: Varied, split: str, metric: str, unit: str) -> list[str]:
    own, constant = varied.spread(split, metric), varied.constant_spread(split, metric)
    difference = varied.difference(split, metric)
    cells = [_text(value, own, unit) for value in (own.point, *own.percentiles.values())]
    varies = constant.percentiles[5] < constant.percentiles[95]
    cells.append(_text(constant.point, constant if varies else own, unit))
    cells += [_text(difference.percentiles[one], difference, unit, signed=True) for one in (5, 95)]
    return [*cells, f"{100 * varied.share_ahead(split, metric):.0f} %"]


def _text(value: float, spread: Spread, unit: str, *, signed: bool = False) -> str:
    """Formats a value with the digits that the spread allows."""
    width = spread.percentiles[75] - spread.percentiles[25]
    return certain_text(value, width / _IQR_OF_NORMAL if math.isfinite(width) else None, unit, signed=signed)


def robustness_figure(experiment: Experiment, found: Robustness, metric: str) -> Figure:
    """Draws percentiles of a metric for every kind of variations, of the set and of constant weights, with a panel per split.

    Boxes are the 25th to the 75th percentile with the median, lines the 5th to the 95th. Dashed lines: without variations.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure = blank_figure()
    import matplotlib

    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x"}):
        splits = list(found.point)
        panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
        for axes, split in zip(panels, splits, strict=True):
            _draw_split(axes, found, split, metric)
        panels[0].set_yticks(range(len(found.kinds)), [kind.replace("_", " ") for kind in found.kinds])
        panels[0].invert_yaxis()
        figure.suptitle(
            f"{experiment.name}: {metric} under variations", x=0.01, ha="left", fontsize=19, fontweight="bold"
        )
        figure.supxlabel(found.judgement, color=MUTED, fontsize=13, x=0.01, ha="left", wrap=True)
        handles = [matplotlib.patches.Patch(color=_SET), matplotlib.patches.Patch(color=_CONSTANT)]
        panels[-1].legend(
            handles, ["parameter set", "constant weights"], loc="upper right", bbox_to_anchor=(1.0, 1.09), ncols=2
        )
    return figure


def _draw_split(axes: Axes, found: Robustness, split: str, metric: str) -> None:
    scale = 100.0 if unit_of(metric).startswith("fraction") else 1.0
    axes.set_title(split, loc="left", color=INK)
    axes.set_xlabel(f"{metric}, {unit_text(unit_of(metric))}")
    for row, varied in enumerate(found.kinds.values()):
        if split not in varied.values:
            continue
        for shift, colour, spread in (
            (-0.17, _SET, varied.spread(split, metric)),
            (0.17, _CONSTANT, varied.constant_spread(split, metric)),
        ):
            _draw_box(axes, row + shift, [scale * value for value in spread.percentiles.values()], colour)
    for colour, point in ((_SET, found.point), (_CONSTANT, found.constant_weights)):
        if math.isfinite(point[split][metric]):
            axes.axvline(scale * point[split][metric], color=colour, linestyle="--", linewidth=1.2)


def _draw_box(axes: Axes, height: float, percentiles: list[float], colour: str) -> None:
    if not all(math.isfinite(value) for value in percentiles):
        return
    low, first, median, third, high = percentiles
    axes.hlines(height, low, high, color=colour, linewidth=1.6)
    axes.barh(height, third - first, left=first, height=0.28, color=colour, alpha=0.6)
    axes.vlines(median, height - 0.14, height + 0.14, color=INK, linewidth=2.0)
