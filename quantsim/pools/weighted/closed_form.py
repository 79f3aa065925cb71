r"""The log value of a pool without fees in ``O(chunks)``, from the chunks' ramps and two look-ups in the price sums.

Inside a ramp ``w[j] = a + j·d``, ``j = 0 … m``, so the gain of the price moves is a telescoping sum,

    Σ_{j=1..m} w[j-1]·(L[j] - L[j-1]) = a·(L[m] - L[0]) + d·(m L[m] - Σ_{j=1..m} L[j]),

and the loss of the weight moves, ``Σ_i Σ_j w[j] log(w[j]/w[j-1])``, is ``-Σ_i d_i Σ_{j<m} log w[j]`` plus terms that
telescope. Euler–Maclaurin on ``Σ_{j<m} log(a + j d)`` turns it into values at the two ends of the ramp (the ``Σ_i d_i`` terms
cancel):

    loss = Σ_i ( d/2 · log(w_m/w_0) - Σ_k c_k d^(2k) (w_m^(1-2k) - w_0^(1-2k)) ),   c_k = B_2k / (2k (2k-1)),

Stirling's series. Nothing divides by ``d``, so a constant ramp needs no special case and has a finite gradient. The series is
asymptotic in ``r = |d|/w``; :func:`series_terms` bounds its error from the static properties of the pool. If no number of
terms is exact enough (coarse bars, small weights), the loss is summed over the ramp's bars instead.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.pools.market import Market
from quantsim.pools.steered.weights import Ramps, Steering

__all__ = ["log_values_at", "series_terms"]

# c_k = B_2k / (2k (2k-1)), k = 1, 2, …: the coefficients of Stirling's series for log Γ.
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
    43867 / 244188,
    -174611 / 125400,
)

# Error allowed in the log value of one ramp, in the worst case; a few units in the last place of a weight.
_TOLERANCE = 1e-15


def series_terms(steering: Steering) -> int | None:
    """Returns the number of terms that are exact enough for this pool; None if the loss must be summed directly.

    The error after ``K`` terms is at most the first omitted term, at each end of the ramp and for each token:
    ``2 n d |c_{K+1}| r^(2K+1)`` with ``d = maximum_change`` and ``r = maximum_change / minimum_weight`` (no weight is below
    the guardrail, no step above the speed limit).
    """
    step = steering.maximum_change
    ratio = step / steering.minimum_weight
    for terms in range(len(_STIRLING)):
        if 2 * steering.n_tokens * step * abs(_STIRLING[terms]) * ratio ** (2 * terms + 1) <= _TOLERANCE:
            return terms
    return None


class _Grid(NamedTuple):
    """Static positions of the sample bars: the chunk of each, and the bar inside it."""

    chunk: NDArray[np.int64]
    inside: NDArray[np.int64]


def log_values_at(ramps: Ramps, market: Market, start: Array, bars: NDArray[np.int64], steering: Steering) -> Array:
    """Returns the log pool value at chosen bars, relative to the window's first bar.

    Args:
        ramps: ramps of the window, (M, n).
        market: prices and their sums, (T, n).
        start: () index of the window's first bar.
        bars: (S,) sample bars, counted from the window's first; static.
        steering: steering of a pool with linear ramps, arbitrage at every bar, and no fees.

    Returns:
        (S,) log values.
    """
    grid = _Grid(bars // steering.chunk_bars, bars % steering.chunk_bars)
    n_whole = int(grid.chunk.max(initial=0))
    whole = _Grid(np.arange(n_whole), np.full(n_whole, steering.chunk_bars))
    total = jnp.pad(jnp.cumsum(_increments(ramps, market, start, whole, steering)), (1, 0))[grid.chunk]
    (inside,) = np.nonzero(grid.inside)  # of daily samples, often the last one alone
    if not inside.size:
        return total
    part = _Grid(grid.chunk[inside], grid.inside[inside])
    return total.at[inside].add(_increments(ramps, market, start, part, steering))


def _increments(ramps: Ramps, market: Market, start: Array, grid: _Grid, steering: Steering) -> Array:
    """Returns the change in log value over the first ``grid.inside`` bars of ``grid.chunk``, (S,)."""
    moved = np.minimum(grid.inside, steering.ramp_bars)
    first = start + grid.chunk * steering.chunk_bars
    begin, end = market.log_prices[first], market.log_prices[first + grid.inside]
    # The adjoint of a slice is a copy, that of an index a slow scatter.
    chunks = slice(0, grid.chunk.size) if np.array_equal(grid.chunk, np.arange(grid.chunk.size)) else grid.chunk
    moves = jnp.asarray(moved, ramps.start.dtype)[:, None]
    if market.summed is None:
        raise ValueError("the market has no prefix sums of log prices")
    lag = moves * end - (market.summed[first + moved] - market.summed[first])
    ramp = _Ramp(ramps.start[chunks], ramps.step[chunks], moves, end - begin, lag)
    terms = series_terms(steering) if steering.moves else None
    if terms is not None:
        return _growth_by_series(ramp, terms)
    loss = _direct_loss(ramp, steering.ramp_bars) if steering.moves else 0.0
    return jnp.sum(ramp.weights * ramp.rise + ramp.step * ramp.lag - loss, axis=-1)


class _Ramp(NamedTuple):
    """The first bars of some chunks.

    Attributes:
        weights: (S, n) weights at the first bar.
        step: (S, n) change per bar.
        moves: (S, 1) number of changes, ``m``.
        rise: (S, n) ``L[end] - L[0]``, between the first and the last bar.
        lag: (S, n) ``m L[end] - Σ_{j=1..m} L[j]``.
    """

    weights: Array
    step: Array
    moves: Array
    rise: Array
    lag: Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _growth_by_series(ramp: _Ramp, terms: int) -> Array:
    """Returns the change in log value over each ramp, (S,), with that many terms of the series.

    The adjoint is written by hand: that of autodiff stores half a dozen arrays, and a step of training takes a fifth longer.
    """
    _, log_ratio, (at_start, _), (at_end, _) = _ends(ramp, terms)
    loss = ramp.step * (0.5 * log_ratio - at_end + at_start)
    each = ramp.weights * ramp.rise + ramp.step * ramp.lag - loss
    return jnp.sum(each, axis=-1)


def _growth_forward(ramp: _Ramp, terms: int) -> tuple[Array, _Ramp]:
    return _growth_by_series(ramp, terms), ramp


def _growth_backward(terms: int, ramp: _Ramp, cotangent: Array) -> tuple[_Ramp]:
    end, log_ratio, (at_start, slope_at_start), (at_end, slope_at_end) = _ends(ramp, terms)
    seen = cotangent[:, None]
    of_end = -(ramp.step / end) * (0.5 + slope_at_end)
    of_start = (ramp.step / ramp.weights) * (0.5 + slope_at_start)
    of_step = ramp.lag - 0.5 * log_ratio + (at_end - at_start) + (slope_at_end - slope_at_start)
    return (
        _Ramp(
            seen * (ramp.rise + of_start + of_end),
            seen * (of_step + ramp.moves * of_end),
            jnp.zeros_like(ramp.moves),
            seen * ramp.weights,
            seen * ramp.step,
        ),
    )


_growth_by_series.defvjp(_growth_forward, _growth_backward)


def _ends(ramp: _Ramp, terms: int) -> tuple[Array, Array, tuple[Array, Array], tuple[Array, Array]]:
    """Returns the weights at the end of a ramp, the log of their ratio to the first, and the series at both ends."""
    end = ramp.weights + ramp.moves * ramp.step
    log_ratio = jnp.log(end / ramp.weights)
    return end, log_ratio, _series(ramp.step / ramp.weights, terms), _series(ramp.step / end, terms)


def _series(ratio: Array, terms: int) -> tuple[Array, Array]:
    """Returns ``S(r) = Σ_{k=1..terms} c_k r^(2k-1)`` and ``r S'(r)``, by Horner's rule."""
    square = ratio * ratio
    total = slope = jnp.zeros_like(ratio)
    for k in range(terms, 0, -1):
        total = total * square + _STIRLING[k - 1]
        slope = slope * square + (2 * k - 1) * _STIRLING[k - 1]
    return total * ratio, slope * ratio


def _direct_loss(ramp: _Ramp, ramp_bars: int) -> Array:
    """Returns ``Σ_j w[j] log(w[j]/w[j-1])`` over each ramp, per token, summed over its bars, (S, n)."""
    bar = jnp.arange(ramp_bars, dtype=ramp.weights.dtype)[:, None, None]
    before = ramp.weights + bar * ramp.step
    each = (before + ramp.step) * jnp.log1p(ramp.step / before)
    return jnp.sum(jnp.where(bar < ramp.moves, each, 0.0), axis=0)
