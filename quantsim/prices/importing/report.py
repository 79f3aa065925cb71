"""What an import or a download found and wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantsim.errors import PriceError
from quantsim.prices.align import RegularSeries
from quantsim.prices.importing.merge import Disagreement
from quantsim.prices.instants import Stamps
from quantsim.prices.load import Coverage, load_prices

__all__ = ["ImportReport", "ImportedFile", "ImportedToken", "covered", "report_of"]


@dataclass(frozen=True)
class ImportedFile:
    """A file, or a member of an archive, that prices of a token were read from.

    Attributes:
        name: the file, or ``"archive.zip:member"``.
        n_rows: number of rows of the token.
        unit: how the file writes its stamps: ``"epoch milliseconds"``, ``"dates"`` or ``"text"``.
        stamps: what they mark: the ``"start"`` or the ``"end"`` of bars.
        why: the reason to think so, such as a column name.
        bar_minutes: most common spacing of the stamps; None for a single row.
        n_repeated: rows with the stamp of another row of the file.
        reordered: whether the rows had to be sorted.
    """

    name: str
    n_rows: int
    unit: str
    stamps: Stamps
    why: str
    bar_minutes: int | None
    n_repeated: int
    reordered: bool


@dataclass(frozen=True)
class ImportedToken:
    """A token whose prices were written.

    Attributes:
        coverage: file, range, bars and gaps, as written.
        files: the files that were read, in order of preference.
        n_repeated: prices that were left out because another row or file has the same bar.
        disagreements: repeated bars whose prices differ.
    """

    coverage: Coverage
    files: tuple[ImportedFile, ...]
    n_repeated: int = 0
    disagreements: tuple[Disagreement, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """The result of :func:`import_prices`.

    Attributes:
        folder: where the files were written.
        tokens: the tokens, in order.
        skipped: files of another bar length than the requested one, with that length in minutes.
        sha256: :attr:`~quantsim.prices.Prices.identity` of all tokens on their common range, which ``data.sha256`` of a study
            pins; None if they cannot be loaded together.
        problem: why they cannot be loaded together; None if they can.
    """

    folder: Path
    tokens: tuple[ImportedToken, ...]
    skipped: tuple[tuple[str, int], ...]
    sha256: str | None
    problem: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tokens."""
        return tuple(one.coverage.token for one in self.tokens)

    @property
    def bar_minutes(self) -> int | None:
        """The ``bar_minutes`` that a study needs; None if all tokens have the same bars."""
        lengths = {one.coverage.bar_minutes for one in self.tokens}
        return max(lengths) if len(lengths) > 1 else None

    @property
    def forward_fill_bars(self) -> int:
        """The length of the longest gap: the ``forward_fill_bars`` that a study needs to load the whole range."""
        return max((gap.n_bars for one in self.tokens for gap in one.coverage.gaps), default=0)

    def study_table(self) -> str:
        """Returns the table ``[data]`` of a study that loads these prices and pins them, as TOML."""
        lines = ["[data]", f"source = {json.dumps(str(self.folder))}", f"tokens = {json.dumps(list(self.names))}"]
        if self.bar_minutes is not None:
            lines.append(f"bar_minutes = {self.bar_minutes}")
        if self.forward_fill_bars:
            lines.append(f"forward_fill_bars = {self.forward_fill_bars}")
        if self.sha256 is not None:
            lines.append(f'sha256 = "{self.sha256}"')
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        return {
            "folder": str(self.folder),
            "sha256": self.sha256,
            "problem": self.problem,
            "forward_fill_bars": self.forward_fill_bars,
            "bar_minutes": self.bar_minutes,
            "tokens": [_token_as_json(one) for one in self.tokens],
            "skipped": [{"file": name, "bar_minutes": length} for name, length in self.skipped],
        }


def covered(series: RegularSeries, path: Path) -> Coverage:
    """Describes a token's series as written to a file."""
    gaps, times = series.gaps(), series.grid.times()
    n_bars = series.grid.n_bars - sum(gap.n_bars for gap in gaps)
    return Coverage(series.token, path, times[0], times[-1], series.grid.bar_minutes, n_bars, gaps)


def report_of(folder: Path, tokens: Sequence[ImportedToken], skipped: Sequence[tuple[str, int]] = ()) -> ImportReport:
    """Loads the written files, which checks them, and returns the report with the hash of the prices."""
    report = ImportReport(folder, tuple(tokens), tuple(skipped), None)
    try:
        prices = load_prices(
            report.names, folder, bar_minutes=report.bar_minutes, forward_fill_bars=report.forward_fill_bars
        )
    except PriceError as error:
        return ImportReport(folder, report.tokens, report.skipped, None, str(error))
    return ImportReport(folder, report.tokens, report.skipped, prices.identity)


def _token_as_json(one: ImportedToken) -> dict[str, Any]:
    return {
        **one.coverage.to_json(),
        "n_repeated": one.n_repeated,
        "disagreements": [{**vars(found), "at": f"{found.at}Z"} for found in one.disagreements],
        "files": [dict(vars(file)) for file in one.files],
    }
