"""Tables of an import of prices: what was read, and where files disagree."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from quantsim.prices.importing import ImportedToken, ImportReport
from quantsim.report.layout import plain_table
from quantsim.report.tables import stamp_text

__all__ = ["disagreements_table", "files_table", "notes_on"]

_LONG_GAP_MINUTES = 1440
_MOST_SKIPPED = 3


def files_table(report: ImportReport) -> Table:
    """Returns one row per token: its files, rows, unit and meaning of stamps, and repeated rows."""
    table = plain_table("Files")
    for name in ("token", "files", "rows", "unit of stamps", "stamps mark", "repeated"):
        table.add_column(name, justify="right" if name in ("files", "rows", "repeated") else "left")
    for one in report.tokens:
        table.add_row(
            one.coverage.token,
            f"{len(one.files)}",
            f"{sum(file.n_rows for file in one.files):,}",
            _all_of(file.unit for file in one.files),
            _all_of(f"{file.stamps} ({file.why})" for file in one.files),
            f"{one.n_repeated:,}",
        )
    return table


def disagreements_table(report: ImportReport) -> Table:
    """Returns one row per pair of files whose prices differ, with the largest relative difference and its place."""
    table = plain_table("Disagreements")
    for name in ("token", "kept", "left out", "bars", "largest", "at (UTC)"):
        table.add_column(name, justify="right" if name in ("bars", "largest") else "left", overflow="fold")
    for one in report.tokens:
        for found in one.disagreements:
            other = "an earlier row" if found.other == found.kept else found.other
            at = stamp_text(found.at)
            table.add_row(
                one.coverage.token, found.kept, other, f"{found.n_bars:,}", f"{100 * found.largest:.2g} %", at
            )
    return table


def notes_on(report: ImportReport) -> Iterator[str]:
    """Yields what else a reader of the report should know, one line each."""
    if report.skipped:
        names = ", ".join(f"{name} ({length} min)" for name, length in report.skipped[:_MOST_SKIPPED])
        more = len(report.skipped) - _MOST_SKIPPED
        yield f"Skipped, as bars have another length: {names}{f' and {more} more' if more > 0 else ''}."
    for one in report.tokens:
        if any(file.reordered for file in one.files):
            yield f"{one.coverage.token}: rows were not in chronological order, and were sorted."
        yield from _long_gaps(one)
    if report.problem is not None:
        yield f"The tokens cannot be loaded together: {report.problem}"


def _long_gaps(one: ImportedToken) -> Iterator[str]:
    gap = max(one.coverage.gaps, key=lambda gap: gap.n_bars, default=None)
    if gap is not None and gap.minutes > _LONG_GAP_MINUTES:
        yield (
            f"{one.coverage.token}: the longest gap begins at {stamp_text(gap.first)} and lasts {gap.minutes / 1440:.1f} days. "
            "Filled, it is a constant price: a file may be missing."
        )


def _all_of(texts: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
