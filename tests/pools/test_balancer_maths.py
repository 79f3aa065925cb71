"""Swaps against ``balancer-maths``, the fixed-point arithmetic of the pools on chain.

It counts in units of 1e-18. Its power is good to 1e-14 of its result and is then rounded up by as much, in the pool's favour;
so an amount may be off by some 2e-14 of the reserve it comes from, or would bring the reserve it goes into to.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import HALF_HOURS, make_experiment

from quantsim.pools.exogenous_swaps import Outcome
from quantsim.pools.market import FeeRates, Orders
from quantsim.pools.weighted.arbitrage import PoolState, apply_moves, settle
from quantsim.pools.weighted.swaps import fill_bar
from quantsim.simulator.setup import pool_setup

UNIT = 10**18
ROUNDING = 2e-14


@dataclass(frozen=True)
class OnChain:
    """The parts of the package that a swap needs."""

    vault: Any
    types: Any
    weighted: Any

    def swap(
        self, reserves: list[int], weights: list[int], fee: int, amount: int, *, out: int, exact_in: bool
    ) -> float:
        """The other amount of a swap, in tokens; all arguments in units of 1e-18."""
        count = len(reserves)
        state = self.weighted.WeightedState(
            pool_address="pool", tokens=[str(token) for token in range(count)], scaling_factors=[1] * count,
            token_rates=[UNIT] * count, balances_live_scaled18=list(reserves), swap_fee=fee, aggregate_swap_fee=0,
            total_supply=UNIT, supports_unbalanced_liquidity=True, hook_type=None, weights=weights,
        )  # fmt: skip
        kind = self.types.SwapKind.GIVENIN if exact_in else self.types.SwapKind.GIVENOUT
        order = self.types.SwapInput(amount_raw=amount, swap_kind=kind, token_in=str(1 - out), token_out=str(out))
        return int(self.vault.Vault().swap(swap_input=order, pool_state=state)) / UNIT


@pytest.fixture(scope="module")
def on_chain() -> Iterator[OnChain]:
    """The package, under the name ``src``: its modules import each other by that name, which no wheel installs."""
    spec = importlib.util.find_spec("balancer_maths")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("balancer-maths is not installed: pip install 'quantsim[test]'")
    assert "src" not in sys.modules, "another package of that name is in the way"
    source = types.ModuleType("src")
    source.__path__ = list(spec.submodule_search_locations)
    sys.modules["src"] = source
    try:
        names = ("src.vault.vault", "src.common.types", "src.pools.weighted.weighted_data")
        yield OnChain(*map(importlib.import_module, names))
    finally:
        for name in [name for name in sys.modules if name == "src" or name.startswith("src.")]:
            del sys.modules[name]


def rates(swap_fee: float) -> FeeRates:
    nothing = jnp.zeros(())
    return FeeRates(jnp.asarray(swap_fee), nothing, nothing, nothing, nothing, nothing)


@functools.partial(jax.jit, static_argnames=("out", "exact_in"))
def our_swap(
    reserves: Any, weights: Any, fee: Any, amount: Any, *, out: int, exact_in: bool
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Reserves afterwards, what came in, what went out, and the outcome."""
    row = jnp.zeros(1, jnp.int64)
    order = Orders(row + 1 - out, row + out, jnp.asarray(amount)[None], jnp.asarray([exact_in]), row, row[None], row)
    after, fill = fill_bar(jnp.log(reserves), jnp.asarray(weights), rates(fee), order, row)
    return jnp.exp(after), fill.amount_in[0], fill.amount_out[0], fill.outcome[0]


def tokens(amounts: list[int]) -> np.ndarray:
    return np.array([amount / UNIT for amount in amounts])


@dataclass(frozen=True)
class Draw:
    """A pool and a trade, in units of 1e-18."""

    reserves: list[int]
    weights: list[int]
    fee: int
    share: float  # of the reserve

    @property
    def floats(self) -> tuple[np.ndarray, np.ndarray, float]:
        return tokens(self.reserves), tokens(self.weights), self.fee / UNIT


def draws(count: int) -> list[Draw]:
    generator = np.random.default_rng(7)
    found = []
    for number in range(count):
        weight = 0.5 if number % 5 == 0 else float(generator.uniform(0.05, 0.95))
        first = int(weight * UNIT)
        fee = 0 if number % 4 == 0 else int(10.0 ** generator.uniform(-6, -1) * UNIT)
        reserves = [int(10.0 ** generator.uniform(-1, 8) * UNIT) for _ in range(2)]
        found.append(Draw(reserves, [first, UNIT - first], fee, float(10.0 ** generator.uniform(-6, np.log10(0.29)))))
    return found


@pytest.mark.parametrize("out", [0, 1])
def test_amount_out_for_a_given_amount_in(on_chain: OnChain, out: int) -> None:
    for draw in draws(150):
        amount = int(draw.share * draw.reserves[1 - out])
        theirs = on_chain.swap(draw.reserves, draw.weights, draw.fee, amount, out=out, exact_in=True)
        reserves, weights, fee = draw.floats
        after, amount_in, ours, outcome = our_swap(reserves, weights, fee, amount / UNIT, out=out, exact_in=True)
        assert int(outcome) == Outcome.EXECUTED
        assert float(ours) == pytest.approx(theirs, rel=0, abs=ROUNDING * reserves[out])
        assert float(amount_in) == pytest.approx(amount / UNIT, rel=1e-14)
        wanted = reserves.copy()
        wanted[1 - out] += amount / UNIT
        wanted[out] -= theirs
        np.testing.assert_allclose(after, wanted, rtol=ROUNDING)


@pytest.mark.parametrize("out", [0, 1])
def test_amount_in_for_a_given_amount_out(on_chain: OnChain, out: int) -> None:
    for draw in draws(150):
        amount = int(draw.share * draw.reserves[out])
        theirs = on_chain.swap(draw.reserves, draw.weights, draw.fee, amount, out=out, exact_in=False)
        reserves, weights, fee = draw.floats
        after, ours, amount_out, outcome = our_swap(reserves, weights, fee, amount / UNIT, out=out, exact_in=False)
        assert int(outcome) == Outcome.EXECUTED
        assert float(ours) == pytest.approx(theirs, rel=0, abs=ROUNDING * (reserves[1 - out] + theirs))
        assert float(amount_out) == pytest.approx(amount / UNIT, rel=1e-14)
        wanted = reserves.copy()
        wanted[1 - out] += theirs
        wanted[out] -= amount / UNIT
        np.testing.assert_allclose(after, wanted, rtol=ROUNDING)


def test_rounding_on_chain_favours_the_pool(on_chain: OnChain) -> None:
    """Ours is exact but for some 1e-15 of a reserve, so theirs pays out no more and takes in no less."""
    for draw in draws(100):
        reserves, weights, fee = draw.floats
        amount = int(draw.share * draw.reserves[0])
        paid = on_chain.swap(draw.reserves, draw.weights, draw.fee, amount, out=1, exact_in=True)
        exact = float(our_swap(reserves, weights, fee, amount / UNIT, out=1, exact_in=True)[2])
        assert paid <= exact + 5e-15 * reserves[1]
        amount = int(draw.share * draw.reserves[1])
        taken = on_chain.swap(draw.reserves, draw.weights, draw.fee, amount, out=1, exact_in=False)
        exact = float(our_swap(reserves, weights, fee, amount / UNIT, out=1, exact_in=False)[1])
        assert taken >= exact - 5e-15 * (reserves[0] + taken)


@pytest.mark.parametrize("exact_in", [False, True])
def test_both_refuse_more_than_three_tenths_of_a_reserve(on_chain: OnChain, *, exact_in: bool) -> None:
    reserves, weights, fee = [10 * UNIT, 30 * UNIT], [UNIT // 5, 4 * UNIT // 5], UNIT // 100
    reserve = reserves[0] if exact_in else reserves[1]
    most = 0.3 * reserve / (0.99 if exact_in else 1.0)  # the fee is taken off what comes in first
    for share, executed in ((1 - 1e-9, True), (1 + 1e-9, False)):
        outcome = our_swap(tokens(reserves), tokens(weights), 0.01, share * most / UNIT, out=1, exact_in=exact_in)[3]
        assert (int(outcome) == Outcome.EXECUTED) == executed
        if executed:
            on_chain.swap(reserves, weights, fee, int(share * most), out=1, exact_in=exact_in)
        else:
            with pytest.raises(ValueError, match="Ratio exceeded"):
                on_chain.swap(reserves, weights, fee, int(share * most), out=1, exact_in=exact_in)


def test_an_arbitrage_trade_is_a_swap_that_the_pool_on_chain_would_do(on_chain: OnChain) -> None:
    costs = pool_setup(
        make_experiment("balancer", 2, HALF_HOURS, fees={"swap_fee": 0.01}), HALF_HOURS.bar_minutes
    ).costs
    step = jax.jit(lambda pool, fees: apply_moves(pool, settle(pool, fees, costs), fees, costs))
    generator = np.random.default_rng(3)
    traded = 0
    for draw in draws(100):
        reserves, weights, fee = draw.floats
        off = np.exp(generator.uniform(-0.15, 0.15, 2))
        pool = PoolState(
            *map(jnp.asarray, (np.log(reserves), np.log(weights / reserves * off), weights, np.log(weights)))
        )
        after = np.exp(np.asarray(step(pool, rates(fee))))
        change = after - reserves
        if not change.any():
            continue
        traded += 1
        out = int(np.argmin(change))
        amount = float(change[1 - out])
        theirs = on_chain.swap(draw.reserves, draw.weights, draw.fee, int(amount * UNIT), out=out, exact_in=True)
        # The amounts here are differences of reserves, and those are exponentials of logarithms near 20.
        assert -float(change[out]) == pytest.approx(theirs, rel=0, abs=ROUNDING * reserves[out] / weights[out])
    assert traded > 80
