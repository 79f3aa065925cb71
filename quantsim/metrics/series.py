"""Functions that metric families share: returns, blocks of days, and quotients with a defined result at 0.

The functions take arrays of JAX or of NumPy with any leading axes, and return the same kind. Under one ``jit``, equal calls by
several metrics are computed once. At a kink or a pole they use the "double where": the argument is also replaced inside the
unused branch, so that this branch cannot make the gradient nan.
"""

from __future__ import annotations

from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.metrics.sample import Sample, SampleShape

__all__ = [
    "annualised",
    "blocks",
    "constant",
    "daily_log_returns",
    "deviation",
    "drawdowns",
    "log_returns",
    "namespace",
    "percentile",
    "period_return",
    "ratio",
    "root",
    "simple_returns",
    "undefined",
]


LARGEST_EXPONENT = 700.0  # of e; float64 overflows at 709.8
SMALLEST_RISK = 1e-150


def namespace(values: Any) -> Any:
    """Returns the module of functions for an array: ``numpy`` for one of NumPy, else ``jax.numpy``."""
    return np if isinstance(values, np.ndarray | np.generic) else jnp


def undefined(sample: Sample) -> Array:
    """Returns nan, shape (): the value of a metric that is undefined for the shape of the sample."""
    xp = namespace(sample.start_value)
    nan: Array = xp.full_like(sample.start_value, xp.nan)
    return nan


def simple_returns(values: Array) -> Array:
    """Returns ``v[t]/v[t-1] - 1`` along the last axis: (..., m) to (..., m - 1)."""
    return values[..., 1:] / values[..., :-1] - 1.0


def daily_log_returns(sample: Sample) -> Array:
    """Returns ``log V[t+1] - log V[t]`` of the values at each day's first bar, (..., D) to (..., D-1)."""
    return log_returns(sample.daily_values)


def log_returns(values: Array) -> Array:
    """Returns ``log v[t+1] - log v[t]`` along the last axis: (..., m) to (..., m - 1)."""
    found: Array = namespace(values).log(values[..., 1:] / values[..., :-1])
    return found


def blocks(bar_values: Array, shape: SampleShape, block_days: int) -> Array:
    """Returns the complete blocks of ``block_days`` days: (..., T) to (..., n_blocks, block_days·B); the rest is dropped."""
    n_blocks, block_bars = shape.n_blocks(block_days), block_days * shape.bars_per_day
    return bar_values[..., : n_blocks * block_bars].reshape(*bar_values.shape[:-1], n_blocks, block_bars)


def percentile(values: Array, percent: float) -> Array:
    """Returns the ``percent``-th percentile along the last axis, with linear interpolation; nan if a value is nan."""
    found: Array = namespace(values).percentile(values, percent, axis=-1)
    return found


@overload
def drawdowns(values: NDArray[np.float64]) -> NDArray[np.float64]: ...


@overload
def drawdowns(values: Array) -> Array: ...


def drawdowns(values: Any) -> Any:
    """Returns ``v / running max - 1`` along the last axis; same shape, at most 0."""
    return values / _running_max(values) - 1.0


def _running_max(values: Array) -> Array:
    """Returns the running maximum along the last axis; for arrays of JAX, by a look-up at the position of the maximum.

    The gradient of a look-up is one scatter. The gradient of ``lax.cummax`` takes a hundred times longer to compile.
    """
    if namespace(values) is np:
        return cast(Array, np.maximum.accumulate(values, axis=-1))
    last = values.ndim - 1
    at_maximum = values >= jax.lax.cummax(jax.lax.stop_gradient(values), axis=last)
    position = jax.lax.cummax(jnp.where(at_maximum, jnp.arange(values.shape[last]), 0), axis=last)
    return jnp.take_along_axis(values, position, axis=last)


def annualised(growth: Array, periods_per_year: float) -> Array:
    """Returns ``growth^periods_per_year - 1`` for a growth factor (1 plus the return) per period.

    Beyond ``exp(700)``, which the return of a few minutes can reach, it is + infinity with gradient 0.
    """
    xp = namespace(growth)
    overflows = periods_per_year * xp.log(constant(growth)) > LARGEST_EXPONENT
    power = xp.power(xp.where(overflows, 1.0, growth), periods_per_year)
    compounded: Array = xp.where(overflows, xp.inf, power) - 1.0
    return compounded


def period_return(sample: Sample, shape: SampleShape) -> Array:
    """Returns ``(V[-1]/V[0])^y - 1``, the sample's return annualised by its ``D = T/B`` days, ``y = 365/D``.

    ``T`` bars count as ``T`` steps here, while ``annualised_returns`` counts ``T - 1``. Kept for comparability: it is the
    numerator of calmar, sterling and the block raroc.
    """
    return annualised(sample.end_value / sample.start_value, shape.samples_per_year)


def root(square: Array) -> Array:
    """Returns the square root of ``square >= 0``; at 0 its gradient is 0, not infinity or nan."""
    xp, regular = namespace(square), square != 0.0
    positive: Array = xp.where(regular, xp.sqrt(xp.where(regular, square, 1.0)), 0.0)
    return positive


def deviation(values: Array) -> Array:
    """Returns the population standard deviation (``ddof = 0``) along the last axis; at 0 its gradient is 0."""
    return root(namespace(values).var(values, axis=-1))


def ratio(reward: Array, risk: Array) -> Array:
    """Returns ``reward / risk``. If ``risk`` is 0: 0 if ``reward`` is 0, else ± infinity with the sign of ``reward``.

    The gradient is 0 if ``risk`` is 0. nan in either argument gives nan. An absolute risk below 1e-150 counts as 0, because
    its square has no finite reciprocal.
    """
    xp = namespace(risk)
    regular = ~(xp.abs(risk) < SMALLEST_RISK)
    limit = xp.where(reward > 0.0, xp.inf, xp.where(reward < 0.0, -xp.inf, reward))
    quotient: Array = xp.where(regular, reward / xp.where(regular, risk, 1.0), constant(limit))
    return quotient


def constant(values: Array) -> Array:
    """Returns the values without their gradient."""
    return values if namespace(values) is np else jax.lax.stop_gradient(values)
