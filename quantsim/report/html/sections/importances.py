"""Which parameters matter, and a map of the two that matter most, from the trials of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.objective import is_cost, unit_of
from quantsim.report.canvas import TOKENS
from quantsim.report.formats import unit_text
from quantsim.report.html.blocks import Drawing, Figure, Section, Text
from quantsim.report.html.colours import variable
from quantsim.report.html.drawing import drawing_of, plain
from quantsim.report.html.interactive import blank, escaped, figure_of, rounded
from quantsim.report.trials import TrialTable, trial_importances, trial_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from quantsim.report.html.content import Content

__all__ = ["importances"]


_MOST_SHOWN = 12
_CELLS = (4, 12)  # the fewest and the most along an axis
_TRIALS_PER_CELL = 4


def importances(content: Content) -> Section | None:
    """Returns the section; None if the run was no search, or its trials do not tell."""
    if content.space is None:
        return None
    table = trial_table(content.trials, content.space)
    found = trial_importances(table)
    if not found:
        return None
    name = content.experiment.objective.name
    text = (
        f"Importances for train {name} by PED-ANOVA, from {table.values.size} trials: how much the choice of a parameter "
        "decides whether a trial is among the best. They describe training data, and say nothing about other data."
    )
    first, second = ([*found, *(column for column in table.columns if column not in found), "", ""])[:2]
    blocks = (
        Text(text, "muted"),
        _bars(found),
        *((_map(content, table, first, second),) if second else ()),
    )
    return Section("importances", "Parameters that matter", blocks)


def _bars(found: Mapping[str, float]) -> Drawing:
    shown = dict(list(found.items())[:_MOST_SHOWN])

    def draw(axes: Axes) -> None:
        axes.barh(
            [plain(name) for name in shown], [100.0 * value for value in shown.values()], color=TOKENS[0], height=0.62
        )
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("importance, %")

    height = 0.9 + 0.3 * len(shown)
    return drawing_of("drawing-importances", draw, "Importance of each parameter", "Importances", (5.2, height))


def _map(content: Content, table: TrialTable, across: str, up: str) -> Figure:
    """Draws the mean of the trials in each cell, and the trials."""
    name = content.experiment.objective.name
    unit = unit_text(unit_of(name))
    shown = np.where(np.isfinite(table.values), table.values, np.nan) * (100.0 if unit.startswith("%") else 1.0)
    shown = -shown if is_cost(name) else shown
    label = f"train {name}" + (f", {unit}" if unit else "")
    n_cells = int(np.clip(np.sqrt(table.values.size / _TRIALS_PER_CELL), *_CELLS))
    x, y = table.columns[across], table.columns[up]
    edges = [_edges(column, n_cells, log=table.log[one]) for one, column in ((across, x), (up, y))]
    means = _means(x, y, shown, *edges)
    figure = blank(hovermode="closest")
    scale = {"coloraxis": "coloraxis"}
    figure.add_heatmap(
        x=rounded(edges[0]),
        y=rounded(edges[1]),
        z=[rounded(row, 4) for row in means],
        hovertemplate=f"mean of the trials here: %{{z:.3g}}<extra>{escaped(label)}</extra>",
        **scale,
    )
    figure.add_scatter(
        x=rounded(x, 4),
        y=rounded(y, 4),
        mode="markers",
        showlegend=False,
        marker={"color": rounded(shown, 4), "size": 6, "line": {"color": variable("--card"), "width": 1}, **scale},
        text=[f"trial {row.step}: {value:.3g}" for row, value in zip(table.rows, shown, strict=True)],
        hovertemplate="%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
    )
    places = [place for place, row in enumerate(table.rows) if row.checkpoint_id == content.checkpoint.checkpoint_id]
    for colour, size, width in (("--card", 17, 6.0), ("--ink", 17, 2.5)) if places else ():
        figure.add_scatter(
            x=rounded(x[places], 4),
            y=rounded(y[places], 4),
            mode="markers",
            name="selected",
            showlegend=colour == "--ink",
            marker={"size": size, "symbol": "circle-open", "color": variable(colour), "line": {"width": width}},
            hoverinfo="skip",
        )
    units = {parameter.human_name: parameter.spec.unit for parameter in content.experiment.layout}
    titles = [_titled(one, units) for one in (across, up)]
    figure.update_layout(
        xaxis={"title": titles[0], **_axis(x, log=table.log[across])},
        yaxis={"title": titles[1], **_axis(y, log=table.log[up])},
        coloraxis={
            "colorscale": "Viridis",
            "colorbar": {"title": {"text": escaped(label), "side": "right"}, "thickness": 12},
        },
    )
    return figure_of("figure-map", figure, f"Train {name} over {across} and {up}", 440)


def _axis(values: FloatArray, *, log: bool) -> dict[str, Any]:
    """Returns the scale of an axis; a logarithmic one of several decades has ticks at powers of ten alone."""
    if not log:
        return {"type": "linear"}
    return {"type": "log", "dtick": 1 if values.max() > 50.0 * values.min() else "D2"}


def _titled(name: str, units: Mapping[str, str]) -> str:
    unit = units.get(name.partition("[")[0], "")
    return escaped(f"{name}, {unit}" if unit else name)


def _edges(values: FloatArray, n_cells: int, *, log: bool) -> FloatArray:
    """Returns the edges of cells of equal width, (n_cells + 1,)."""
    space = np.geomspace if log else np.linspace
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 1.1, high * 1.1) if log else (low - 0.5, high + 0.5)
    return np.asarray(space(low, high, n_cells + 1), np.float64)


def _means(
    x: FloatArray, y: FloatArray, values: FloatArray, across: FloatArray, up: FloatArray
) -> Sequence[FloatArray]:
    """Returns the mean of the values in each cell, rows from low to high ``y``; nan without any."""
    known = np.isfinite(values)
    sums, _, _ = np.histogram2d(y[known], x[known], bins=(up, across), weights=values[known])
    counts, _, _ = np.histogram2d(y[known], x[known], bins=(up, across))
    with np.errstate(invalid="ignore"):
        return list(sums / np.where(counts > 0, counts, np.nan))
