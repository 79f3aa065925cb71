"""Exogenous swaps: their times, the tokens in and out, and one of the two amounts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError, nearest
from quantsim.prices.instants import MINUTE_US, microseconds_of, row_text, text
from quantsim.prices.read import read_named
from quantsim.prices.series import check_source

__all__ = ["Trades", "load_trades"]


@dataclass(frozen=True, eq=False)
class Trades:
    """``N`` exogenous swaps in chronological order. Each row gives one amount; the other is NaN, and the pool computes it.

    Attributes:
        times: ``(N,)`` stamps, ``datetime64[us]`` in UTC; any time format of price tables. Equal times keep their order.
        token_in: ``(N,)`` names of the tokens that the pool receives.
        token_out: ``(N,)`` names of the tokens that the pool pays.
        amount_in: ``(N,)`` amounts that the pool receives, in tokens, including the fee; NaN if the amount out is given.
        amount_out: ``(N,)`` amounts that the pool pays, in tokens; NaN if the amount in is given.
        source: name of the source, for messages.

    Raises:
        PriceError: lengths differ, times are not chronological, a token is swapped for itself, or a row does not give exactly
            one positive, finite amount. The message names the row.
    """

    times: NDArray[np.datetime64]
    token_in: tuple[str, ...]
    token_out: tuple[str, ...]
    amount_in: NDArray[np.float64]
    amount_out: NDArray[np.float64]
    source: str = field(default="trades")

    def __post_init__(self) -> None:
        stamps = microseconds_of(np.asarray(self.times), self.source)
        amounts = [np.asarray(amount, np.float64) for amount in (self.amount_in, self.amount_out)]
        tokens = [tuple(map(str, names)) for names in (self.token_in, self.token_out)]
        sizes = {stamps.size, *(len(names) for names in tokens), *(amount.size for amount in amounts)}
        if len(sizes) != 1 or any(amount.ndim != 1 for amount in amounts):
            raise PriceError(f"{self.source}: times, tokens and amounts must have one entry per trade each")
        for row in range(stamps.size):
            if problem := _problem(stamps, tokens, amounts, row):
                raise PriceError(f"{self.source}, {row_text(row)}: {problem}")
        names = ("times", "token_in", "token_out", "amount_in", "amount_out")
        for name, value in zip(names, (stamps.view("datetime64[us]"), *tokens, *amounts), strict=True):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """The number of trades, ``N``."""
        return len(self.token_in)

    def bars(self, bars_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the bar of each trade, (N,): the last one at or before its time, or the first."""
        stamps = self.times.astype("datetime64[us]").astype(np.int64)
        return np.maximum(np.searchsorted(bars_us, stamps, side="right") - 1, 0)

    def divided(self, by: NDArray[np.float64]) -> Trades:
        """Returns the trades with amounts divided by ``by``, (N,)."""
        return replace(self, amount_in=self.amount_in / by, amount_out=self.amount_out / by)

    def check_tokens(self, tokens: tuple[str, ...]) -> None:
        """Raises PriceError if a swap has a token that the pool does not hold."""
        for row, names in enumerate(zip(self.token_in, self.token_out, strict=True)):
            for name in names:
                if name not in tokens:
                    raise PriceError(
                        f"{self.source}, {row_text(row)}: the pool has no token {name!r}; {nearest(name, tokens)}"
                    )


def load_trades(source: str | Path, *, delay_minutes: int = 0) -> Trades:
    """Reads exogenous swaps from a file.

    Its columns are a time as in price files, ``token_in``, ``token_out``, ``amount_in`` and ``amount_out``. Each row gives one
    of the amounts. An amount column that no row uses may be missing.

    Args:
        source: the file.
        delay_minutes: delay of a swap after its stamp, in minutes; the bar length if stamps mark the start of bars.

    Raises:
        PriceError: the file cannot be read, lacks a column, or a row is invalid; the message names file and row.
    """
    path = check_source("trades", source)
    amounts = ("amount_in", "amount_out")
    named = read_named(path, numbers=amounts, texts=("token_in", "token_out"), optional=amounts)
    if named.convention is not None:
        raise PriceError(
            f"{path}: its times are those of bars, as {named.convention.why} says, but trades do not belong to bars: "
            "rename the column to time, and set stamps to what it marks"
        )
    times, columns = named.times_us, named.columns
    return Trades(
        (times + delay_minutes * MINUTE_US).view("datetime64[us]"),
        tuple(columns["token_in"]),
        tuple(columns["token_out"]),
        columns["amount_in"],
        columns["amount_out"],
        str(path),
    )


def _problem(
    stamps: NDArray[np.int64], tokens: list[tuple[str, ...]], amounts: list[NDArray[np.float64]], row: int
) -> str | None:
    """Describes what is wrong with a row; None if it is valid."""
    if row and stamps[row] < stamps[row - 1]:
        before = text(int(stamps[row - 1]))
        return f"the time {text(int(stamps[row]))} comes after {before}, which is later; sort the trades by time"
    token_in, token_out = (names[row] for names in tokens)
    if not token_in or not token_out:
        return f"{'token_out' if token_in else 'token_in'} is empty; it must name a token of the pool"
    if token_in == token_out:
        return f"{token_in} is swapped for itself; token_in and token_out must differ"
    given = [amount[row] for amount in amounts if not np.isnan(amount[row])]
    if len(given) != 1:
        shown = "both amount_in and amount_out are given" if given else "neither amount_in nor amount_out is given"
        return f"{shown}; give one of them, and the pool computes the other"
    if not (np.isfinite(given[0]) and given[0] > 0.0):
        return f"the amount is {given[0]}; it must be positive and finite"
    return None
