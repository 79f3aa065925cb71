"""The recursion of a reCLAMM pool as a compiled kernel, with its adjoint; for the CPU.

It does what :mod:`quantsim.pools.reclamm.range_scan` does with a loop of XLA, which remains the reference.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.kernels import Kernel
from quantsim.pools.reclamm.range_scan import Shifting

__all__ = ["kernel_balances"]

_MODULE = "quantsim.pools.reclamm.range_lanes"
_FORWARD, _ADJOINT = Kernel(4, _MODULE, "forward", 2), Kernel(5, _MODULE, "adjoint", 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def kernel_balances(
    initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting
) -> tuple[Array, Array]:
    """Returns balances after every visit, (T, 4), and the value of the arbitrageurs' effective input, (T,).

    Arguments as for :func:`quantsim.pools.reclamm.range_scan.scanned_balances`.
    """
    path = jax.ShapeDtypeStruct((prices.shape[0], 4), prices.dtype)  # type: ignore[no-untyped-call]
    balances, volume = _FORWARD([path, _like(prices[:, 0])], initial, prices, shifts, costs, _options(shifting))
    return balances, volume


def _options(shifting: Shifting) -> Array:
    return jnp.asarray([*map(float, shifting)])


def _like(array: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)  # type: ignore[no-untyped-call]


_Residual = tuple[Array, Array, Array, Array, Array, Array]


def _forward(
    initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting
) -> tuple[tuple[Array, Array], _Residual]:
    found = kernel_balances(initial, prices, shifts, costs, shifting)
    return found, (initial, prices, shifts, costs, *found)


def _backward(
    shifting: Shifting, residual: _Residual, cotangents: tuple[Array, Array]
) -> tuple[Array, Array, Array, Array]:
    initial, prices, shifts, costs, path, volume = residual
    results = [_like(array) for array in (initial, prices, shifts, costs)]
    of_initial, of_prices, of_shifts, of_costs = _ADJOINT(
        results, initial, prices, shifts, costs, _options(shifting), path, volume, *cotangents
    )
    return of_initial, of_prices, of_shifts, of_costs


kernel_balances.defvjp(_forward, _backward)
