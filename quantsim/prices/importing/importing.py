"""Imports price files: reads, checks and merges the pieces of each token, and writes one Parquet file per token."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries, RegularSeries, regularize
from quantsim.prices.importing.find import Found, find_files, says_another_token, token_of_file
from quantsim.prices.importing.merge import Thinned, merge, thinned
from quantsim.prices.importing.ohlcv_json import read_ohlcv_json
from quantsim.prices.importing.report import ImportedFile, ImportedToken, ImportReport, covered, report_of
from quantsim.prices.importing.write import check_folder, check_token, path_for, write_prices
from quantsim.prices.instants import StampConvention, Stamps, check_stamps
from quantsim.prices.names import base_of, check_tokens
from quantsim.prices.read import read_columns
from quantsim.prices.time_grid import check_bar_minutes

__all__ = ["Progress", "import_prices"]

Progress = Callable[[int, int, str], None]
"""Called with the number of files that are done, their total, and the name of the last one."""

_AS_GIVEN = "stamps as given"


@dataclass(frozen=True, eq=False)
class _Piece:
    """The rows of one token in one file. ``series`` is None for a single row, which shows no bar length."""

    thinned: Thinned
    n_rows: int
    convention: StampConvention
    series: RegularSeries | None

    def regular(self, bar_minutes: int) -> RegularSeries:
        """Returns the prices on bars of this length."""
        stamps = self.convention.stamps
        return self.series or regularize(self.thinned.raw, only_bar_minutes=bar_minutes, stamps=stamps)

    def described(self) -> ImportedFile:
        raw, found = self.thinned.raw, self.convention
        length = None if self.series is None else self.series.grid.bar_minutes
        return ImportedFile(
            *(raw.where, self.n_rows, raw.unit, found.stamps, found.why, length),
            n_repeated=self.thinned.n_repeated,
            reordered=self.thinned.reordered,
        )


def import_prices(
    paths: Sequence[str | Path],
    folder: str | Path = "prices",
    *,
    tokens: Sequence[str] | None = None,
    token: str | None = None,
    stamps: Stamps | None = None,
    bar_minutes: int | None = None,
    overwrite: bool = False,
    progress: Progress = lambda done, total, name: None,
) -> ImportReport:
    """Reads downloaded price files, and writes one checked file per token into a folder, which is a source of prices.

    Files are CSV, also compressed, Parquet, Feather, or the JSON of ccxt. A token may come in pieces, such as one file per
    month, and from several sources: the first file that has a price for a bar counts. Of several rows of a file for one bar,
    the last one counts. Rows may be in any order. Files that cannot be read are errors, and then nothing is written.

    Args:
        paths: files, folders and archives, in order of preference.
        folder: where ``BTC.parquet`` and so on are written, stamped at the ends of bars.
        tokens: the tokens to import; None for all. Files with another token in their names are not read.
        token: the token of all files, if it is not in their names.
        stamps: ``"start"`` or ``"end"`` of bars, for files that do not state what their stamps mark.
        bar_minutes: bar length of the files to import, in minutes. Files of other bar lengths are skipped.
        overwrite: whether to replace files of the same tokens in the folder.
        progress: called after each file.

    Raises:
        PriceError: there is no price file; a file is malformed, or does not state its token or what its stamps mark; files of a
            token have different bar lengths; a token is missing; or the folder holds prices of a token already.
    """
    if stamps is not None:
        check_stamps(stamps)
    bar_minutes = None if bar_minutes is None else check_bar_minutes(bar_minutes)
    wanted = None if tokens is None else check_tokens(tokens)
    target = Path(folder).expanduser()
    check_folder(target)
    with _quiet():
        pieces = _pieces(find_files([Path(path) for path in paths]), wanted, token, stamps, progress)
        names = wanted or tuple(sorted(pieces))
        chosen = {name: _of_one_bar(name, pieces.get(name, []), bar_minutes) for name in names}
        for name in names:
            check_token(name, target, overwrite=overwrite)
        merged = {name: _merged(name, own, length, target) for name, (own, length) in chosen.items()}
        for series, _ in merged.values():
            write_prices(series, target)
        skipped = [
            (piece.thinned.raw.where, piece.series.grid.bar_minutes)
            for name, (_, length) in chosen.items()
            for piece in pieces[name]
            if piece.series is not None and piece.series.grid.bar_minutes != length
        ]
        return report_of(target, [described for _, described in merged.values()], skipped)


def _pieces(
    files: Sequence[Found],
    wanted: Sequence[str] | None,
    token: str | None,
    stamps: Stamps | None,
    progress: Progress,
) -> dict[str, list[_Piece]]:
    """Reads all files. Returns token → its pieces, in the order of the files."""
    spelt = {name.casefold(): name for name in wanted or ()}
    pieces: dict[str, list[_Piece]] = {}
    for done, file in enumerate(files, 1):
        if wanted is not None and token is None and says_another_token(file.stem, wanted):
            continue
        for raw in _read(file, token):
            name = spelt.get(raw.token.casefold(), raw.token)
            if wanted is None or name in wanted:
                pieces.setdefault(name, []).append(_piece(replace(raw, token=name), stamps))
        progress(done, len(files), str(file))
    return pieces


def _read(file: Found, token: str | None) -> list[RawSeries]:
    """Returns the columns of a file, each with the name of its token and of the file."""

    def named(_: str) -> str:
        return token_of_file(file.stem) if token is None else token

    with file.unpacked() as path:
        try:
            is_json = path.name.lower().endswith(".json")
            found = read_ohlcv_json(path, named) if is_json else read_columns(path, None, token_of_stem=named)
        except PriceError as error:
            if file.member is not None:
                error.add_note(f"in {file}")
            raise
    others = [raw.token for raw in found if token is not None and base_of(raw.token) != token]
    if others:
        raise PriceError(f"{file} says that it holds {others[0]}, not {token}; leave the token out")
    return [replace(raw, token=token or base_of(raw.token), where=str(file)) for raw in found]


def _piece(raw: RawSeries, stamps: Stamps | None) -> _Piece:
    convention = raw.convention
    if convention is None:
        if stamps is None:
            raise PriceError(
                f"{raw.where} does not say whether its stamps mark the start or the end of bars. Nearly all exchanges stamp "
                "candles at the start: if this file does, too, give --stamps start, else --stamps end (in Python stamps=). A "
                "wrong choice shifts all prices by a bar, and start taken as end looks ahead"
            )
        convention = StampConvention(stamps, _AS_GIVEN)
    one = thinned(raw)
    single = one.raw.times_us.size == 1
    series = None if single else regularize(one.raw, stamps=convention.stamps)
    return _Piece(one, raw.times_us.size, convention, series)


def _of_one_bar(token: str, pieces: list[_Piece], bar_minutes: int | None) -> tuple[list[_Piece], int]:
    """Returns the pieces with the requested bar length, or all, which must then have the same; and the length."""
    if not pieces:
        raise PriceError(f"no file holds prices of {token}; correct the token, or add its file")
    lengths = {piece.series.grid.bar_minutes: piece for piece in reversed(pieces) if piece.series is not None}
    if bar_minutes is None and len(lengths) > 1:
        found = ", ".join(f"{length} min ({lengths[length].thinned.raw.where})" for length in sorted(lengths))
        raise PriceError(
            f"the files of {token} have different bars: {found}; choose one with --bar, such as --bar {min(lengths)}m (in "
            "Python bar_minutes=)"
        )
    target = bar_minutes or next(iter(lengths), None)
    if target is None:
        raise PriceError(f"{pieces[0].thinned.raw.where} has one row, which shows no bar length; give it with --bar 1d")
    chosen = [piece for piece in pieces if piece.series is None or piece.series.grid.bar_minutes == target]
    singles = [piece for piece in chosen if piece.series is None]
    if singles and set(lengths) - {target}:
        raise PriceError(
            f"{singles[0].thinned.raw.where} has one row, which shows no bar length, and other files have different ones; "
            "import files of one bar length at a time"
        )
    if not chosen:
        found = ", ".join(f"{length} min" for length in sorted(lengths))
        raise PriceError(f"no file of {token} has bars of {bar_minutes} min: they have {found}")
    return chosen, target


def _merged(token: str, pieces: list[_Piece], bar_minutes: int, folder: Path) -> tuple[RegularSeries, ImportedToken]:
    series, n_repeated, between = merge([piece.regular(bar_minutes) for piece in pieces])
    inside = [piece.thinned.disagreement for piece in pieces if piece.thinned.disagreement is not None]
    described = ImportedToken(
        covered(series, path_for(token, folder)),
        tuple(piece.described() for piece in pieces),
        n_repeated + sum(piece.thinned.n_repeated for piece in pieces),
        (*inside, *between),
    )
    return series, described


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the warnings of reading files: the report says the same, once for all files of a token."""
    logger = logging.getLogger("quantsim.prices")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
