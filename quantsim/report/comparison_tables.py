"""A comparison with baselines as tables for the terminal, as Markdown, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from quantsim.baseline import HODL, TITLES
from quantsim.objective import is_cost, shown_value, unit_of
from quantsim.report.comparison import SELECTED
from quantsim.report.formats import certain_decimals, certain_text, cost_text, metric_text, unit_text
from quantsim.report.layout import Fitting, plain_table

if TYPE_CHECKING:
    from quantsim.report.comparison import Comparison, Row, SplitComparison
    from quantsim.statistics import Interval

__all__ = [
    "beaten_text",
    "comparison_html",
    "comparison_legend",
    "comparison_markdown",
    "comparison_notes",
    "comparison_table",
    "gain_line",
    "interval_text",
    "split_table",
]

_NO_INTERVAL = "–"

_SHOWN = {**TITLES, "study": "study"}  # short, as the heading of a column


def comparison_table(comparison: Comparison) -> Group:
    """Returns one table for each split: metrics in rows, the selected set and the baselines in columns.

    The second line of a metric has its unit and, for each baseline, the difference: selected set minus baseline. On a narrow
    console, intervals have a line of their own.
    """
    tables = (
        Fitting(partial(split_table, comparison, split), partial(split_table, comparison, split, narrow=True))
        for split in comparison.splits
    )
    return Group(*tables, *comparison_legend(comparison))


def split_table(comparison: Comparison, split: SplitComparison, *, narrow: bool = False) -> Table:
    """Returns the table of one split; with ``narrow``, intervals have a line of their own."""
    pools = _known(comparison, split)
    table = plain_table(_title(comparison, split))
    table.add_column("metric", no_wrap=True)
    table.add_column("selected", justify="right")
    for name in pools:
        table.add_column(_SHOWN.get(name, name), justify="right")
    for row in comparison.shown_rows(split):
        cells = []
        for first, second in _cells(pools, row):
            below = second.replace(" [", "\n[") if narrow else second
            cells.append(Text.assemble(first, ("\n" + below if below else "", "dim")))
        table.add_row(*cells, style="bold" if row.metric == comparison.objective else "")
    return table


def _known(comparison: Comparison, split: SplitComparison) -> list[str]:
    """Returns the baselines that have a value on the split."""
    return [name for name in comparison.baselines if any(row.values.get(name) is not None for row in split.rows)]


def _title(comparison: Comparison, split: SplitComparison) -> str:
    title = split.split.capitalize()
    if split.n_days is not None:
        title += f", {split.n_days + 1} days"
    if split.split == comparison.chosen_by:
        title += ", used for selection"
    return title + (f" (no intervals: {split.reason})" if split.reason else "")


def _cells(pools: Sequence[str], row: Row) -> Iterator[tuple[str, str]]:
    """Yields the two lines of each cell of a row: name and unit, the selected set, each baseline."""
    unit = unit_of(row.metric)
    if row.interval is None and not any(row.differences.values()):
        yield _with_unit(row.metric), ""
        yield f"{_value(row, SELECTED, None)} {_NO_INTERVAL}", ""
        yield from ((_value(row, name, None), "") for name in pools)
        return
    error = None if row.interval is None else row.interval.standard_error
    yield row.metric, f"  {unit_text(unit)}"
    yield _value(row, SELECTED, error), interval_text(row.interval, row.metric)
    for name in pools:
        yield _value(row, name, error), _difference_text(row, name)


def _value(row: Row, pool: str, error: float | None) -> str:
    value, unit = row.values.get(pool), unit_of(row.metric)
    if is_cost(row.metric):
        return cost_text(value, unit, certain_decimals(error, unit))
    return metric_text(value, unit) if error is None else certain_text(value, error, unit)


def _difference_text(row: Row, baseline: str) -> str:
    interval, unit = row.differences.get(baseline), unit_of(row.metric)
    if interval is None:
        return _NO_INTERVAL
    gained = row.difference(baseline)
    if gained == interval.lower == interval.upper == 0.0:
        return "0"  # the same pool
    shown = None if gained is None else shown_value(row.metric, gained)
    text = certain_text(shown, interval.standard_error, unit, signed=True)
    return f"{text} {interval_text(interval, row.metric)}"


def interval_text(interval: Interval | None, metric: str) -> str:
    """Returns the interval of a value or a difference as it is displayed: that of a cost with the other sign."""
    if interval is None:
        return _NO_INTERVAL
    shown = sorted(shown_value(metric, end) for end in (interval.lower, interval.upper))
    ends = (certain_text(end, interval.standard_error, unit_of(metric)).removeprefix("+") for end in shown)
    return "[" + ", ".join(ends) + "]"


def comparison_legend(comparison: Comparison) -> Iterator[Text]:
    """Yields what brackets and dashes of the tables mean."""
    if not any(row.interval is not None for split in comparison.splits for row in comparison.shown_rows(split)):
        return
    lines = [
        f"Brackets: {100 * comparison.level:.0f} % bootstrap intervals.",
        "Below a baseline: the selected set minus the baseline, on the same resampled days.",
        f"{_NO_INTERVAL}: no interval, because the metric is not a function of daily values.",
    ]
    if comparison.chosen_by is not None:
        lines.append("The intervals ignore the selection: on the data used for it, the selected set looks too good.")
    yield Text("\n".join(lines), style="dim")


def beaten_text(comparison: Comparison) -> str | None:
    """Returns a sentence on the baselines that beat the selected set on the split that chose it; None if none does.

    Figures have as many digits as their difference allows, and more only if they would look the same.
    """
    beaten, rows = comparison.beaten_by(), comparison.deciding_rows()
    if not beaten:
        return None
    figures = [_figures(row, beaten) for row, _ in rows]
    better = "a baseline beats" if len(beaten) == 1 else f"{len(beaten)} baselines beat"
    return f"On {comparison.chosen_by} data, used for selection, {better} the selected set: {'; '.join(figures)}."


def _figures(row: Row, baselines: Sequence[str]) -> str:
    """Returns the values of baselines and of the selected set in words, with enough digits to differ."""
    unit, found = unit_of(row.metric), [row.differences.get(name) for name in baselines]
    errors = [interval.standard_error for interval in found if interval is not None]
    text = cost_text if is_cost(row.metric) else metric_text
    most = certain_decimals(None, unit)
    for decimals in range(certain_decimals(min(errors, default=None), unit), most + 1):
        ours, *theirs = (text(row.values.get(name), unit, decimals) for name in (SELECTED, *baselines))
        if ours not in theirs:
            break
    named = [f"{_SHOWN.get(name, name)} {shown}" for name, shown in zip(baselines, theirs, strict=True)]
    return f"{_listed(named)} against {ours} [{_with_unit(row.metric)}]"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def gain_line(comparison: Comparison) -> str:
    """Returns a line with the gain of a set over its start on every split, and the interval of the difference.

    Args:
        comparison: comparison of one metric with the start as the only baseline; see :func:`quantsim.report.compare_gain`.
    """
    (start,) = (name for name in comparison.baselines if name != HODL)
    parts = []
    for split in comparison.splits:
        row = split.row(comparison.objective)
        if row is None or row.values.get(start) is None:
            continue
        unit, interval = unit_of(row.metric), row.differences.get(start)
        error = None if interval is None else interval.standard_error
        difference = row.difference(start)
        gained = certain_text(
            None if difference is None else shown_value(row.metric, difference), error, unit, signed=True
        )
        ends = "" if interval is None else f" {interval_text(interval, row.metric)}"
        before, after = (_value(row, pool, error) for pool in (start, SELECTED))
        parts.append(f"{split.split} {before} to {after} ({gained}{ends})")
    return f"{'; '.join(parts)} [{_with_unit(comparison.objective)}]"


def _with_unit(metric: str) -> str:
    unit = unit_text(unit_of(metric))
    return f"{metric}, {unit}" if unit else metric


def comparison_notes(comparison: Comparison, command: str = "quantsim simulate --from KEY") -> tuple[str, ...]:
    """Returns a sentence on missing baselines and daily returns, and how to compute them.

    Args:
        comparison: the comparison.
        command: command that evaluates the set and the baselines.
    """
    if not comparison.unknown:
        return ()
    what = _listed(comparison.unknown)
    return (f"Not stored: {what}. The run was imported or made by an older version. `{command}` computes them.",)


def comparison_markdown(comparison: Comparison) -> Iterator[str]:
    """Returns the lines of the same tables in Markdown."""
    for split in comparison.splits:
        pools = _known(comparison, split)
        yield f"**{_title(comparison, split)}**"
        yield ""
        heading = ("metric", "selected", *(_SHOWN.get(name, name) for name in pools))
        yield from map(_markdown_row, (heading, (":---", *("---:",) * (len(heading) - 1))))
        for row in comparison.shown_rows(split):
            cells = (first + (f"<br>{second.strip()}" if second else "") for first, second in _cells(pools, row))
            yield _markdown_row(list(cells))
        yield ""
    yield from (str(line).replace("\n", " ") for line in comparison_legend(comparison))


def comparison_html(comparison: Comparison) -> str:
    """Returns the same tables in HTML, for a notebook."""
    parts = []
    for split in comparison.splits:
        pools = _known(comparison, split)
        heading = "".join(f"<th>{escape(_SHOWN.get(name, name))}</th>" for name in ("metric", "selected", *pools))
        rows = "".join(
            "<tr>" + "".join(map(_html_cell, _cells(pools, row))) + "</tr>" for row in comparison.shown_rows(split)
        )
        parts.append(f"<p>{escape(_title(comparison, split))}</p><table><tr>{heading}</tr>{rows}</table>")
    legend = "<br>".join(escape(str(line)).replace("\n", "<br>") for line in comparison_legend(comparison))
    return "".join(parts) + f"<small>{legend}</small>"


def _html_cell(lines: tuple[str, str]) -> str:
    first, second = (escape(line.strip()) for line in lines)
    return f"<td>{first}" + (f"<br><small>{second}</small>" if second else "") + "</td>"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
