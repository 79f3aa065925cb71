"""The pass of a pool that charges fees as a compiled kernel, with its adjoint; for the CPU.

It does what :mod:`quantsim.pools.weighted.fee_path` does with XLA's loops, which remain the reference: for accelerators, and
where kernels are not available.
"""

from __future__ import annotations

from quantsim.kernels import Kernel, result_like
from quantsim.lazy_jax import Array, custom_vjp, jax, jnp
from quantsim.pools.market import FeeRates, band, kept_fee, pool_gain

__all__ = ["fee_kernels", "kernel_pass"]

_MODULE = "quantsim.pools.weighted.{}_lanes"
_TWO_TOKENS = Kernel(0, _MODULE.format("two_token"), "forward", 2), Kernel(1, _MODULE.format("two_token"), "adjoint", 1)
_ANY_TOKENS = Kernel(2, _MODULE.format("any_token"), "forward", 2), Kernel(3, _MODULE.format("any_token"), "adjoint", 1)


def fee_kernels(n_tokens: int) -> tuple[Kernel, Kernel]:
    """Returns the kernels of the pass and of its adjoint."""
    return _TWO_TOKENS if n_tokens == 2 else _ANY_TOKENS


def kernel_pass(initial: Array, log_prices: Array, weights: Array, rates: FeeRates) -> tuple[Array, Array]:
    """Returns log reserves at the end of every bar, (T, n), and the value of the arbitrageurs' effective input, (T,).

    Args:
        initial: (n,) log reserves at the first bar, in units of value at the prices that ``log_prices`` is relative to.
        log_prices: (T, n) relative log prices.
        weights: (T, n) weights, or (1, n) if they never move.
        rates: fees and costs, () or (T,).
    """
    columns = (  # in the order of trade_lanes.py
        band(rates),
        pool_gain(rates),
        rates.noise_trader_ratio * kept_fee(rates),
        rates.swap_fee,
        rates.arb_fee,
        rates.gas_cost,
    )
    return _pass(initial, log_prices, weights, jnp.stack(jnp.broadcast_arrays(*map(jnp.atleast_1d, columns)), axis=-1))


def _run(initial: Array, log_prices: Array, weights: Array, costs: Array) -> tuple[Array, Array]:
    forward, _ = fee_kernels(initial.shape[0])
    results = [*map(result_like, (log_prices, log_prices[:, 0])), *_scratch(log_prices, 2)]
    path, volume, *_ = forward(results, initial, log_prices, weights, _logs(weights), costs)
    return path, volume


def _scratch(log_prices: Array, n_rows: int) -> list[jax.ShapeDtypeStruct]:
    """Returns the scratch space of a kernel for any number of tokens, in rows."""
    n_tokens = log_prices.shape[1]
    return [] if n_tokens == 2 else [jax.ShapeDtypeStruct((n_rows, n_tokens), log_prices.dtype)]  # type: ignore[no-untyped-call]


def _logs(weights: Array) -> Array:
    """Returns the logarithms that a kernel reads: of the ratio of two weights, or of every weight."""
    return jnp.log(weights[:, 0] / weights[:, 1]) if weights.shape[1] == 2 else jnp.log(weights)


_Residual = tuple[Array, Array, Array, Array]


def _forward(initial: Array, log_prices: Array, weights: Array, costs: Array) -> tuple[tuple[Array, Array], _Residual]:
    path, volume = _pass(initial, log_prices, weights, costs)
    return (path, volume), (log_prices, weights, costs, path)


def _backward(residual: _Residual, cotangents: tuple[Array, Array]) -> tuple[Array, Array, Array, Array]:
    log_prices, weights, costs, path = residual
    _, adjoint = fee_kernels(log_prices.shape[1])
    results = [*map(result_like, (path[0], log_prices, weights, costs)), *_scratch(log_prices, 5)]
    of_initial, of_prices, of_weights, of_costs, *_ = adjoint(
        results, log_prices, weights, _logs(weights), costs, path, *cotangents
    )
    return of_initial, of_prices, of_weights, of_costs


_pass = custom_vjp(_run, _forward, _backward)
