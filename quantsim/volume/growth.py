"""How the fees of elastic noise volume make a pool grow.

Noise trades leave a share of their value in the pool, and multiply all its reserves by one factor, as noise in proportion to
arbitrage does. Without costs that are fixed amounts, arbitrage trades in proportion to the reserves, so a pool with noise has
``x[v]`` times the reserves of the same pool without noise. That pool is computed as ever, and ``x`` follows from it. With the
volume of :class:`~quantsim.volume.model.VolumeModel`, and the pool's value ``V`` without noise after visit ``v-1``, ``x`` obeys
``dx/dt = c x^b`` until visit ``v``, with

    c[v] = fee (1 - f) A (V/$1M)^b exp(-ε (fee/fee₀ - 1)) (σ/σ₀)^d / V,

a Bernoulli equation, whose solution needs no loop: ``x[v]^(1-b) = 1 + (1-b) Σ_{u≤v} c[u] Δt[u]``. All of
``c[v]`` is known at visit ``v-1``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quantsim.device import device_array
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.volume.model import REFERENCE_TVL, VolumeShape

if TYPE_CHECKING:
    from quantsim.volume.model import VolumeModel

__all__ = ["VolumeInputs", "log_growth", "log_volatility", "volume_inputs"]

_LEAST_VOLATILITY = 1e-3  # of the reference


class VolumeInputs(NamedTuple):
    """Elastic volume as arguments of the compiled program.

    Attributes:
        exposure: (T,) days of average volume that pass in each bar of the market.
        coefficients: (D, 4) coefficients of each draw, in the order of :data:`~quantsim.volume.model.COEFFICIENTS`, with the
            logarithm of the volume.
        reference_fee: () fee at which they hold.
        reference_volatility: () volatility at which they hold.
    """

    exposure: Array
    coefficients: Array
    reference_fee: Array
    reference_volatility: Array


def volume_inputs(
    model: VolumeModel, n_draws: int, first_bar: np.datetime64, bar_minutes: int, n_bars: int
) -> VolumeInputs:
    """Returns the arguments for a market of ``n_bars`` bars, the first of which ends at ``first_bar``, in UTC."""
    minute = int((first_bar - first_bar.astype("datetime64[D]")) / np.timedelta64(1, "m"))
    return VolumeInputs(
        device_array(model.exposure(minute, bar_minutes, n_bars)),
        device_array(model.coefficients(n_draws)),
        device_array(np.asarray(model.reference_fee)),
        device_array(np.asarray(model.reference_volatility)),
    )


def log_volatility(log_prices: Array, n_bars: int, bars_per_day: float, reference: Array) -> Array:
    """Returns the logarithm of volatility over a reference at every bar, (T,), from the ``n_bars`` returns up to the bar.

    The first bars have fewer returns; the first, which has none, has the reference.

    Args:
        log_prices: (T, n) log prices.
        n_bars: number of returns.
        bars_per_day: bars per day.
        reference: reference volatility, per square root of a day.
    """
    returns, n = jnp.diff(log_prices, axis=0), log_prices.shape[-1]
    # The mean over all pairs of tokens of the squared return of the ratio of their prices.
    squares = n * jnp.sum(returns**2, axis=-1) - jnp.sum(returns, axis=-1) ** 2
    summed = jnp.concatenate([jnp.zeros(1), jnp.cumsum(squares * (2.0 / (n * (n - 1))))])
    bars = np.arange(log_prices.shape[0])
    begins = np.maximum(bars - n_bars, 0)
    variance = (summed - summed[begins]) * bars_per_day / np.maximum(bars - begins, 1)
    variance = jnp.where(bars > 0, variance, reference**2)
    return 0.5 * jnp.log(jnp.maximum(variance / reference**2, _LEAST_VOLATILITY**2))


def log_growth(
    values: Array,
    swap_fee: Array,
    kept: Array,
    log_volatility: Array,
    days: Array,
    volume: VolumeInputs,
    shape: VolumeShape,
) -> Array:
    """Returns ``log x``, the logarithm of the factor by which noise has multiplied the reserves at each visit, (V,).

    Over draws it is the logarithm of the mean of ``x``, or the path of the draw at a quantile of ``x`` at the last visit;
    between two draws the mean of their ``x``, with the weights of a linear interpolation.

    Args:
        values: (V,) pool value without noise at each visit, after its trades, in USD.
        swap_fee: fee after each visit, () or (V,).
        kept: share of the fee that stays in the pool, ``1 - f``, () or (V,).
        log_volatility: (V,) log of volatility over the reference.
        days: (V - 1,) days of average volume that pass between visits.
        volume: the model.
        shape: static properties of the model.
    """
    fee, kept, values = (jnp.broadcast_to(each, log_volatility.shape)[:-1] for each in (swap_fee, kept, values))
    log_value = jnp.log(values / REFERENCE_TVL)
    income, relative = fee * kept * days / values, fee / volume.reference_fee - 1.0

    def path(draw: Array) -> Array:
        level, to_value, to_fee, to_volatility = draw
        log_volume = level + to_value * log_value - to_fee * relative + to_volatility * log_volatility[:-1]
        flow = jnp.concatenate([jnp.zeros(1), jnp.cumsum(income * jnp.exp(log_volume))])
        bend = 1.0 - to_value
        curved = jnp.abs(bend) > 1e-9
        safe = jnp.where(curved, bend, 1.0)
        return jnp.where(curved, jnp.log1p(safe * flow) / safe, flow)

    draws = jnp.asarray(volume.coefficients)
    if draws.shape[0] == 1:
        return path(draws[0])
    if shape.quantile is None:
        return _log_mean(path, draws)
    ends = jax.lax.map(lambda draw: path(draw)[-1], jax.lax.stop_gradient(draws))
    order, place = jnp.argsort(jax.lax.stop_gradient(ends)), shape.quantile * (draws.shape[0] - 1)
    below = int(place)
    share = place - below
    lower = path(draws[order[below]])
    if share == 0.0:
        return lower
    return jnp.logaddexp(np.log1p(-share) + lower, np.log(share) + path(draws[order[below + 1]]))


def _log_mean(path: Callable[[Array], Array], draws: Array) -> Array:
    """Returns the logarithm of the mean of ``exp(path)`` over draws, one draw at a time, as all would take much memory."""

    @jax.checkpoint
    def add(total: Array, draw: Array) -> tuple[Array, None]:
        return total + jnp.exp(path(draw)), None

    first = jnp.exp(path(draws[0]))
    total: Array = jax.lax.scan(add, first, draws[1:])[0]
    return jnp.log(total / draws.shape[0])
