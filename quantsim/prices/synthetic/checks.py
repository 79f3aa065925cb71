"""Checks of the parameters of synthetic prices; messages name key, value and remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TypeAlias

import numpy as np

from quantsim.errors import PriceError, nearest
from quantsim.limits import MOST_COUNT
from quantsim.prices.instants import MINUTE_US, Time, microseconds, text
from quantsim.prices.time_grid import TimeGrid, check_bar_minutes

__all__ = ["PerToken", "check_number", "check_per_token", "check_seed", "check_time", "grid_between", "value_of"]

PerToken: TypeAlias = float | Mapping[str, float]
"""One number for all tokens, or token → number."""

LARGEST_SEED = 2**63 - 1


def check_seed(seed: object) -> None:
    """Raises PriceError unless the seed is a whole number from 0 to 2⁶³ - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= LARGEST_SEED:
        raise PriceError(f"seed = {seed!r} must be a whole number, 0 or more")


def check_number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Raises PriceError unless a value is a number from ``low`` to ``high``; with ``above``, larger than ``low``."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    number = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if not (low < number if above else low <= number) or number > high:
        raise PriceError(
            f"{name} = {value!r} must be a number {'above' if above else 'of at least'} {low:g} and at most {high:g}"
        )


def check_per_token(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Raises PriceError unless a number, or each number of a table of tokens, is in range."""
    if isinstance(value, Mapping):
        if not value:
            raise PriceError(f"{name} is an empty table: give a number, or one for each token")
        for token, number in value.items():
            check_number(f"{name}.{token}", number, low, high, above=above)
    else:
        check_number(name, value, low, high, above=above)


def value_of(name: str, value: PerToken, token: str) -> float:
    """Returns the number of a token.

    Raises:
        PriceError: the value is a table without this token.
    """
    if not isinstance(value, Mapping):
        return float(value)
    if token not in value:
        raise PriceError(f"{name} has no number for {token!r}; {nearest(token, value)} Add {name}.{token}")
    return float(value[token])


def check_time(name: str, value: object) -> None:
    """Raises PriceError unless a value is a time."""
    if not isinstance(value, str | date | np.datetime64):  # datetimes are dates
        raise PriceError(
            f"{name} = {value!r} must be a date, such as 2018-01-31, or a date and a time, in quotes or not"
        )
    microseconds(value, name)


def grid_between(start: Time, end: Time, bar_minutes: int) -> TimeGrid:
    """Returns the grid of the stamps in ``[start, end)``.

    Raises:
        PriceError: a time is not a stamp of bars of this length, or there are no bars, or more than 10 million.
    """
    bar = check_bar_minutes(bar_minutes) * MINUTE_US
    first, stop = microseconds(start, "start"), microseconds(end, "end")
    for name, stamp in (("start", first), ("end", stop)):
        if stamp % bar:
            raise PriceError(
                f"{name} = {text(stamp)} is not a stamp of {bar_minutes}-minute bars, which begin at midnight UTC: take "
                f"{text(stamp // bar * bar)}, or shorter bars (bar_minutes)"
            )
    n_bars = (stop - first) // bar
    if not 1 < n_bars <= MOST_COUNT:
        raise PriceError(
            f"start = {text(first)} and end = {text(stop)} (exclusive) hold {max(n_bars, 0):,} bars of {bar_minutes} min: "
            f"give 2 to {MOST_COUNT:,}"
        )
    return TimeGrid(first // MINUTE_US, int(n_bars), bar_minutes)
