"""Metrics on every split, beside the baselines, with intervals: the tables that the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quantsim.report.comparison_tables import comparison_legend, comparison_notes, split_table
from quantsim.report.html.blocks import Block, Section, Table, Text

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["metrics"]


def metrics(content: Content) -> Section:
    """Returns the section."""
    return Section("metrics", "Metrics by split", tuple(_blocks(content)))


def _blocks(content: Content) -> Iterator[Block]:
    comparison = content.comparison
    yield from (Table.of(split_table(comparison, split, narrow=True)) for split in comparison.splits)
    yield from (Text(str(line), "muted") for line in comparison_legend(comparison))
    yield from (Text(line, "muted") for line in comparison_notes(content.comparison))
