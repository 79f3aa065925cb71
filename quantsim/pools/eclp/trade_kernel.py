"""The recursion of an E-CLP with fees as a compiled kernel, with its adjoint; for the CPU.

It does what :mod:`quantsim.pools.eclp.trade_scan` does with a loop of XLA, which remains the reference. The adjoint also covers
the no-trade band and the balances: they matter at visits with a trade only, while XLA would go through all of them once for
every parameter.
"""

from __future__ import annotations

from quantsim.kernels import Kernel
from quantsim.lazy_jax import Array, custom_vjp, jax, jnp
from quantsim.pools.eclp.column_lanes import N_STATE
from quantsim.pools.eclp.curve import Ellipse
from quantsim.pools.eclp.trade_scan import no_trade_band

__all__ = ["kernel_path", "trade_kernels"]

_MODULE = "quantsim.pools.eclp.trade_lanes"
_FORWARD, _ADJOINT = Kernel(6, _MODULE, "forward", 2), Kernel(7, _MODULE, "adjoint", 1)


def trade_kernels(n_tokens: int) -> tuple[Kernel, Kernel]:
    """Returns the kernels of the recursion and of its adjoint."""
    return _FORWARD, _ADJOINT


def kernel_path(initial: Array, prices: Array, ellipse: Ellipse, curve: Array, costs: Array) -> tuple[Array, Array]:
    """Returns size, position and balances after every visit, (T, 4), and the value of the arbitrageurs' effective input, (T,).

    Arguments as for :func:`quantsim.pools.eclp.trade_scan.scanned_path`.
    """
    return _path(initial, prices, jnp.stack(ellipse), curve, costs)


_Residual = tuple[Array, ...]


def _run(initial: Array, prices: Array, ellipse: Array, curve: Array, costs: Array) -> tuple[Array, Array]:
    return _forward(initial, prices, ellipse, curve, costs)[0]


def _forward(
    initial: Array, prices: Array, ellipse: Array, curve: Array, costs: Array
) -> tuple[tuple[Array, Array], _Residual]:
    band = no_trade_band(Ellipse(*(ellipse[at] for at in range(len(Ellipse._fields)))), curve, prices, costs)
    shape = jax.ShapeDtypeStruct((prices.shape[0], N_STATE), prices.dtype)  # type: ignore[no-untyped-call]
    path, volume = _FORWARD([shape, _like(prices[:, 0])], initial, band, prices, curve, costs)
    return (path, volume), (initial, prices, ellipse, curve, costs, band, path)


def _like(array: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)  # type: ignore[no-untyped-call]


def _backward(residual: _Residual, cotangents: tuple[Array, Array]) -> tuple[Array, ...]:
    return tuple(_ADJOINT([_like(array) for array in residual[:5]], *residual, *cotangents))


_path = custom_vjp(_run, _forward, _backward)
