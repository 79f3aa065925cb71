"""The recursion of a reCLAMM pool as a compiled kernel, with its adjoint; for the CPU.

It does what :mod:`quantsim.pools.reclamm.range_scan` does with a loop of XLA, which remains the reference.
"""

from __future__ import annotations

from quantsim.kernels import Kernel, result_like
from quantsim.lazy_jax import Array, custom_vjp, jax, jnp
from quantsim.pools.reclamm.range_scan import Shifting

__all__ = ["kernel_balances", "range_kernels"]

_MODULE = "quantsim.pools.reclamm.range_lanes"
_FORWARD, _ADJOINT = Kernel(4, _MODULE, "forward", 2), Kernel(5, _MODULE, "adjoint", 1)


def range_kernels(n_tokens: int) -> tuple[Kernel, Kernel]:
    """Returns the kernels of the recursion and of its adjoint."""
    return _FORWARD, _ADJOINT


def kernel_balances(
    initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting
) -> tuple[Array, Array]:
    """Returns balances after every visit, (T, 4), and the value of the arbitrageurs' effective input, (T,).

    Arguments as for :func:`quantsim.pools.reclamm.range_scan.scanned_balances`.
    """
    return _balances(initial, prices, shifts, costs, shifting)


def _run(initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting) -> tuple[Array, Array]:
    path = jax.ShapeDtypeStruct((prices.shape[0], 4), prices.dtype)  # type: ignore[no-untyped-call]
    balances, volume = _FORWARD([path, result_like(prices[:, 0])], initial, prices, shifts, costs, _options(shifting))
    return balances, volume


def _options(shifting: Shifting) -> Array:
    return jnp.asarray([*map(float, shifting)])


_Residual = tuple[Array, Array, Array, Array, Array, Array]


def _forward(
    initial: Array, prices: Array, shifts: Array, costs: Array, shifting: Shifting
) -> tuple[tuple[Array, Array], _Residual]:
    found = _balances(initial, prices, shifts, costs, shifting)
    return found, (initial, prices, shifts, costs, *found)


def _backward(
    shifting: Shifting, residual: _Residual, cotangents: tuple[Array, Array]
) -> tuple[Array, Array, Array, Array]:
    initial, prices, shifts, costs, path, volume = residual
    results = [result_like(array) for array in (initial, prices, shifts, costs)]
    of_initial, of_prices, of_shifts, of_costs = _ADJOINT(
        results, initial, prices, shifts, costs, _options(shifting), path, volume, *cotangents
    )
    return of_initial, of_prices, of_shifts, of_costs


_balances = custom_vjp(_run, _forward, _backward, nondiff_argnums=(4,))
