"""The recursion of an E-CLP with fees as a compiled kernel, with its adjoint; for the CPU.

It does what :mod:`quantsim.pools.eclp.trade_scan` does with a loop of XLA, which remains the reference.
"""

from __future__ import annotations

from quantsim.kernels import Kernel, result_like
from quantsim.lazy_jax import Array, custom_vjp

__all__ = ["kernel_positions", "trade_kernels"]

_MODULE = "quantsim.pools.eclp.trade_lanes"
_FORWARD, _ADJOINT = Kernel(6, _MODULE, "forward", 2), Kernel(7, _MODULE, "adjoint", 1)


def trade_kernels(n_tokens: int) -> tuple[Kernel, Kernel]:
    """Returns the kernels of the recursion and of its adjoint."""
    return _FORWARD, _ADJOINT


def kernel_positions(initial: Array, band: Array, prices: Array, curve: Array, costs: Array) -> tuple[Array, Array]:
    """Returns size and position after every visit, (T, 2), and the value of the arbitrageurs' effective input, (T,).

    Arguments as for :func:`quantsim.pools.eclp.trade_scan.scanned_positions`.
    """
    return _positions(initial, band, prices, curve, costs)


def _run(initial: Array, band: Array, prices: Array, curve: Array, costs: Array) -> tuple[Array, Array]:
    path, volume = _FORWARD([result_like(band), result_like(prices[:, 0])], initial, band, prices, curve, costs)
    return path, volume


_Residual = tuple[Array, ...]


def _forward(
    initial: Array, band: Array, prices: Array, curve: Array, costs: Array
) -> tuple[tuple[Array, Array], _Residual]:
    path, volume = _positions(initial, band, prices, curve, costs)
    return (path, volume), (initial, band, prices, curve, costs, path)


def _backward(residual: _Residual, cotangents: tuple[Array, Array]) -> tuple[Array, ...]:
    return tuple(_ADJOINT([result_like(array) for array in residual[:-1]], *residual, *cotangents))


_positions = custom_vjp(_run, _forward, _backward)
