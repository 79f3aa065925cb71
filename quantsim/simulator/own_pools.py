"""Checks pools in users' files before anything runs."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.discovery import exception_text, is_own
from quantsim.errors import ConfigError, QuantsimError
from quantsim.parameters import scoped
from quantsim.pools.base import Path, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market, market
from quantsim.simulator.signals import chunk_signals, window_rates

__all__ = ["check_own_pools", "conform_pool"]

Values = tuple[tuple[str, tuple[float, ...]], ...]

_N_BARS = 97
_VOLATILITY = 0.03  # per bar
_SAME = 1e-9  # relative


def check_own_pools(experiment: Experiment, setup: PoolSetup[Any], rates: FeeRates) -> None:
    """Checks pools in users' files; the tests of quantsim check its own.

    Raises:
        ConfigError: a pool fails, returns a wrong type, its value is not that of its reserves, or it looks ahead.
    """
    raw = experiment.initial_parameters()
    for view, own in zip(experiment.pools, [*(part.setup for part in setup.subsidiaries), setup], strict=True):
        if view.pool.type is not None and is_own(view.pool.type):
            table = f"subsidiaries.{view.group}" if view.group else "pool"
            charged = rates if not view.group else FeeRates(*map(jnp.asarray, view.fees.rates))
            constant = tuple(float(np.nanmean(rate)) for rate in charged)
            params = tuple((name, tuple(value.tolist())) for name, value in scoped(raw, view.group).items())
            conform_pool(f"{table}.type = {str(view.pool.type)!r}", replace(own, has_trades=False), params, constant)


@functools.lru_cache(maxsize=64)
def conform_pool(called: str, setup: PoolSetup[Any], params: Values, rates: tuple[float, ...]) -> None:
    """Checks every path that supports the setup, once per process, on synthetic prices.

    Args:
        called: name for messages: ``pool.type = 'my_pools.py:band'``.
        setup: setup of the pool.
        params: raw name without the pool's group → values.
        rates: constant rates, in the order of :class:`~quantsim.pools.market.FeeRates`.

    Raises:
        ConfigError: as in :func:`check_own_pools`.
    """
    steps = _VOLATILITY * np.random.default_rng(0).standard_normal((2 * _N_BARS, setup.n_tokens))
    prices = np.exp(np.cumsum(steps, axis=0))
    served = [path for path, reason in setup.pool.paths(setup, every_bar=True).items() if reason is None]
    if not served:
        raise ConfigError(f"{called} has no path for metrics that read every bar")
    for path in served:
        _check_path(called, setup, path, params, rates, prices)


def _check_path(
    called: str, setup: PoolSetup[Any], path: Path, params: Values, rates: tuple[float, ...], prices: FloatArray
) -> None:
    bars, first = np.arange(_N_BARS), jnp.asarray(_N_BARS)
    arrays = {name: jnp.asarray(values) for name, values in params}

    def traced(data: Market) -> tuple[Array, Array, Array]:
        costs = FeeRates(*map(jnp.asarray, rates))
        signals = chunk_signals(setup, arrays, data, 0)
        costs = window_rates(setup, arrays, signals, costs, first, 0, _N_BARS)
        window = Window(first, _N_BARS, path, 0, signals.decisions)
        run = setup.pool.run(setup, arrays, data, costs, window)
        found = run.value_at(bars), run.reserves_at(bars), run.shares_at(bars)
        for name, array, shape in zip(("value_at", "reserves_at", "shares_at"), found, _shapes(setup), strict=True):
            if not isinstance(array, jax.Array) or array.shape != shape or array.dtype != np.float64:
                kind = f"{array.dtype} of shape {array.shape}" if isinstance(array, jax.Array) else type(array).__name__
                raise ConfigError(f"{called}: {name}(bars) returns {kind}, but must return float64 of shape {shape}")
        return found

    try:
        program = jax.jit(traced)
        value, reserves, _ = (np.asarray(part) for part in program(market(prices)))
    except QuantsimError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{called} fails with {exception_text(error)}") from error
    where = f"{called}, path {path.value!r}"
    if not np.isclose(value[0], setup.initial_value, rtol=_SAME):
        raise ConfigError(
            f"{where}: it is worth {value[0]:.12g} at its first bar, but must be worth setup.initial_value = "
            f"{setup.initial_value:.12g}"
        )
    worth = np.sum(reserves * prices[_N_BARS:], axis=1)
    if not np.allclose(value, worth, rtol=1e-7):
        bar = int(np.argmax(np.abs(value - worth)))
        raise ConfigError(
            f"{where}: its value at bar {bar} is {value[bar]:g}, but its reserves are worth {worth[bar]:g}"
        )
    for last in (0, 1, _N_BARS // 2, _N_BARS - 2):
        changed = prices.copy()
        changed[_N_BARS + last + 1 :] *= np.linspace(0.5, 2.0, setup.n_tokens)
        later = np.asarray(program(market(changed))[0])
        if not np.allclose(later[: last + 1], value[: last + 1], rtol=_SAME):
            raise ConfigError(
                f"{where} looks ahead: its value up to bar {last} changes when prices after bar {last} do, and no pool knows "
                "them then"
            )


def _shapes(setup: PoolSetup[Any]) -> tuple[tuple[int, ...], ...]:
    return (_N_BARS,), (_N_BARS, setup.n_tokens), (_N_BARS, setup.n_tokens)
