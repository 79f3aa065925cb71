"""Tables for the terminal: pure functions from data to rich tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from quantsim.checkpoints.checkpoint import SPLITS
from quantsim.objective import is_cost, superlative
from quantsim.ranking import gain
from quantsim.report.formats import certain_text, cost_text, number_text, unit_text
from quantsim.report.layout import Fitting, plain_table

if TYPE_CHECKING:
    from quantsim.drivers.hybrid import Phase
    from quantsim.parameters import Parameter
    from quantsim.prices import Coverage, Gap
    from quantsim.search_space import SearchSpace

__all__ = [
    "coverage_table",
    "front_table",
    "gains_table",
    "gaps_table",
    "parameters_table",
    "space_table",
    "stamp_text",
]

Metrics = Mapping[str, Mapping[str, float]]


_OTHERS = "value"
"""The column of values that are not of a token."""


def parameters_table(
    parameters: Sequence[Parameter],
    human: Mapping[str, Sequence[float]],
    tokens: Sequence[str],
    title: str = "Parameters",
) -> Fitting:
    """Returns one row per parameter and one column per token, in human units. Other labels have a row each, and a column.

    On a console that is too narrow for all tokens, each of them has a row, too.

    Args:
        parameters: parameters to show.
        human: human-readable name → (m,).
        tokens: tokens of the pool, (n,).
        title: title of the table.
    """
    layout = partial(_parameters_table, parameters, human, title)
    return Fitting(partial(layout, tokens), partial(layout, (_OTHERS,)))


def _parameters_table(
    parameters: Sequence[Parameter], human: Mapping[str, Sequence[float]], title: str, tokens: Sequence[str]
) -> Table:
    shown_here = [parameter for parameter in parameters if parameter.human_name in human]
    columns = tokens if any(parameter.labels == tuple(tokens) for parameter in shown_here) else ()
    others = [_OTHERS] if any(parameter.labels != tuple(tokens) for parameter in shown_here) else []
    table = plain_table(title)
    table.add_column("parameter")
    for name in (*columns, *others):
        table.add_column(name, justify="right")
    table.add_column("unit", style="dim")
    for parameter in shown_here:
        name, unit = parameter.human_name, parameter.spec.unit or "1"
        cells = [number_text(float(value)) for value in human[name]]
        if parameter.labels == tuple(tokens):
            table.add_row(name, *cells, *[""] * len(others), unit)
            continue
        for label, cell in zip(parameter.labels, cells, strict=True):
            shown = name if parameter.size == 1 else f"{name}[{label}]"
            table.add_row(shown, *[""] * len(columns), cell, unit)
    return table


def gains_table(
    phases: Sequence[Phase], objective: str, unit: str, errors: Mapping[str, float] | None = None
) -> Fitting:
    """Returns one row per phase of a hybrid run, with its duration and gains.

    The first columns are the best train objective of all trials, which decides on further rounds. The others are values of
    the trial that the default selection picks. A gain is positive if the later value is better.

    Args:
        phases: phases in their order.
        objective: name of the objective.
        unit: unit of the objective; empty if it has none.
        errors: split → standard error of the objective, which limits the digits.
    """
    layout = partial(_gains_table, phases, objective, unit, errors)
    return Fitting(layout, partial(layout, narrow=True))


def _gains_table(
    phases: Sequence[Phase],
    objective: str,
    unit: str,
    errors: Mapping[str, float] | None = None,
    *,
    narrow: bool = False,
) -> Table:
    """Returns the table; if it is narrow, with gains below the values."""
    shown = f"{objective}, {unit_text(unit)}" if unit else objective
    table = plain_table(f"What each phase gained; {shown}")
    table.add_column("phase")
    table.add_column("evaluations", justify="right")
    table.add_column("s", justify="right")
    splits = [split for split in SPLITS if any(split in phase.objective for phase in phases)]
    for heading in (f"{superlative(objective)} train", *splits):
        table.add_column(f"{heading}\ngain" if narrow else heading, justify="right")
        if not narrow:
            table.add_column("gain", justify="right", style="dim")
    limits = [(errors or {}).get(split) for split in ("train", *splits)]
    before: list[float | None] = [None] * (1 + len(splits))
    for phase in phases:
        now = [phase.best, *(phase.objective.get(split) for split in splits)]
        cells: list[str | Text] = []
        for value, earlier, error in zip(now, before, limits, strict=True):
            gained = None if value is None or earlier is None else gain(value, earlier)
            shown = cost_text(value, unit) if is_cost(objective) else certain_text(value, error, unit)
            gain_text = certain_text(gained, error, unit, signed=True)
            cells += [Text.assemble(shown, ("\n" + gain_text, "dim"))] if narrow else [shown, gain_text]
        seconds = "earlier" if phase.seconds is None else f"{phase.seconds:.1f}"
        table.add_row(f"{phase.round} {phase.kind}", f"{phase.evaluations:,}", seconds, *cells)
        before = now
    return table


def front_table(front: Sequence[tuple[int, Sequence[float]]], objectives: Sequence[str], balanced: int) -> Table:
    """Returns one row per trial of a Pareto front, the balanced one in bold.

    Args:
        front: pairs of trial number and values.
        objectives: names of the values. A value whose name has a minus is minimised, and shown without the minus.
        balanced: number of the balanced trial.
    """
    table = plain_table("Pareto front")
    table.add_column("trial", justify="right")
    for name in objectives:
        shown = f"{name.removeprefix('-')} (low)" if name.startswith("-") else name
        table.add_column(shown, justify="right", overflow="fold")
    for number, values in front:
        own = [-value if name.startswith("-") else value for name, value in zip(objectives, values, strict=True)]
        table.add_row(str(number), *map(number_text, own), style="bold" if number == balanced else "")
    return table


def space_table(space: SearchSpace, units: Mapping[str, str], title: str) -> Table:
    """Returns one row per trial parameter of a search space, and one per fixed parameter.

    Args:
        space: search space.
        units: human-readable parameter name → unit.
        title: title of the table.
    """
    table = plain_table(title)
    table.add_column("parameter")
    table.add_column("from", justify="right")
    table.add_column("to", justify="right")
    table.add_column("drawn")
    table.add_column("unit", style="dim")
    for dimension in space.dimensions:
        for draw in dimension.draws:
            ends = (number_text(draw.low), number_text(draw.high))
            how = "log" if draw.log else "even" if draw.step is None else f"in steps of {number_text(draw.step)}"
            if draw.choices:
                ends, how = ("", ""), "one of " + ", ".join(map(number_text, draw.choices))
            shared = " (one for all)" if dimension.scalar and len(dimension.labels) > 1 else ""
            table.add_row(f"{draw.name}{shared}", *ends, how, units.get(dimension.name) or "1")
    for name, value in space.fixed.items():
        values = value if isinstance(value, list) else [value]
        table.add_row(name, ", ".join(map(number_text, values)), "", "fixed", units.get(name) or "1", style="dim")
    return table


def coverage_table(covered: Sequence[Coverage], title: str) -> Fitting:
    """Returns one row per token of a price source. A narrow console shows times below dates."""
    layout = partial(_coverage_table, covered, title)
    return Fitting(layout, partial(layout, between="\n"))


def _coverage_table(covered: Sequence[Coverage], title: str, *, between: str = " ") -> Table:
    table = plain_table(title)
    table.add_column("token")
    table.add_column("first (UTC)".replace(" ", between))
    table.add_column("last (UTC)".replace(" ", between))
    table.add_column("bar, min", justify="right")
    for name in ("bars", "gaps", "missing", "longest"):
        table.add_column(name, justify="right", no_wrap=True)
    for token in covered:
        lengths = [gap.n_bars for gap in token.gaps]
        table.add_row(
            token.token,
            stamp_text(token.first).replace(" ", between),
            stamp_text(token.last).replace(" ", between),
            f"{token.bar_minutes}",
            f"{token.n_bars:,}",
            f"{len(lengths)}",
            f"{sum(lengths)}",
            f"{max(lengths, default=0)}",
        )
    return table


def gaps_table(gaps: Sequence[Gap], title: str = "Gaps") -> Table:
    """Returns one row per gap, with its place and length."""
    table = plain_table(title)
    table.add_column("token")
    table.add_column("first missing bar (UTC)")
    table.add_column("last missing bar (UTC)")
    table.add_column("bars", justify="right")
    table.add_column("minutes", justify="right")
    for gap in gaps:
        table.add_row(gap.token, stamp_text(gap.first), stamp_text(gap.last), f"{gap.n_bars}", f"{gap.minutes:,}")
    return table


def stamp_text(time: object) -> str:
    """Returns a time as tables show it: ``2024-01-31 12:30``."""
    return str(time).replace("T", " ").removesuffix(":00")
