"""The headline: the judgement, what it rests on, and the result on the last split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from quantsim.baseline import BENCHMARK, HODL
from quantsim.objective import is_cost, shown_value, unit_of
from quantsim.report.comparison import SELECTED
from quantsim.report.comparison_tables import beaten_text, interval_text
from quantsim.report.formats import certain_decimals, certain_text, cost_text, unit_text
from quantsim.report.html.blocks import Block, Section, Text, Tile, Tiles
from quantsim.report.html.colours import TITLES
from quantsim.report.validation_text import validation_lines

if TYPE_CHECKING:
    from quantsim.report.comparison import Row
    from quantsim.report.html.content import Content
    from quantsim.statistics import Interval

__all__ = ["headline"]

_TONES = {"skill": "good", "noise": "bad", "another": "bad", "contradicted": "bad"}


def headline(content: Content) -> Section:
    """Returns the section."""
    (verdict, *rest), others = _judgement(content)
    blocks = (verdict, *_cautions(content), *rest, *_result(content), *(Text(line, "muted") for line in others))
    return Section("result", "Result", blocks)


def _judgement(content: Content) -> tuple[tuple[Text, ...], Sequence[str]]:
    """Returns the verdict and what it rests on, and further sentences."""
    if content.validation is None:
        return (Text("Not judged.", "verdict"), Text(f"The result is not validated: {content.unvalidated}.")), ()
    judgement, *others = validation_lines(content.validation)
    verdict, _, rest = judgement.partition(". ")
    tone = _TONES.get(content.validation.verdict, "")
    return (Text(verdict.removesuffix(".") + ".", "verdict", tone), *map(Text, filter(None, (rest,)))), others


def _result(content: Content) -> Iterator[Block]:
    """Yields the figures of the last split, which is test data if there is any."""
    split = next(one for one in reversed(content.comparison.splits) if one.split in content.curves.splits)
    objective, returns = split.row(content.comparison.objective), split.row("returns")
    tiles = []
    if returns is not None:
        tiles.append(_own(f"Return on {split.split} data", returns))
        tiles += [_lead(name, returns) for name in (BENCHMARK, HODL) if returns.values.get(name) is not None]
    if objective is not None and objective is not returns:
        tiles.append(_own(f"{objective.metric}, {split.split}", objective))
    yield Tiles(tuple(tiles))
    level = f"{100.0 * content.comparison.level:.0f} %"
    used = " These data were used for selection." if split.split == content.comparison.chosen_by else ""
    yield Text(f"On {split.split} data, {_days(split.n_days)}. Brackets: {level} bootstrap intervals.{used}", "muted")


def _days(count: int | None) -> str:
    return "of unknown length" if count is None else f"{count + 1} days"


def _own(label: str, row: Row) -> Tile:
    unit, value = unit_of(row.metric), row.values[SELECTED]
    error = None if row.interval is None else row.interval.standard_error
    text = (
        cost_text(value, unit, certain_decimals(error, unit))
        if is_cost(row.metric)
        else certain_text(value, error, unit)
    )
    return Tile(label, _with_percent(text, unit), _detail(row, row.interval))


def _lead(name: str, row: Row) -> Tile:
    unit, interval, lead = unit_of(row.metric), row.differences.get(name), row.difference(name)
    error = None if interval is None else interval.standard_error
    text = certain_text(None if lead is None else shown_value(row.metric, lead), error, unit, signed=True)
    return Tile(f"against {TITLES[name]}", _with_percent(text, unit), _detail(row, interval))


def _with_percent(text: str, unit: str) -> str:
    return f"{text} %" if unit_text(unit).startswith("%") else text


def _detail(row: Row, interval: Interval | None) -> str:
    return "" if interval is None else interval_text(interval, row.metric)


def _cautions(content: Content) -> Iterator[Block]:
    if (beaten := beaten_text(content.comparison)) is not None:
        yield Text(beaten, "caution")
    if content.selection is not None and content.selection.used_test_data:
        yield Text("Chosen on test data: the test metrics are not out of sample.", "caution")
    cautions = dict.fromkeys([*content.experiment.cautions, *content.simulation.notes.get("cautions", ())])
    yield from (Text(f"Caution: {text}.", "caution") for text in cautions)
    warnings = () if content.validation is None else content.validation.warnings
    yield from (Text(f"Warning: {text}.", "caution") for text in warnings)
