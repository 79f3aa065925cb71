"""Conformance checks of pools: on every path, without fees and with all costs that the pool charges."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from quantsim.array_types import FloatArray
from quantsim.errors import ConformanceError
from quantsim.parameters import bind
from quantsim.pools import Pool, get_pool
from quantsim.pools.steered.steering import ConstantSettings, SteeredSettings
from quantsim.precision import in_float64
from quantsim.scan_mode import ScanMode
from quantsim.testing.curves import check_curve
from quantsim.testing.description import check_description, check_parameters
from quantsim.testing.experiments import CHARGES, CHUNK_MINUTES, conformance_experiment, fixed_curve_experiment
from quantsim.testing.gradients import Differentiated, check_gradients
from quantsim.testing.laws import law
from quantsim.testing.pool_cases import CHANGED_AFTER, FIRST, N_BARS, PRICES, SHORTER, PoolCase, Read, pool_cases
from quantsim.testing.pool_laws import check_agreement, check_read, check_same, keep

__all__ = ["check_pool"]


_SCALE = 8.0


@in_float64
def check_pool(
    pool: Pool | str,
    settings: Mapping[str, Any] | None = None,
    *,
    fees: Mapping[str, float] | None = None,
    n_tokens: int | None = None,
) -> None:
    """Checks a pool on synthetic prices: without fees, and with all costs that it charges.

    The laws:

    * description, settings and parameters are valid; the setup of the pool is static;
    * the value at the first bar is ``setup.initial_value``, the value of every bar is that of the reserves, and shares and
      weights sum to 1;
    * single bars equal the same bars of the whole path; all paths agree, and so do both scan modes;
    * **nothing up to a bar depends on later prices** or on the length of the window;
    * fee revenue is not negative, it adds up over the parts of a window, and it is zero without fees;
    * without costs of fixed value, all values scale with the initial value;
    * the invariant of a run never falls, see :meth:`quantsim.pools.Run.log_invariant_at`; with ``Pool.fixed_curve``, **no round
      trip of prices earns** its traders anything, and a change of the numeraire changes no reserves;
    * values and gradients are finite; gradients equal finite differences, with respect to parameters and prices;
    * a pool that follows a schedule of parameters does not change if the schedule repeats the same parameters;
    * other values of parameters and prices compile no new program.

    Args:
        pool: pool, its name, or ``"path/to/file.py:name"``.
        settings: keys of the table ``[pool]``; default ``rule = "momentum"`` for a pool that a rule steers.
        fees: keys of the table ``[fees]``; by default, those of ``Pool.charges``.
        n_tokens: number of tokens; by default, the pool's own number, or 3.

    Raises:
        ConformanceError: the pool breaks a law; the message names the law, the finding and the remedy.
        ConfigError: there is no such pool, or its settings are invalid.

    Example:
        >>> check_pool("hold")
    """
    name, pool = pool, get_pool(pool) if isinstance(pool, str) else pool
    called = f"pool {pool.name!r}"
    check_description(called, name=pool.name, description=pool.description)
    check_parameters(called, bind(pool.parameters, ("pool",), CHUNK_MINUTES))
    if settings is None:
        steered = issubclass(pool.settings, SteeredSettings) and not issubclass(pool.settings, ConstantSettings)
        settings = {"rule": "momentum"} if steered else {}
    charged = {key: CHARGES[key] for key in pool.charges if key in CHARGES} if fees is None else dict(fees)
    for costs in {tuple(one.items()): one for one in ({}, charged)}.values():
        experiment = conformance_experiment(name, settings, costs, n_tokens or pool.n_tokens or 3)
        with_costs = f"{called} with {', '.join(costs) or 'no fees'}"
        cases = pool_cases(with_costs, experiment)
        keep(
            any(case.bars.size == N_BARS for case in cases),
            "paths",
            f"{with_costs} has no path for metrics that read every bar",
        )
        check_agreement(cases, [_check_case(case) for case in cases])
        if pool.fixed_curve is not None:
            shares = {key: rate for key, rate in costs.items() if key != "gas_cost_usd"}
            fixed = fixed_curve_experiment(name, pool.fixed_curve, settings, shares, experiment)
            for case in pool_cases(f"{with_costs} on a fixed curve", fixed):
                _check_curve(case)


def _check_case(case: PoolCase) -> Read:
    """Checks the laws of a single path; returns the results with the experiment's parameters."""
    with law("run", case.called):
        like = jax.eval_shape(case.answers, dict(case.sets[0]))
        program = Differentiated(lambda params: ravel_pytree(case.answers(params))[0])
        unravel = ravel_pytree(jax.tree.map(lambda part: np.zeros(part.shape), like))[1]
        nothing = np.zeros(sum(part.size for part in like))
        reads = [_unravelled(unravel, program(params, nothing)[0]) for params in case.sets]
    for read in reads:
        check_read(case, read)
    for params, read in zip(case.sets, reads, strict=True):
        for last in CHANGED_AFTER:
            prices = params[PRICES].copy()
            prices[FIRST + last + 1 :] *= np.linspace(0.5, 2.0, case.setup.n_tokens)
            after = _unravelled(unravel, program({**params, PRICES: prices}, nothing)[0])
            why = f"when prices after bar {last} do, and no pool knows them then"
            check_same(case, "no look-ahead", read, after, last, why)
    _check_others(case, reads[0])
    for params in case.sets:
        check_gradients(case.called, program, params, [*case.trainable, PRICES], nothing == 0.0)
    keep(
        program.n_traces == 1,
        "one program",
        f"{case.called} was traced {program.n_traces} times for arrays of one shape, and must be traced once: do not "
        "change settings of JAX inside it",
    )
    return reads[0]


def _check_curve(case: PoolCase) -> None:
    """Checks the laws of a pool that always trades along one curve."""
    own = dict(case.sets[0])
    program = jax.jit(case.answers)

    def run(prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        read = program({**own, PRICES: prices})
        return np.asarray(read.value), np.asarray(read.held) / prices[FIRST + case.bars]

    if case.bars.size == N_BARS:
        with law("run", case.called):
            check_curve(case.called, run, own[PRICES], FIRST)


def _unravelled(unravel: Callable[[Any], Read], flat: FloatArray) -> Read:
    return Read(*map(np.asarray, unravel(flat)))


def _check_others(case: PoolCase, read: Read) -> None:
    """Checks a shorter window, the other scan mode, a larger pool, and a schedule that repeats the parameters.

    They are checked together, and one by one only if that fails.
    """
    setup = case.setup
    mode: ScanMode = "associative" if setup.scan_mode == "sequential" else "sequential"
    of_mode = {"settings": replace(setup.settings, scan_mode=mode)}
    larger = {} if setup.costs.has_gas else {"initial_value": _SCALE * setup.initial_value}
    scheduled = setup.pool.follows_schedule
    each: dict[str, tuple[str, dict[str, Any], int, bool]] = {
        "no look-ahead": (f"with the window's length, {N_BARS} and {SHORTER} bars", {}, SHORTER, False),
        "scan modes": ("with the scan mode", of_mode, N_BARS, False),
        "units": (f"in units of the initial value if that is {_SCALE:g} times as large", larger, N_BARS, False),
        "schedule": ("when a schedule repeats the same parameters inside the window", {}, N_BARS, scheduled),
    }
    with contextlib.suppress(ConformanceError):
        _check_other(case, "all", read, "", {**of_mode, **larger}, SHORTER, scheduled)
        return
    for name, (why, changed, n_bars, twice) in each.items():
        _check_other(case, name, read, why, changed, n_bars, twice)


def _check_other(
    case: PoolCase, name: str, read: Read, why: str, changed: dict[str, Any], n_bars: int, scheduled: bool
) -> None:
    other = replace(case, setup=replace(case.setup, **changed))
    program = jax.jit(functools.partial(other.answers, n_bars=n_bars, scheduled=scheduled))
    check_same(case, name, read, Read(*map(np.asarray, program(dict(case.sets[0])))), n_bars - 1, why)
