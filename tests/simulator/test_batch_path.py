"""Pools that trade in batches: against a plain loop, by what makes a batch the right one, and the published formulas."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import FEES, FIRST, HALF_HOURS, TOKENS, bar_by_bar, make_experiment, prices_of, random_prices, stacked

from quantsim import Evaluator, Experiment, Prices, simulate
from quantsim.errors import ConfigError
from quantsim.pools.batch import batch, costs_of
from quantsim.pools.market import FeeRates
from quantsim.pools.settings import Fees
from quantsim.simulator.setup import pool_setup

START = HALF_HOURS.history
Counting = Callable[[], AbstractContextManager[list[str]]]


def experiment_of(quality: float = 1.0, fees: dict[str, float] | None = None, **tables: Any) -> Experiment:
    pool = {"arb_quality": quality, **tables.pop("pool", {})}
    return make_experiment("cow", 2, HALF_HOURS, fees=fees, pool=pool, **tables)


def of(share: float) -> dict[str, Any]:
    """Parameters: the weight of the first token."""
    return {"initial_weights": [share, 1.0 - share]}


def window(prices: Prices) -> np.ndarray:
    return np.array(prices.prices)[START:]


def batch_profit(reserves: np.ndarray, price: np.ndarray, weights: np.ndarray, fees: Fees, out: int, at: Any) -> Any:
    """What an arbitrageur earns before gas in a batch that clears at ``at``, units of the other token per token ``out``."""
    into = 1 - out
    paid_out = weights[into] * reserves[out] - weights[out] * reserves[into] / at
    effective = weights[into] * reserves[out] * at - weights[out] * reserves[into]
    cost = (1.0 + fees.arb_fee / 2) / (1.0 - fees.swap_fee)
    return (1.0 - fees.arb_fee / 2) * paid_out * price[out] - cost * effective * price[into]


def clearing_price(
    reserves: np.ndarray, price: np.ndarray, weights: np.ndarray, fees: Fees, out: int, *, monopolist: bool
) -> float | None:
    """The price of a batch that takes out token ``out``; None where there is none."""
    into = 1 - out
    quoted = weights[out] * reserves[into] / (weights[into] * reserves[out])
    even = price[out] / price[into] * (1 - fees.swap_fee) * (1 - fees.arb_fee / 2) / (1 + fees.arb_fee / 2)
    if even <= quoted:
        return None
    best = math.sqrt(quoted * even)
    if batch_profit(reserves, price, weights, fees, out, best) < fees.gas_cost_usd:
        return None
    if monopolist or not fees.gas_cost_usd:
        return best if monopolist else even
    low, high = best, even  # the highest price that still earns the gas
    for _ in range(200):
        middle = 0.5 * (low + high)
        earns = batch_profit(reserves, price, weights, fees, out, middle) >= fees.gas_cost_usd
        low, high = (middle, high) if earns else (low, middle)
    return low


def plain_loop(
    prices: np.ndarray, weights: np.ndarray, fees: Fees, *, monopolist: bool, every: int
) -> tuple[Any, float]:
    """Reserves of every bar, and fee revenue: by clearing prices, one bar after the other."""
    reserves, revenue = 1e6 * weights / prices[0], 0.0
    path = [reserves]
    gamma, kept = 1.0 - fees.swap_fee, fees.swap_fee * (1.0 - fees.protocol_fee_split)
    for bar in range(1, len(prices)):
        price = prices[bar]
        for out in (0, 1) if bar % every == 0 else ():
            at = clearing_price(reserves, price, weights, fees, out, monopolist=monopolist)
            if at is None:
                continue
            effective = weights[1 - out] * reserves[out] * at - weights[out] * reserves[1 - out]
            moved = reserves.copy()
            moved[out] -= effective / at
            moved[1 - out] += effective + kept * effective / gamma
            volume = effective * price[1 - out]
            moved *= 1.0 + fees.noise_trader_ratio * kept / gamma * volume / (moved @ price)
            revenue += kept / gamma * volume * (1.0 + fees.noise_trader_ratio)
            reserves = moved
            break
        path.append(reserves)
    return np.array(path), revenue


# Quality, fees, bars between visits; one program each, for all weights.
LOOPS = [
    (1.0, "zero", 1),
    (0.0, "zero", 1),
    (1.0, "fee", 1),
    (0.3, "fee", 1),
    (1.0, "gas", 1),
    (0.3, "gas", 4),
    (0.7, "noise", 1),
    (0.3, "protocol", 4),
]


@pytest.mark.parametrize(("quality", "fees", "every"), LOOPS)
def test_the_pass_equals_a_plain_loop(quality: float, fees: str, every: int) -> None:
    experiment = experiment_of(quality, FEES[fees], pool={"arb_frequency": every})
    for seed, share in enumerate((0.5, 0.3, 0.85)):
        prices = random_prices(HALF_HOURS, 2, seed)
        path = bar_by_bar(experiment, of(share), prices)
        weights = np.array([share, 1 - share])
        perfect, monopolist = (
            plain_loop(window(prices), weights, experiment.fees, monopolist=monopolist, every=every)
            for monopolist in (False, True)
        )
        wanted, revenue = (
            quality * one + (1 - quality) * other for one, other in zip(perfect, monopolist, strict=True)
        )
        assert len(np.unique(wanted[:, 0])) > 20, "the case is to have something to follow"
        np.testing.assert_allclose(path.reserves, wanted, rtol=1e-11)
        np.testing.assert_allclose(path.value, (wanted * window(prices)).sum(axis=1), rtol=1e-11)
        assert path.fee_revenue == pytest.approx(revenue, rel=1e-8)
        np.testing.assert_allclose(path.weights, np.broadcast_to(weights, wanted.shape), rtol=1e-14)


# What makes a batch the right one


def one_batch(
    reserves: np.ndarray, price: np.ndarray, share: float, fees: dict[str, float], *, monopolist: bool
) -> np.ndarray:
    experiment = experiment_of(0.0 if monopolist else 1.0, fees)
    rates = FeeRates(*(jnp.asarray(rate) for rate in experiment.fees.rates))
    setup, weights = pool_setup(experiment, HALF_HOURS.bar_minutes), jnp.array([share, 1 - share])
    return np.asarray(
        batch(jnp.asarray(reserves), jnp.asarray(price), weights, costs_of(rates), setup, monopolist=monopolist)[0]
    )


BATCHES = [(out, share, fees) for out in (0, 1) for share in (0.5, 0.2) for fees in ("zero", "fee", "gas")]


def off_balance(out: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Reserves and prices, (2,): token ``out`` is worth 3 % more than the pool says."""
    price = np.array([50.0, 2.0])
    reserves = 1e6 * np.array([share, 1 - share]) / price
    price[out] *= 1.03
    return reserves, price


def clearing_price_of(before: np.ndarray, after: np.ndarray, fees: Fees, out: int) -> float:
    """What was paid per token that left, less the fee (no protocol fee)."""
    into = 1 - out
    return float((after[into] - before[into]) * (1 - fees.swap_fee) / (before[out] - after[out]))


@pytest.mark.parametrize(("out", "share", "fees"), BATCHES)
@pytest.mark.parametrize("monopolist", [False, True])
def test_a_batch_clears_at_the_price_that_the_pool_quotes_after_it(
    out: int, share: float, fees: str, *, monopolist: bool
) -> None:
    reserves, price = off_balance(out, share)
    weights, rates = np.array([share, 1 - share]), experiment_of(fees=FEES[fees]).fees
    after = one_batch(reserves, price, share, FEES[fees], monopolist=monopolist)
    at = clearing_price_of(reserves, after, rates, out)
    priced = after.copy()  # the pool's quote leaves the fee out
    priced[1 - out] -= rates.swap_fee * (after - reserves)[1 - out]
    quote = weights[out] * priced[1 - out] / (weights[1 - out] * priced[out])
    assert quote == pytest.approx(at, rel=1e-11)
    if not monopolist and fees != "gas":
        assert at == pytest.approx(price[out] / price[1 - out] * (1 - rates.swap_fee), rel=1e-11)
    if not monopolist:
        left = batch_profit(reserves, price, weights, rates, out, at)
        assert left == pytest.approx(rates.gas_cost_usd, abs=1e-6), "competition leaves nothing but the gas"


@pytest.mark.parametrize(("out", "share", "fees"), BATCHES)
def test_a_lone_arbitrageur_could_not_earn_more(out: int, share: float, fees: str) -> None:
    reserves, price = off_balance(out, share)
    weights, rates = np.array([share, 1 - share]), experiment_of(fees=FEES[fees]).fees
    at = clearing_price_of(reserves, one_batch(reserves, price, share, FEES[fees], monopolist=True), rates, out)
    others = at * np.exp(np.concatenate([-np.geomspace(1e-5, 0.2, 50), np.geomspace(1e-5, 0.2, 50)]))
    earned = batch_profit(reserves, price, weights, rates, out, at)
    assert earned > rates.gas_cost_usd
    assert (batch_profit(reserves, price, weights, rates, out, others) < earned).all()


@pytest.mark.parametrize("monopolist", [False, True])
def test_gas_that_is_not_earned_stops_the_batch(*, monopolist: bool) -> None:
    reserves, price = off_balance(0, 0.4)
    fees = {"swap_fee": 0.003, "gas_cost_usd": 1e4}
    np.testing.assert_array_equal(one_batch(reserves, price, 0.4, fees, monopolist=monopolist), reserves)


@pytest.mark.parametrize("fee", [0.0, 0.003])
def test_competition_lets_the_pool_trade_at_market_prices(fee: float) -> None:
    """Fee included, so that it loses nothing against a portfolio that follows its reserves."""
    prices = random_prices(HALF_HOURS, 2, 4)
    path = bar_by_bar(experiment_of(fees={"swap_fee": fee}), of(0.3), prices)
    np.testing.assert_allclose((path.reserves[:-1] * window(prices)[1:]).sum(axis=1), path.value[1:], rtol=1e-13)


def test_without_fees_competition_beats_a_lone_arbitrageur_and_she_beats_swaps() -> None:
    prices = random_prices(HALF_HOURS, 2, 4)
    path = bar_by_bar(experiment_of(), of(0.3), prices)
    market = window(prices)
    np.testing.assert_allclose(path.reserves * market / path.value[:, None], path.weights, rtol=1e-12)
    swaps = bar_by_bar(make_experiment("balancer", 2, HALF_HOURS), of(0.3), prices)
    monopolist = bar_by_bar(experiment_of(0.0), of(0.3), prices)
    assert path.value[-1] > monopolist.value[-1] > swaps.value[-1]


def test_nothing_is_traded_inside_the_band_nor_at_the_first_bar() -> None:
    steps = np.random.default_rng(0).uniform(-0.0014, 0.0014, (HALF_HOURS.total, 2))
    prices = prices_of(HALF_HOURS, np.array([300.0, 7.0]) * (1.0 + steps))
    path = bar_by_bar(experiment_of(0.5, {"swap_fee": 0.006}), of(0.4), prices)
    np.testing.assert_allclose(path.reserves, np.broadcast_to(path.reserves[0], path.reserves.shape), rtol=1e-15)
    np.testing.assert_allclose(path.reserves[0] * window(prices)[0], [4e5, 6e5], rtol=1e-13)
    assert path.fee_revenue == 0.0


@pytest.mark.parametrize("quality", [1.0, 0.4])
def test_swapping_the_tokens_swaps_the_result(quality: float) -> None:
    prices = random_prices(HALF_HOURS, 2, 5)
    turned = prices_of(HALF_HOURS, np.array(prices.prices)[:, ::-1], TOKENS[:2])
    experiment = experiment_of(quality, FEES["noise"])
    path, other = bar_by_bar(experiment, of(0.35), prices), bar_by_bar(experiment, of(0.65), turned)
    np.testing.assert_allclose(other.reserves[:, ::-1], path.reserves, rtol=1e-12)


# The published formulas


def published_loop(prices: np.ndarray, fee: float, gas: float, quality: float) -> np.ndarray:
    """Equal weights, from the first bar on; the monopolist arbitrageur takes whichever of two trades earns less."""
    gamma, runs = 1.0 - fee, []
    for monopolist in (False, True):
        reserves, path = 5e5 / prices[0], []
        for price in prices:
            ratio, (first, second) = price[0] / price[1], reserves
            if monopolist:
                down, up = math.sqrt(first * second / (gamma * ratio)), math.sqrt(first * second * ratio / gamma)
                trades = [
                    0.5 * np.array([first - down, second / gamma - up]),
                    0.5 * np.array([first / gamma - down, second - up]),
                ]
                earned = [float(given @ price) for given in trades]
                change = -trades[earned[1] <= earned[0] + 1e-8]  # alike at the first bar, but for rounding
                reserves = reserves + (change if -change @ price >= gas else 0.0)
            else:
                edge = min(max(second / first, ratio * gamma), ratio / gamma)
                change = np.array([second / edge - first, first * edge - second]) / 2
                reserves = reserves + np.where(change > 0.0, change / gamma, change)
            path.append(reserves)
        runs.append(np.array(path))
    return quality * runs[0] + (1.0 - quality) * runs[1]


@pytest.mark.parametrize(("fee", "gas", "quality"), [(0.0, 0.0, 1.0), (0.003, 0.0, 0.8), (0.003, 1.5, 0.0)])
def test_the_published_formulas_can_be_had(fee: float, gas: float, quality: float) -> None:
    fees = {"swap_fee": fee, "gas_cost_usd": gas}
    experiment = experiment_of(quality, fees, pool={"published_band_trades": quality < 1.0})
    for seed in range(3):
        prices = random_prices(HALF_HOURS, 2, seed)
        path = bar_by_bar(experiment, of(0.5), prices)
        np.testing.assert_allclose(path.reserves, published_loop(window(prices), fee, gas, quality), rtol=1e-11)


# Through the evaluator


def test_metrics_read_the_same_path() -> None:
    prices, experiment = random_prices(HALF_HOURS, 2, 6), experiment_of(0.8, FEES["noise"])
    evaluator = Evaluator(experiment, prices)
    first, n_bars = evaluator.splits["train"]
    raw = experiment.initial_parameters(of(0.3))
    names = ["returns", "returns_over_hodl", "daily_log_sharpe", "fee_revenue_over_value"]
    sampled = evaluator.evaluate_at(raw, [first], n_bars, names)
    result = simulate(experiment, of(0.3), prices)
    assert result.fee_revenue > 0.0
    assert result.fees is not None
    assert result.fees.sum() == pytest.approx(result.fee_revenue, rel=1e-9)
    for name in names:
        assert sampled[name][0] == pytest.approx(result.metrics[name], rel=1e-10), name
    assert result.metrics["returns"] == pytest.approx(result.value[-1] / result.value[0] - 1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("quality", "fees"), [(1.0, {}), (0.4, {}), (0.4, {"gas_cost_usd": 2.0, "noise_trader_ratio": 0.5})]
)
def test_the_gradient_of_the_fee_is_that_of_finite_differences(quality: float, fees: dict[str, float]) -> None:
    experiment = experiment_of(quality, fees, parameters={"swap_fee": 0.002})
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 8))
    step = 1e-6
    sets = stacked(evaluator, of(0.3), of(0.3), of(0.3))
    (fee,) = (name for name in sets if name != "initial_weights_logits")
    sets[fee] = sets[fee] + step * np.array([[0.0], [1.0], [-1.0]])
    starts, n_bars = [START], HALF_HOURS.n_bars
    values, gradients = evaluator.value_and_grad(sets, starts, n_bars, "returns")
    slope = (values[1] - values[2]) / (2 * step)
    assert abs(slope) > 1e-6
    assert gradients[fee][0, 0] == pytest.approx(slope, rel=1e-4)
    np.testing.assert_array_equal(gradients["initial_weights_logits"], 0.0)


@pytest.mark.parametrize("gas", [0.0, 3.0])
def test_gradients_are_finite_where_prices_stand_still(gas: float) -> None:
    experiment = experiment_of(0.5, {"gas_cost_usd": gas}, parameters={"swap_fee": 0.002})
    prices = prices_of(HALF_HOURS, np.full((HALF_HOURS.total, 2), [3.0, 0.7]))
    evaluator = Evaluator(experiment, prices)
    values, gradients = evaluator.value_and_grad(stacked(evaluator, {}), [START], HALF_HOURS.n_bars, "returns")
    assert values[0] == pytest.approx(0.0, abs=1e-14)
    assert all(np.isfinite(part).all() for part in gradients.values())


def outcome_of(setup: Any, monopolist: bool, reserves: Any, price: Any, weights: Any, rates: FeeRates) -> Any:
    after, volume = batch(reserves, price, weights, costs_of(rates), setup, monopolist=monopolist)
    return jnp.sum(jnp.log(after) * jnp.array([1.0, 0.3])) + 1e-3 * jnp.sum(volume)


OUTCOME = jax.jit(jax.value_and_grad(outcome_of, argnums=(2, 3, 4, 5)), static_argnums=(0, 1))


@pytest.mark.parametrize("fees", ["fee", "gas", "noise", "protocol"])
@pytest.mark.parametrize("monopolist", [False, True])
def test_derivatives_of_one_batch_are_those_of_finite_differences(fees: str, *, monopolist: bool) -> None:
    """By everything it depends on: reserves, prices, weights and rates; for pools up to 10 % off the market."""
    experiment, generator = experiment_of(0.0 if monopolist else 1.0, FEES[fees]), np.random.default_rng(4)
    setup = pool_setup(experiment, HALF_HOURS.bar_minutes)
    price, weights = np.exp(generator.uniform(-3, 3, (40, 2))), np.array([0.3, 0.7])
    reserves = 1e5 * weights / price * np.exp(generator.uniform(-0.1, 0.1, (40, 2)))
    rates = FeeRates(*(jnp.asarray(rate) for rate in experiment.fees.rates))

    outcome = functools.partial(OUTCOME, setup, monopolist)
    at = (jnp.asarray(reserves), jnp.asarray(price), jnp.asarray(weights), rates)
    gradient = jax.tree.leaves(outcome(*at)[1])
    along = jax.tree.map(lambda leaf: leaf * generator.standard_normal(leaf.shape), at)
    step = 1e-6
    up, down = (jax.tree.map(lambda x, dx, s=sign * step: x + s * dx, at, along) for sign in (1, -1))
    slope = float(outcome(*up)[0] - outcome(*down)[0]) / (2 * step)
    assert slope == pytest.approx(
        sum(float(jnp.sum(part * dx)) for part, dx in zip(gradient, jax.tree.leaves(along), strict=True)), rel=1e-6
    )


def test_nothing_compiles_twice(compilations: Counting) -> None:
    prices = [random_prices(HALF_HOURS, 2, seed) for seed in (0, 1)]
    rates: list[dict[str, float]] = [{"swap_fee": 0.0031}, {"swap_fee": 0.0042}]
    simulate(experiment_of(0.6, rates[0]), of(0.3), prices[0])
    with compilations() as again:
        simulate(experiment_of(0.6, rates[1]), of(0.7), prices[1])
    assert again == []


def test_costs_may_vary_in_time() -> None:
    """Twice the fee in the second half: as one pool and then the other."""
    layout = dataclasses.replace(HALF_HOURS, history=240, n_bars=240)
    prices = random_prices(layout, 2, 2)
    fee = np.where(np.arange(layout.total) < 360, 0.002, 0.004)
    experiment = make_experiment("cow", 2, layout, pool={"arb_quality": 0.5}, series={"swap_fee": "fee.csv"})
    path = bar_by_bar(experiment, of(0.4), prices, series={"swap_fee": fee})
    plain = make_experiment("cow", 2, layout, pool={"arb_quality": 0.5}, fees={"swap_fee": 0.002})
    early = bar_by_bar(plain, of(0.4), prices)
    np.testing.assert_allclose(path.reserves[:120], early.reserves[:120], rtol=1e-13)
    assert not np.allclose(path.reserves[-1], early.reserves[-1], rtol=1e-6)


def test_a_pool_may_hold_shares_of_one() -> None:
    """A subsidiary that trades in batches is worth what it is worth alone."""
    prices = random_prices(HALF_HOURS, 3, 3)
    part = {"rule": "cow", "tokens": list(TOKENS[:2]), "arb_quality": 0.4, "fees": {"swap_fee": 0.003}}
    outer = make_experiment("hodl", 3, HALF_HOURS, pool={"tokens": ["pair", TOKENS[2]]}, subsidiaries={"pair": part})
    path = bar_by_bar(outer, {}, prices)
    alone = make_experiment("cow", 2, HALF_HOURS, pool={"arb_quality": 0.4}, fees={"swap_fee": 0.003})
    alone = alone.override([f"periods.train_start={FIRST:%Y-%m-%dT%H:%M:%S}"])
    pair = bar_by_bar(alone, {}, prices_of(HALF_HOURS, np.array(prices.prices)[:, :2]))
    np.testing.assert_allclose(path.prices[:, 0], pair.value[START:] / 1e6, rtol=1e-12)


# What cannot be


@pytest.mark.parametrize(
    ("n_tokens", "pool", "parts"),
    [
        (3, {}, ("'cow'", "two tokens", "3")),
        (2, {"arb_quality": 1.2}, ("arb_quality",)),
        (2, {"rule": "balancer", "arb_quality": 0.5}, ("arb_quality = 0.5", "'batch'", "'weighted'")),
        (2, {"rule": "balancer", "published_band_trades": True}, ("published_band_trades", "'batch'")),
        (2, {"type": "batch", "rule": "momentum"}, ("'momentum'", "constant")),
        (3, {"type": "batch", "rule": "balancer"}, ("'batch'", "two tokens", "3")),
    ],
)
def test_pools_that_cannot_trade_in_batches_are_refused(
    n_tokens: int, pool: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refused:
        make_experiment("cow", n_tokens, HALF_HOURS, pool=pool)
    assert all(part in str(refused.value) for part in parts)


def test_exogenous_swaps_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"series\.trades.*swaps.*'cow'"):
        experiment_of(series={"trades": "trades.csv"})


def test_a_batch_pool_takes_any_constant_rule_or_none() -> None:
    prices = random_prices(HALF_HOURS, 2, 4)
    wanted = bar_by_bar(experiment_of(), {}, prices)
    for pool in ({"type": "batch", "rule": "balancer"}, {"type": "batch", "rule": None}):
        found = bar_by_bar(make_experiment("cow", 2, HALF_HOURS, pool=pool), {}, prices)
        assert all(map(np.array_equal, found[:4], wanted[:4]))


@pytest.mark.parametrize("path", ["closed_form", "per_bar"])
def test_vectorised_paths_are_refused(path: str) -> None:
    evaluator = Evaluator(experiment_of(), random_prices(HALF_HOURS, 2, 0))
    with pytest.raises(ConfigError, match="batches"):
        evaluator.value_and_grad(stacked(evaluator, {}), [START], HALF_HOURS.n_bars, "returns", path=path)
