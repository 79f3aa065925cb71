"""Geometric Brownian motion: log prices with independent normal steps, without any pattern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.errors import PriceError
from quantsim.prices.instants import Time
from quantsim.prices.names import check_tokens
from quantsim.prices.synthetic.arithmetic import exponential, standard_normals, stream
from quantsim.prices.synthetic.checks import (
    PerToken,
    check_number,
    check_per_token,
    check_seed,
    check_time,
    grid_between,
    value_of,
)
from quantsim.prices.table import Prices
from quantsim.prices.time_grid import TimeGrid

__all__ = ["HOURS_PER_YEAR", "Gbm", "gbm"]


HOURS_PER_YEAR = 365 * 24
_HOURLY = 0.008
_LARGEST_LOG = 300.0


@dataclass(frozen=True, kw_only=True)
class Gbm:
    """Parameters of correlated geometric Brownian motions, one per token.

    Over ``h`` hours the log price changes by ``drift·h + volatility·sqrt(h)·(sqrt(ρ)·c + sqrt(1-ρ)·e)``. ``c`` is common to all
    tokens, ``e`` is the token's own, and both are standard normal and independent of all other steps.

    The price at ``start`` is ``start_price``. Steps are drawn from there on, for each token from its own stream. So neither a
    later ``end`` nor other tokens change the prices of a token.

    Attributes:
        seed: seed of all random numbers.
        volatility_per_hour: standard deviation of the log return of an hour; 0.008 unless a volatility is given.
        volatility_per_year: the same for 365 days, instead.
        drift_per_year: mean of the log return of 365 days. It is ``μ - σ²/2`` for a mean growth ``μ`` of the price.
        correlation: correlation ``ρ`` of the log returns of any two tokens.
        start_price: price at ``start``.
        start: first stamp.
        end: end of the range, exclusive.
        bar_minutes: length of a bar, in minutes.

    Raises:
        PriceError: a value is invalid.
    """

    kind: ClassVar[str] = "gbm"

    seed: int = 0
    volatility_per_hour: PerToken | None = None
    volatility_per_year: PerToken | None = None
    drift_per_year: PerToken = 0.0
    correlation: float = 0.0
    start_price: PerToken = 100.0
    start: Time = "2017-10-01"
    end: Time = "2019-10-01"
    bar_minutes: int = 60

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.volatility_per_hour is not None and self.volatility_per_year is not None:
            raise PriceError(
                f"volatility_per_hour = {self.volatility_per_hour} and volatility_per_year = {self.volatility_per_year} both "
                "set the volatility: give one of them"
            )
        if self.volatility_per_hour is not None:
            check_per_token("volatility_per_hour", self.volatility_per_hour, 0.0, 1.0)
        if self.volatility_per_year is not None:
            check_per_token("volatility_per_year", self.volatility_per_year, 0.0, 100.0)
        check_per_token("drift_per_year", self.drift_per_year, -100.0, 100.0)
        check_number("correlation", self.correlation, 0.0, 1.0)
        check_per_token("start_price", self.start_price, 0.0, 1e12, above=True)
        check_time("start", self.start)
        check_time("end", self.end)
        grid_between(self.start, self.end, self.bar_minutes)

    @property
    def grid(self) -> TimeGrid:
        """The stamps."""
        return grid_between(self.start, self.end, self.bar_minutes)

    def prices(self, tokens: Sequence[str]) -> Prices:
        """Returns the prices of tokens.

        Raises:
            PriceError: a token is not a valid name, a parameter has no value for it, or its price becomes too large or small.
        """
        names, grid = check_tokens(tokens), self.grid
        common = standard_normals(stream(self.seed, "common"), grid.n_bars - 1)
        columns = [self._column(token, common, grid.bar_minutes / 60.0) for token in names]
        return Prices(grid.times(), np.stack(columns, axis=1), names, grid.bar_minutes, source=f"synthetic:{self.kind}")

    def _column(self, token: str, common: FloatArray, hours: float) -> FloatArray:
        """Returns the prices of one token, (T,)."""
        own = standard_normals(stream(self.seed, "own", token), common.size)
        shocks = math.sqrt(self.correlation) * common + math.sqrt(1.0 - self.correlation) * own
        steps = self._volatility(token) * math.sqrt(hours) * shocks + self._drift(token, common.size, hours) * hours
        log_prices = np.append(0.0, np.cumsum(steps))
        if (np.abs(log_prices) > _LARGEST_LOG).any():
            raise PriceError(f"the price of {token} leaves the range of numbers: lower its volatility or drift")
        return value_of("start_price", self.start_price, token) * exponential(log_prices)

    def _volatility(self, token: str) -> float:
        """Returns the standard deviation of the log return of an hour."""
        if self.volatility_per_year is not None:
            return value_of("volatility_per_year", self.volatility_per_year, token) / math.sqrt(HOURS_PER_YEAR)
        hourly = _HOURLY if self.volatility_per_hour is None else self.volatility_per_hour
        return value_of("volatility_per_hour", hourly, token)

    def _drift(self, token: str, n_steps: int, hours: float) -> FloatArray:
        """Returns the mean of the log return of an hour in every step, (n_steps,)."""
        return np.full(n_steps, value_of("drift_per_year", self.drift_per_year, token) / HOURS_PER_YEAR)


def gbm(tokens: Sequence[str], **parameters: Any) -> Prices:
    """Returns prices that follow geometric Brownian motions.

    Args:
        tokens: names, each once.
        **parameters: the attributes of :class:`Gbm`.

    Raises:
        PriceError: a parameter or a token is invalid.

    Example:
        >>> gbm(["A", "B"], seed=1, volatility_per_hour=0.008, start="2020-01-01", end="2020-02-01").prices.shape
        (744, 2)
    """
    return Gbm(**parameters).prices(tokens)
