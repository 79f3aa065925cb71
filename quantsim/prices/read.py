"""Reads a price file into raw, unchecked columns of times and prices, by token.

The columns of a file show which of three layouts it has. *Single*: a time and a price; the file's name is the token.
*Long*: a time, a token and a price, one row for each pair of time and token. *Wide*: a time, and a price column per token.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.align import RawSeries
from quantsim.prices.cells import ends_of_bars, numbers_of, texts_of, times_of, unit_text
from quantsim.prices.files import stem_of
from quantsim.prices.header import TIME_NAMES, normal
from quantsim.prices.instants import StampConvention, row_text, text
from quantsim.prices.labels import check_labels, check_member, symbols_of
from quantsim.prices.layout import Layout, first_of, layout_of, listed_columns, no_price
from quantsim.prices.names import find_names, token_of, tokens_of

__all__ = ["Named", "read_columns", "read_named", "read_single"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Named:
    """Columns of given names.

    Attributes:
        times_us: ``(N,)`` stamps, UTC microseconds since 1970.
        convention: stamp convention that the file states; None if it states none.
        columns: name → ``(N,)``, float64 or ``str``.
    """

    times_us: NDArray[np.int64]
    convention: StampConvention | None
    columns: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Times:
    """The time column of a file: UTC microseconds ``(N,)``, the convention that the file states, and the unit."""

    us: NDArray[np.int64]
    convention: StampConvention | None
    unit: str


def read_single(path: Path, token: str) -> RawSeries:
    """Returns the prices of a file that holds one token.

    Raises:
        PriceError: the file has no time or price column, their content is invalid, or the file states that its prices are
            those of another token or not in dollars.
    """
    layout = layout_of(path)
    if layout.price is None and layout.sheet.labels:
        raise PriceError(
            f"{path} holds several tokens ({', '.join(layout.columns)}); give the file itself as the source, not its folder"
        )
    if layout.price is None:
        raise no_price(layout.sheet)
    check_labels(layout, token)
    check_member(path, token)
    times, (prices,) = _read(layout, [layout.price])
    return RawSeries(token, str(path), times.us, prices, convention=times.convention, unit=times.unit)


def read_columns(
    path: Path, tokens: Sequence[str] | None, *, token_of_stem: Callable[[str], str] = token_of
) -> list[RawSeries]:
    """Returns the prices of several tokens from one file, in the given order.

    Args:
        path: a file of any of the three layouts.
        tokens: the tokens; ``None`` for all tokens of the file, named by :func:`token_of`.
        token_of_stem: names the token of a file that holds one, from the name of the file, if ``tokens`` is ``None``.

    Raises:
        PriceError: the file is malformed, or a token is not in it.
    """
    layout = layout_of(path)
    named = layout.label is not None or layout.base is not None
    if layout.price is None:
        if named:
            raise no_price(layout.sheet)
        return _read_wide(layout, tokens)
    if named:
        return _read_long(layout, tokens)
    stem = stem_of(path)
    chosen = [token_of_stem(stem)] if tokens is None else list(find_names(tokens, [stem], str(path)))
    return [read_single(path, token) for token in chosen]


def read_named(
    path: Path, *, numbers: Sequence[str] = (), texts: Sequence[str] = (), optional: Sequence[str] = ()
) -> Named:
    """Returns the times of a file and its columns of the given names. Case does not matter.

    Args:
        path: a file with a time column.
        numbers: columns of numbers, each ``(N,)`` float64; NaN where a cell is empty.
        texts: columns of text, each ``(N,)`` of ``str``; ``""`` where a cell is empty.
        optional: columns that may be missing. All cells of a missing column are empty.

    Raises:
        PriceError: the file cannot be read, or a column is missing or of the wrong type.
    """
    layout = layout_of(path)
    sheet = layout.sheet
    found = {name: first_of((name,), sheet) for name in (*numbers, *texts)}
    missing = [name for name, column in found.items() if column is None and name not in optional]
    if missing:
        raise PriceError(
            f"{path} has no column {missing[0]!r}: its columns are {listed_columns(sheet)}; name one of them so"
        )
    held = {name: column for name, column in found.items() if column is not None}
    times, values = _read(layout, [held[name] for name in numbers if name in held], of_bars=False)
    columns: dict[str, NDArray[Any]] = dict(zip((name for name in numbers if name in held), values, strict=True))
    for name in texts:
        if name in held:
            cells = texts_of(sheet.read({held[name]: "text"})[0], layout.where(held[name]))
            columns[name] = np.array(cells.fill_null("").to_pylist(), object)
    for name in (*numbers, *texts):
        empty = np.full(times.us.size, np.nan) if name in numbers else np.full(times.us.size, "", object)
        columns.setdefault(name, empty)
    return Named(times.us, times.convention, columns)


def _read(
    layout: Layout, positions: Sequence[int], *, of_bars: bool = True
) -> tuple[_Times, list[NDArray[np.float64]]]:
    """Returns the times of a file, and columns of numbers.

    ``of_bars`` says that each row is a bar.
    """
    sheet = layout.sheet
    bars = [sheet.names.index(name) for name in ("open", "high", "low", "close")] if sheet.assumed else []
    wanted = list(dict.fromkeys([layout.time, *positions, *bars]))
    read = sheet.read({at: "time" if at == layout.time else "number" for at in wanted})
    columns = dict(zip(wanted, read, strict=True))
    times = times_of(columns[layout.time], layout.where(layout.time))
    numbers = {at: numbers_of(columns[at], layout.path, sheet.names[at]) for at in wanted if at != layout.time}
    name = sheet.names[layout.time]
    stamps = TIME_NAMES.get(normal(name))
    convention = None if stamps is None else StampConvention(stamps, f"its column {name!r}")
    if sheet.assumed:
        _check_bars(layout.path, *(numbers[at] for at in bars))
        logger.warning("%s has no header line: its columns are taken as %s", layout.path, ", ".join(sheet.names))
        convention = StampConvention("start", "the shape of its rows")
    ends = ends_of_bars(times) if of_bars and stamps != "start" else None
    if ends is not None:
        times, convention = ends, StampConvention("end", f"a time such as {text(int(times[0]))}")
    unit = unit_text(columns[layout.time])
    return _Times(times, convention, unit), [numbers[at] for at in positions]


def _check_bars(path: Path, opens: Any, highs: Any, lows: Any, closes: Any) -> None:
    """Raises PriceError if the values of a file without a header line contradict the recognised format."""
    bad = (highs < np.maximum(opens, closes)) | (lows > np.minimum(opens, closes))
    if bad.any():
        row = int(np.argmax(bad))
        raise PriceError(
            f"{path} has no header line, and in {row_text(row)} the columns 2 to 5 cannot be open, high, low and close; write "
            "a line above the data that names its columns"
        )


def _read_wide(layout: Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    path, sheet = layout.path, layout.sheet
    if not layout.columns:
        raise PriceError(
            f"{path} has no price column beside {sheet.names[layout.time]!r}; add one per token, or one named close"
        )
    names, where = layout.columns, str(path)
    chosen = tokens_of(names, where) if tokens is None else find_names(tokens, names, where)
    times, prices = _read(layout, [layout.columns[name] for name in chosen.values()])
    return [
        RawSeries(token, str(path), times.us, column, convention=times.convention, unit=times.unit)
        for token, column in zip(chosen, prices, strict=True)
    ]


def _read_long(layout: Layout, tokens: Sequence[str] | None) -> list[RawSeries]:
    import pyarrow.compute as pc

    path = layout.path
    symbols = symbols_of(layout)
    names = symbols.unique().to_pylist()
    chosen = tokens_of(names, str(path)) if tokens is None else find_names(tokens, names, str(path))
    times, (prices,) = _read(layout, [layout.price or 0])
    series = []
    for token, name in chosen.items():
        rows = np.flatnonzero(pc.equal(symbols, name).to_numpy(zero_copy_only=False))
        series.append(RawSeries(token, str(path), times.us[rows], prices[rows], rows, times.convention, times.unit))
    return series
