"""Trading hours: pools that trade in the first minutes of each chunk only, and hold their reserves otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import Bars
from quantsim.errors import ConfigError
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters.parameter import in_group
from quantsim.pools.market import FeeRates
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.steering import SteeredSettings, check_steering
from quantsim.pools.steered.weights import Steering
from quantsim.settings.kinds import Minutes

__all__ = [
    "HoursSettings",
    "check_hours",
    "growth_between",
    "last_visits",
    "open_rates",
    "opening",
    "visit_bars",
    "with_hours",
]

Kind = TypeVar("Kind", bound=Steering)

_PROHIBITIVE = 2.0 * (1.0 - 2.0**-53)
"""Cost of arbitrage at which nobody trades unless a price moves by the factor ``e^37`` from one visit to the next."""


class HoursSettings(SteeredSettings):
    """Settings of a pool's weights, and of the hours in which it trades.

    ``minimum_weight`` is ``0.1/n`` by default. A bound is one number, or one per token.
    """

    trading_minutes: Minutes | None = None
    """Minutes from the start of each chunk in which the pool trades, and is frozen otherwise; by default always."""

    def is_closed_at_times(self, chunk_minutes: int) -> bool:
        """Whether the pool is frozen for a part of each chunk."""
        return self.trading_minutes is not None and self.trading_minutes < chunk_minutes


def check_hours(view: PoolView, human: Mapping[str, NDArray[np.float64]]) -> None:
    """Raises ValueError as :func:`check_steering`, or if the trading hours are longer than a chunk."""
    check_steering(view, human)
    minutes, chunk = cast(HoursSettings, view.pool).trading_minutes, view.update.chunk_minutes
    if minutes is not None and minutes > chunk:
        raise ValueError(f"{view.told('trading_minutes')} must not exceed update.chunk_minutes = {chunk}")


def with_hours(steering: Kind, view: PoolView, bar_minutes: int) -> Kind:
    """Returns the steering with the pool's trading hours.

    Raises:
        ConfigError: they are not a whole number of bars.
    """
    own = cast(HoursSettings, view.pool)
    minutes = own.trading_minutes
    if minutes is None or not own.is_closed_at_times(view.update.chunk_minutes):
        return steering
    if minutes % bar_minutes:
        where = in_group(f"subsidiaries.{view.group}" if view.group else "pool", "trading_minutes")
        raise ConfigError(f"{where} = {minutes} must be a multiple of the {bar_minutes}-minute bars of the prices")
    return replace(steering, trading_bars=minutes // bar_minutes)


def opening(steering: Steering, n_bars: int) -> NDArray[np.bool_]:
    """Returns whether the pool may trade at each bar of a window, which begins with a chunk, (T,)."""
    return _is_open(steering, np.arange(n_bars))


def _is_open(steering: Steering, bars: Bars) -> NDArray[np.bool_]:
    return bars % steering.chunk_bars < (steering.trading_bars or steering.chunk_bars)


def visit_bars(steering: Steering, n_bars: int, stride: int) -> Bars:
    """Returns the bars of a window at which arbitrageurs visit an open pool, (V,); the first is bar 0."""
    bars = np.arange(0, n_bars, stride)
    return bars[_is_open(steering, bars)]


def last_visits(steering: Steering, bars: Bars, stride: int) -> Bars:
    """Returns for each of the bars the last one of :func:`visit_bars` that is not later."""
    visits = visit_bars(steering, int(bars.max(initial=0)) + 1, stride)
    return visits[np.searchsorted(visits, bars, side="right") - 1]


def open_rates(rates: FeeRates, steering: Steering, n_bars: int) -> FeeRates:
    """Returns rates with which nobody trades while the pool is closed: there, arbitrage costs all that it trades."""
    if not steering.trading_bars:
        return rates
    return rates._replace(arb_fee=jnp.where(opening(steering, n_bars), rates.arb_fee, _PROHIBITIVE))


def growth_between(weights: Array, log_prices: Array, visits: Bars, stride: int) -> Array:
    """Returns the log values of a pool without fees at its visits, relative to the first, (V,).

    At a visit arbitrageurs trade at the new prices against the weights ``u`` of one stride before, then against the new ones.
    From the visit with weights ``w`` to the next, with ``w'``, the log value grows by ``u·ΔL - KL(u ‖ w) - KL(w' ‖ u)``.

    Args:
        weights: (T, n) weights at every bar.
        log_prices: (T, n) log prices.
        visits: bars of the visits.
        stride: bars between the visits of a pool that always trades.
    """
    now, old = weights[visits], weights[visits[1:] - stride]
    gain = jnp.sum(old * jnp.diff(log_prices[visits], axis=0), axis=-1)
    loss = _divergence(old, now[:-1]) + _divergence(now[1:], old)
    return jnp.concatenate([jnp.zeros(1, weights.dtype), jnp.cumsum(gain - loss)])


def _divergence(of: Array, from_: Array) -> Array:
    """Returns the Kullback-Leibler divergence of weights from others, (...,)."""
    return jnp.sum(of * jnp.log1p((of - from_) / from_), axis=-1)
