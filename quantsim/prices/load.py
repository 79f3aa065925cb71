"""Loads :class:`~quantsim.prices.table.Prices` by token names and a source, and lists the content of a source."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.errors import PriceError, reason_of
from quantsim.prices.align import RawSeries, align, regularize
from quantsim.prices.files import KINDS, is_price_file, stem_of
from quantsim.prices.gap import Gap
from quantsim.prices.instants import Stamps, Time, check_stamps
from quantsim.prices.names import check_tokens, find_names, token_of
from quantsim.prices.read import read_columns, read_single
from quantsim.prices.synthetic.block_bootstrap import BlockBootstrap
from quantsim.prices.synthetic.source import is_synthetic, made, parsed, relocated
from quantsim.prices.table import Origin, Prices
from quantsim.prices.time_grid import check_bar_minutes

__all__ = ["BUNDLED_FORWARD_FILL_BARS", "Coverage", "available", "load_prices", "origin_of"]

logger = logging.getLogger(__name__)

BUNDLED = "bundled"
BUNDLED_FOLDER = Path(__file__).parent / "bundled"
# The longest gap of the bundled data: EOS on 2019-01-07, when the exchange was closed for 10 bars of 30 minutes.
BUNDLED_FORWARD_FILL_BARS = 10


@dataclass(frozen=True)
class Coverage:
    """The data of one token in a source.

    Attributes:
        token: name of the token.
        path: the file.
        first: stamp of the first price, ``datetime64[s]`` in UTC.
        last: stamp of the last price.
        bar_minutes: bar length, the most common spacing of the stamps.
        n_bars: number of bars with a price.
        gaps: runs of missing bars between ``first`` and ``last``.
    """

    token: str
    path: Path
    first: np.datetime64
    last: np.datetime64
    bar_minutes: int
    n_bars: int
    gaps: tuple[Gap, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON values; a gap has its first missing bar and the number of bars."""
        return {
            "token": self.token,
            "file": str(self.path),
            "first": f"{self.first}Z",
            "last": f"{self.last}Z",
            "bar_minutes": self.bar_minutes,
            "n_bars": self.n_bars,
            "gaps": [{"first": f"{gap.first}Z", "n_bars": gap.n_bars} for gap in self.gaps],
        }


def load_prices(
    tokens: Sequence[str],
    source: str | Path = BUNDLED,
    *,
    start: Time | None = None,
    end: Time | None = None,
    bar_minutes: int | None = None,
    forward_fill_bars: int | None = None,
    stamps: Stamps = "end",
) -> Prices:
    """Loads the prices of tokens on one regular UTC grid.

    Args:
        tokens: names, each once; the table keeps their order.
        source: ``"bundled"``, a folder with one file per token (``BTC.parquet``, ``btc.csv``, ``BTC_USD.csv``), one
            file (wide: a time column and one column per token; long: time, token, close; or a file for a single token), or
            synthetic prices such as ``"synthetic:gbm?seed=1"`` (:mod:`quantsim.prices.synthetic`).
        start: first stamp, without a zone UTC; ``None`` for the earliest stamp that all tokens have.
        end: end of the range, exclusive; ``None`` for the latest stamp that all tokens have.
        bar_minutes: bar length of the table in minutes, a multiple of that of every file; ``None`` for the bar length of the
            files, which must then be equal. Longer bars take the price at their stamps.
        forward_fill_bars: longest gap, in bars of the file, that may be filled with the last price before it; ``None`` for 0
            (bundled data: 10). A gap that overlaps the range counts with its full length.
        stamps: what the stamps of the files mark: the ``"end"`` of a bar, when its close is known, or its ``"start"``, as in
            the candles of most exchanges. Start stamps are moved to the end of the bar, so that no price is known too early.
            A convention that a file states itself (a column ``open_time`` or ``close_time``) takes precedence, with a
            warning if ``stamps`` differs.

    Raises:
        PriceError: tokens are unknown, repeated or missing; a file is missing or malformed; stamps are duplicate, unordered
            or off the grid; a price is not positive and finite; bar lengths differ; the data does not cover the range; or a
            gap is too long. The message names the file, the row (counted from 1, without the header) and the remedy.

    Example:
        >>> load_prices(["ETH", "BTC"], start="2018-01-01", end="2019-01-01", bar_minutes=60).n_bars
        8760
    """
    names = check_tokens(tokens)
    if is_synthetic(source):
        whole = _synthetic(names, str(source), forward_fill_bars, stamps)
        coarse = whole if bar_minutes is None else whole.resample(bar_minutes)
        origin = origin_of(source, bar_minutes=bar_minutes, forward_fill_bars=forward_fill_bars, stamps=stamps)
        return coarse.between(start, end).loaded_from(origin)
    bundled = _is_bundled(source)
    _check_stamps(stamps, bundled)
    only_bar = None if bar_minutes is None else check_bar_minutes(bar_minutes)
    origin = origin_of(source, bar_minutes=bar_minutes, forward_fill_bars=forward_fill_bars, stamps=stamps)
    raws = _raw_series(names, source)
    series = [regularize(raw, only_bar_minutes=only_bar, stamps=stamps) for raw in raws]
    lengths = sorted({one.grid.bar_minutes for one in series})
    if len(lengths) > 1 and stamps == "end" and not all(raw.convention for raw in raws):
        logger.warning(
            "%s has bars of %s min, and stamps = 'end' treats each price as known at its stamp; if the stamps mark the starts "
            "of bars, that looks ahead: set stamps = 'start'",
            source,
            " and ".join(map(str, lengths)),
        )
    table = align(
        series,
        bar_minutes=bar_minutes,
        start=start,
        end=end,
        forward_fill_bars=origin.forward_fill_bars,
        log_level=logging.INFO if bundled else logging.WARNING,  # the gaps of the bundled data are documented
    )
    prices = Prices(table.grid.times(), table.prices, names, table.grid.bar_minutes, table.gaps, str(source))
    return prices.loaded_from(origin)


def origin_of(source: str | Path, *, bar_minutes: int | None, forward_fill_bars: int | None, stamps: str) -> Origin:
    """Returns the origin of prices that :func:`load_prices` would load with these arguments. Reads no file."""
    bundled = _is_bundled(source)
    if is_synthetic(source):
        place = relocated(str(source), os.path.abspath)
        return Origin(place, bar_minutes, forward_fill_bars or 0, stamps)
    if forward_fill_bars is None:
        forward_fill_bars = BUNDLED_FORWARD_FILL_BARS if bundled else 0
    is_place = not bundled and "://" not in str(source)
    place = os.path.abspath(_path_of(source)) if is_place else str(source)
    return Origin(place, bar_minutes, forward_fill_bars, stamps)


def available(source: str | Path = BUNDLED, *, stamps: Stamps = "end") -> tuple[Coverage, ...]:
    """Lists the tokens in a source, with file, range, bar length and gaps.

    Args:
        source: as in :func:`load_prices`.
        stamps: as in :func:`load_prices`; ranges and gaps refer to the ends of the bars.

    Raises:
        PriceError: the source does not exist, or one of its price files is malformed.
    """
    _check_stamps(stamps, _is_bundled(source))
    if is_synthetic(source):
        return _of_synthetic(str(source), stamps)
    covered = []
    for raw in _raw_series(None, source):
        series = regularize(raw, stamps=stamps)
        gaps, times = series.gaps(), series.grid.times()
        present = series.grid.n_bars - sum(gap.n_bars for gap in gaps)
        covered.append(
            Coverage(raw.token, Path(raw.where), times[0], times[-1], series.grid.bar_minutes, present, gaps)
        )
    return tuple(covered)


def _of_synthetic(source: str, stamps: Stamps) -> tuple[Coverage, ...]:
    """Lists the tokens that a synthetic source resamples; one row for a source that has prices of every token."""
    recipe = made(*parsed(source))
    if isinstance(recipe, BlockBootstrap):
        tokens = tuple(covered.token for covered in available(recipe.source, stamps=stamps))
        grid = _synthetic(tokens, source, None, stamps).grid
    else:
        tokens, grid = ("any token",), recipe.grid
    times = grid.times()
    return tuple(
        Coverage(token, Path(source), times[0], times[-1], grid.bar_minutes, grid.n_bars, ()) for token in tokens
    )


def _synthetic(tokens: tuple[str, ...], source: str, forward_fill_bars: int | None, stamps: Stamps) -> Prices:
    """Returns all prices of a synthetic source."""
    try:
        recipe = made(*parsed(source))
        if isinstance(recipe, BlockBootstrap):
            return recipe.prices(
                tokens, functools.partial(load_prices, forward_fill_bars=forward_fill_bars, stamps=stamps)
            )
        check_stamps(stamps)
        if stamps == "start":
            raise PriceError("synthetic prices are stamped at the end of their bars; leave stamps at 'end'")
        return recipe.prices(tokens)
    except PriceError as error:
        error.add_note(f"in the source {source!r}")
        raise


def _check_stamps(stamps: Stamps, bundled: bool) -> None:
    check_stamps(stamps)
    if bundled and stamps == "start":
        raise PriceError("the bundled prices are stamped at the end of their bars; leave stamps at 'end'")


def _is_bundled(source: str | Path) -> bool:
    return isinstance(source, str) and source == BUNDLED


def _path_of(source: str | Path) -> Path:
    if not str(source).strip():
        raise PriceError("the price source is empty; give a folder, a file, or 'bundled'")
    try:
        return Path(source).expanduser()
    except RuntimeError as error:
        raise PriceError(f"price source {str(source)!r}: there is no such user; write the whole path") from error


def _raw_series(tokens: tuple[str, ...] | None, source: str | Path) -> list[RawSeries]:
    """Returns the raw columns of the tokens, or of all there are, in order."""
    try:
        path = BUNDLED_FOLDER if _is_bundled(source) else _path_of(source)
        if path.is_file():
            if not is_price_file(path):
                raise PriceError(f"{path} is not a price file; its name must end in {KINDS}")
            return read_columns(path, tokens)
        if not path.is_dir():
            raise PriceError(f"price source {str(source)!r} does not exist; give a file, a folder, or 'bundled'")
        files = sorted(file for file in path.iterdir() if is_price_file(file))
    except OSError as error:
        raise PriceError(f"price source {str(source)!r} cannot be read: {reason_of(error)}") from error
    if not files:
        raise PriceError(f"{path} holds no price file; add one per token, such as BTC.parquet or BTC.csv")
    if tokens is None:
        return [read_single(file, token_of(stem_of(file))) for file in files]
    stems = find_names(tokens, dict.fromkeys(map(stem_of, files)), str(path))
    return [read_single(_file_of(token, stem, files), token) for token, stem in stems.items()]


def _file_of(token: str, stem: str, files: Sequence[Path]) -> Path:
    found = [file for file in files if stem_of(file) == stem]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise PriceError(f"token {token!r} is ambiguous in {found[0].parent}: {names}; keep one of them")
    return found[0]
