"""The arbitrage trade is the optimum: against a convex solver, against its dual, and by what an optimum has to satisfy."""

from __future__ import annotations

import functools
from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pool_reference as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_support import FEES, HALF_HOURS, make_experiment
from scipy.optimize import minimize_scalar

from quantsim.pools import CostShape
from quantsim.pools.market import FeeRates, band
from quantsim.pools.weighted.arbitrage import Moves, PoolState, apply_moves, optimal_moves, profit, settle, spread
from quantsim.simulator.setup import pool_setup

SEEDS = st.integers(0, 2**32 - 1)


@functools.cache
def costs_of(n_tokens: int, fees: str = "protocol") -> CostShape:
    return pool_setup(make_experiment("balancer", n_tokens, HALF_HOURS, fees=FEES[fees]), 30).costs


def random_pool(
    n_tokens: int, seed: int, disorders: tuple[float, ...] = (1e-3, 1e-2, 0.3)
) -> tuple[PoolState, FeeRates]:
    """A pool of any shape, out of balance by much, little, or almost nothing, and any fee."""
    draw = np.random.default_rng([seed, n_tokens])
    weights = 0.01 + draw.dirichlet(np.full(n_tokens, 0.7))
    weights /= weights.sum()
    disorder = draw.choice(disorders) * draw.standard_normal(n_tokens)
    log_prices = draw.uniform(-3, 3, n_tokens)
    log_reserves = np.log(weights) + draw.uniform(5, 16) + disorder - log_prices
    rates = (draw.choice([1e-4, 3e-3, 0.03]), draw.choice([0.0, 1e-3, 0.02]), 0.0, 0.0, 0.0, 0.0)
    return PoolState(*map(jnp.asarray, (log_reserves, log_prices, weights, np.log(weights)))), FeeRates(
        *map(jnp.asarray, rates)
    )


@functools.partial(jax.jit, static_argnums=0)
def trade(costs: CostShape, pool: PoolState, rates: FeeRates) -> dict[str, Any]:
    moves = settle(pool, rates, costs)
    after = apply_moves(pool, moves, rates, costs)
    return {
        "moves": moves,
        "profit": profit(pool, moves, rates),
        "after": after,
        "levels": pool.log_reserves + pool.log_prices - jnp.log(pool.weights),
        "levels_after": after + pool.log_prices - jnp.log(pool.weights),
        "value": jnp.sum(jnp.exp(pool.log_reserves + pool.log_prices)),
        "width": band(rates),
    }


def solved(pool: PoolState, rates: FeeRates, unit: float) -> float:
    """The arbitrageur's problem as he would state it, by a convex solver: what to bring and what to take of each token.

    Amounts are in units of ``unit`` of each reserve, and the profit in units of its square, the size that profits are of;
    so the solver's tolerances mean as much for a small imbalance as for a large one.
    """
    n_tokens = pool.weights.shape[0]
    values = np.exp(np.asarray(pool.log_reserves + pool.log_prices))
    gamma, cost = 1 - float(rates.swap_fee), float(rates.arb_fee)
    bring, take = cp.Variable(n_tokens, nonneg=True), cp.Variable(n_tokens, nonneg=True)
    kept = np.asarray(pool.weights) @ cp.log(1 + unit * (gamma * bring - take)) / unit**2
    earned = (1 - cost / 2) * values @ take - (1 + cost / 2) * values @ bring
    problem = cp.Problem(cp.Maximize(earned / values.sum() / unit), [kept >= 0])
    return float(problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)) * unit**2


@pytest.mark.parametrize("n_tokens", range(2, 9))
def test_a_convex_solver_finds_nothing_better(n_tokens: int) -> None:
    for seed in range(12):
        pool, rates = random_pool(n_tokens, seed, disorders=(0.1, 0.3))
        found = trade(costs_of(n_tokens), pool, rates)
        earned = float(found["profit"] / found["value"])
        assert earned > 0
        assert solved(pool, rates, unit=float(spread(found["levels"]))) == pytest.approx(earned, rel=1e-7)


@pytest.mark.parametrize("n_tokens", range(2, 9))
@settings(max_examples=40)
@given(seed=SEEDS)
def test_the_dual_allows_no_more(n_tokens: int, seed: int) -> None:
    """Weak duality: whatever the multiplier of the invariant, no trade earns more than the Lagrangian's maximum.

    This needs no solver, so it proves the optimum closer than one could.
    """
    pool, rates = random_pool(n_tokens, seed)
    found = trade(costs_of(n_tokens), pool, rates)
    levels, weights = np.asarray(found["levels"]), np.asarray(pool.weights)
    gamma, cost = 1 - float(rates.swap_fee), float(rates.arb_fee)

    def bound(level: float) -> float:
        """Per token the best log move y, out (y < 0) or in (y > 0), at the multiplier (1 - a/2) exp(level)."""
        multiplier = (1 - cost / 2) * np.exp(level)
        out = np.minimum(level - levels, 0.0)
        into = np.maximum(level - float(found["width"]) - levels, 0.0)
        worth = weights * np.exp(levels)
        gain = -(1 - cost / 2) * worth * np.expm1(out) - (1 + cost / 2) / gamma * worth * np.expm1(into)
        return float((gain + multiplier * weights * (out + into)).sum())

    low, high = levels.min(), levels.max() + float(found["width"])
    least = minimize_scalar(bound, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun
    scale = 1e-9 * least + 1e-14 * float(found["value"])
    assert abs(float(found["profit"]) - least) <= scale


@pytest.mark.parametrize("n_tokens", [2, 3, 5, 8])
@settings(max_examples=60)
@given(seed=SEEDS)
def test_what_an_optimal_trade_satisfies(n_tokens: int, seed: int) -> None:
    pool, rates = random_pool(n_tokens, seed)
    found = trade(costs_of(n_tokens), pool, rates)
    rise, fall = (np.asarray(part) for part in found["moves"])
    width, levels, after = float(found["width"]), np.asarray(found["levels"]), np.asarray(found["levels_after"])
    assert (rise >= 0).all()
    assert (fall <= 0).all()
    assert not ((rise > 0) & (fall < 0)).any()
    assert abs((np.asarray(pool.weights) * (rise + fall)).sum()) <= 1e-14 * max(1.0, np.abs(rise - fall).max())
    assert float(found["profit"]) >= -1e-15 * float(found["value"])
    assert np.ptp(after) <= max(width, 0.0) + 1e-13, "some pair of tokens could still be traded at a profit"
    if np.ptp(levels) > width * (1 + 1e-9):
        assert (rise > 0).any()
        assert (fall < 0).any()
        level = reference.level(levels, np.asarray(pool.weights), width)
        np.testing.assert_allclose(rise, np.maximum(level - width - levels, 0), rtol=0, atol=1e-13)
        np.testing.assert_allclose(fall, np.minimum(level - levels, 0), rtol=0, atol=1e-13)
    again = trade(costs_of(n_tokens), pool._replace(log_reserves=found["after"]), rates)
    assert max(np.abs(part).max() for part in again["moves"]) <= 1e-13, "a second visit finds nothing"


@pytest.mark.parametrize("n_tokens", [2, 3, 5, 8])
@settings(max_examples=40)
@given(seed=SEEDS, share=st.floats(0.0, 1.0))
def test_no_trade_inside_the_band(n_tokens: int, seed: int, share: float) -> None:
    pool, rates = random_pool(n_tokens, seed)
    wide = np.random.default_rng(seed).uniform(0, 1, n_tokens)
    width = band(rates)
    inside = share * (1 - 1e-6) * float(width) * (wide - wide.min()) / np.ptp(wide)
    still = pool._replace(log_reserves=7.0 + inside - pool.log_prices + jnp.log(pool.weights))
    moves = trade(costs_of(n_tokens), still, rates)["moves"]
    assert not np.asarray(moves.rise).any()
    assert not np.asarray(moves.fall).any()


def test_the_edge_of_the_band_does_not_trade() -> None:
    for n_tokens in (2, 4):
        levels = jnp.zeros(n_tokens).at[0].set(0.25)
        moves = jax.jit(optimal_moves)(levels, jnp.full(n_tokens, 1 / n_tokens), jnp.asarray(0.25))
        assert not np.asarray(moves.rise - moves.fall).any()


@pytest.mark.parametrize("n_tokens", [2, 3, 6])
@settings(max_examples=30)
@given(seed=SEEDS)
def test_the_order_of_tokens_does_not_matter(n_tokens: int, seed: int) -> None:
    pool, rates = random_pool(n_tokens, seed)
    order = np.random.default_rng(seed).permutation(n_tokens)
    plain = trade(costs_of(n_tokens), pool, rates)
    turned = trade(costs_of(n_tokens), PoolState(*(part[order] for part in pool)), rates)
    for one, other in zip(plain["moves"], turned["moves"], strict=True):
        np.testing.assert_allclose(np.asarray(one)[order], other, rtol=0, atol=1e-14)
    np.testing.assert_allclose(turned["profit"], plain["profit"], rtol=1e-9, atol=1e-14 * float(plain["value"]))


@settings(max_examples=60)
@given(seed=SEEDS)
def test_two_tokens_follow_the_general_formula(seed: int) -> None:
    """The short form for two tokens, and the general one on the same pool with a third token that stands in the middle."""
    pool, rates = random_pool(2, seed)
    found = trade(costs_of(2), pool, rates)
    (u, v), width = np.asarray(found["levels"]), float(found["width"])
    weights = np.asarray(pool.weights)
    excess = max(abs(u - v) - width, 0.0)
    sign = 1.0 if u > v else -1.0
    wanted = excess * np.array([-sign * weights[1], sign * weights[0]])
    np.testing.assert_allclose(found["moves"].rise + found["moves"].fall, wanted, rtol=1e-12, atol=1e-14)


def test_ties_and_extremes_of_the_levels() -> None:
    """Equal levels, one token far off, a tiny weight: finite moves that keep the invariant."""
    for levels in ([0.0, 0.0, 0.1, 0.1], [5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, -5.0], [0.0, 0.0, 0.0, 0.0]):
        weights = np.array([1e-6, 0.3, 0.3, 0.4 - 1e-6])
        moves = optimal_moves(jnp.asarray(levels), jnp.asarray(weights), jnp.asarray(0.003))
        total = np.asarray(moves.rise + moves.fall)
        assert np.isfinite(total).all()
        assert abs((weights * total).sum()) < 1e-15
        assert bool(total.any()) == (max(levels) > min(levels))


@pytest.mark.parametrize("n_tokens", [2, 4])
@settings(max_examples=30)
@given(seed=SEEDS)
def test_gas_stops_exactly_the_trades_that_do_not_earn_it(n_tokens: int, seed: int) -> None:
    pool, rates = random_pool(n_tokens, seed)
    earned = float(trade(costs_of(n_tokens), pool, rates)["profit"])
    for gas, trades in ((0.999 * earned, True), (1.001 * earned + 1e-12, False)):
        moves: Moves = trade(costs_of(n_tokens, "gas"), pool, rates._replace(gas_cost=jnp.asarray(gas)))["moves"]
        assert bool(np.asarray(moves.rise).any()) == (trades and earned > 0)
