"""The walk-forward of the study, if the store has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.report.canvas import GRID, MUTED, TOKENS
from quantsim.report.html.blocks import Section, Table, Text
from quantsim.report.html.drawing import date_axis, drawing_of, legend_above, moment
from quantsim.report.walk_forward import CURVES, curves_table, folds_table, stability_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from quantsim.report.html.content import Content

__all__ = ["walk_forward"]

_COLOURS = {
    "carried": TOKENS[0],
    "restarted": TOKENS[1],
    "study": TOKENS[2],
    "constant_weights": TOKENS[5],
    "hodl": TOKENS[7],
}


def walk_forward(content: Content) -> Section | None:
    """Returns the section; None without a walk-forward."""
    outcome = content.walk_forward
    if outcome is None:
        return None
    pools = [curve for curve in (outcome.carried, outcome.restarted) if curve is not None]

    def draw(axes: Axes) -> None:
        for curve in (*pools, *outcome.baselines.values()):
            wide = 1.8 if curve is outcome.out_of_sample else 1.1
            axes.plot(
                curve.times.astype("datetime64[D]"),
                curve.values,
                label=CURVES[curve.name],
                color=_COLOURS[curve.name],
                linewidth=wide,
            )
        for row in outcome.folds:
            axes.axvline(moment(row.fold.test.start), color=MUTED, linewidth=0.8, linestyle=":")
        axes.axhline(1.0, color=GRID, linewidth=1.0, zorder=1)
        axes.set_ylabel("value, first day = 1")
        legend_above(axes)
        date_axis(axes)

    blocks = (
        Text(outcome.judgement, "strong"),
        Text(_selection(content, outcome.method), "muted"),
        *((Text(outcome.note, "muted"),) if outcome.note else ()),
        drawing_of(
            "drawing-walk-forward", draw, "Out-of-sample value of the walk-forward and the baselines", "Out of sample"
        ),
        *map(Table.of, (curves_table(outcome), folds_table(outcome), stability_table(outcome.parameters))),
    )
    return Section("walk-forward", f"Walk-forward: {outcome.trainer}, {len(outcome.folds)} folds", blocks)


def _selection(content: Content, method: str) -> str:
    """Says which sets the folds have, and whether this report has one of another method."""
    other = content.selection is not None and content.selection.method != method
    here = f"; this report shows that of {content.selection.method}" if other and content.selection else ""
    return f"In each fold, the set of {method} is tested{here}."
