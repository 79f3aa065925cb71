"""Prices made of resampled blocks of real returns, by the stationary bootstrap (Politis and Romano 1994)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError
from quantsim.prices.instants import MINUTE_US, Time, microseconds
from quantsim.prices.synthetic.arithmetic import stream, uniforms
from quantsim.prices.synthetic.checks import check_number, check_seed, check_time, grid_between
from quantsim.prices.table import Prices
from quantsim.prices.time_grid import DAY_MINUTES, check_bar_minutes

__all__ = ["BlockBootstrap", "block_bootstrap", "resampled_growth", "resampled_rows"]

Load = Callable[..., Prices]


@dataclass(frozen=True, kw_only=True)
class BlockBootstrap:
    """Parameters of prices that are resampled from another source.

    Attributes:
        source: the resampled prices: ``"bundled"``, a folder, or a file.
        seed: seed of all random numbers.
        mean_block_days: mean length of a block, in days.
        source_start: first stamp of the source that is used; None for the first that all tokens have.
        source_end: end of the range of the source that is used, exclusive; None for the last stamp that all tokens have.
        start: first stamp of the prices; None for that of the source.
        end: end of the prices, exclusive; None for as many bars as the source has.
        bar_minutes: length of a bar; None for that of the source.

    Raises:
        PriceError: a value is invalid.
    """

    kind: ClassVar[str] = "block-bootstrap"

    source: str | Path = "bundled"
    seed: int = 0
    mean_block_days: float = 10.0
    source_start: Time | None = None
    source_end: Time | None = None
    start: Time | None = None
    end: Time | None = None
    bar_minutes: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, str | Path) or str(self.source).startswith("synthetic:"):
            raise PriceError(f"source = {self.source!r} must be 'bundled', a folder or a file with real prices")
        check_seed(self.seed)
        _check_block(self.mean_block_days)
        for name in ("source_start", "source_end", "start", "end"):
            if (time := getattr(self, name)) is not None:
                check_time(name, time)
        if self.bar_minutes is not None:
            check_bar_minutes(self.bar_minutes)

    def prices(self, tokens: Sequence[str], load: Load) -> Prices:
        """Returns the prices of tokens.

        Args:
            tokens: names, each once.
            load: ``(tokens, source, *, start, end, bar_minutes) → Prices``, which loads the source.

        Raises:
            PriceError: the source cannot be loaded, or the range is invalid.
        """
        real = load(tokens, self.source, start=self.source_start, end=self.source_end, bar_minutes=self.bar_minutes)
        return block_bootstrap(
            real, seed=self.seed, mean_block_days=self.mean_block_days, start=self.start, end=self.end
        )


def block_bootstrap(
    prices: Prices,
    *,
    seed: int = 0,
    mean_block_days: float = 10.0,
    start: Time | None = None,
    end: Time | None = None,
) -> Prices:
    """Returns prices that are resampled from others, in blocks.

    The price of every bar is the one before times the growth of a bar of the source. All tokens take the same bar, so that they
    depend on each other as in the source. Blocks begin at uniform places, have geometric lengths, and continue at the first
    bar after the last one. Bars are drawn from ``start`` on, so a later ``end`` does not change earlier prices.

    Args:
        prices: the source. The first prices are its first ones.
        seed: seed of all random numbers.
        mean_block_days: mean length of a block, in days.
        start: first stamp; None for that of the source.
        end: end of the range, exclusive; None for as many bars as the source has.

    Raises:
        PriceError: a value is invalid.

    Example:
        >>> from quantsim.prices import load_prices
        >>> real = load_prices(["BTC", "ETH"], start="2018-01-01", end="2019-01-01", bar_minutes=60)
        >>> block_bootstrap(real, seed=3, mean_block_days=5.0).n_bars
        8760
    """
    check_seed(seed)
    _check_block(mean_block_days)
    if prices.n_bars < 2:
        raise PriceError(f"{prices!r} has one bar: resampling needs 2 or more")
    bar = prices.bar_minutes
    first = prices.times[0] if start is None else start
    grid = grid_between(first, _after(first, prices.n_bars * bar) if end is None else end, bar)
    rows = resampled_rows(prices.n_bars - 1, grid.n_bars - 1, mean_block_days * DAY_MINUTES / bar, seed)
    values = prices.prices[0] * resampled_growth(prices.prices, rows)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise PriceError("the resampled prices leave the range of numbers: give an earlier end, or another seed")
    return Prices(grid.times(), values, prices.tokens, bar, source=f"synthetic:block-bootstrap of {prices.source}")


def resampled_rows(n_source: int, n_rows: int, mean_block: float, seed: int, *names: str) -> NDArray[np.int64]:
    """Returns rows of a source drawn by the stationary bootstrap, (n_rows,), each from 0 to ``n_source - 1``.

    Each row continues the block of the one before it, or begins a new block, with probability ``1/mean_block``. ``seed`` and
    ``names`` name the random stream.
    """
    begins = uniforms(stream(seed, "begins", *names), n_rows) * max(mean_block, 1.0) < 1.0
    begins[:1] = True
    places = np.floor(uniforms(stream(seed, "places", *names), n_rows) * n_source).astype(np.int64)
    since = np.maximum.accumulate(np.where(begins, np.arange(n_rows), 0))
    rows: NDArray[np.int64] = (places[since] + np.arange(n_rows) - since) % n_source
    return rows


def resampled_growth(prices: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the growth since the first bar, (n_rows + 1, n), from the growth of these bars of ``prices``, (T, n)."""
    growth = prices[1:] / prices[:-1]
    return np.cumprod(np.concatenate([np.ones((1, prices.shape[1])), growth[rows]]), axis=0)


def _check_block(mean_block_days: float) -> None:
    check_number("mean_block_days", mean_block_days, 0.0, 36_525.0, above=True)


def _after(time: Time, minutes: int) -> np.datetime64:
    return np.datetime64(microseconds(time, "start") + minutes * MINUTE_US, "us")
