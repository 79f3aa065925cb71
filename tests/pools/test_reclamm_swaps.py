"""Exogenous swaps with a reCLAMM pool: against a plain loop, by gradients, and there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reclamm_reference as reference
from pool_support import (
    FEES,
    FIRST,
    HALF_HOURS,
    TOKENS,
    along_coordinates,
    bar_by_bar,
    make_experiment,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Experiment
from quantsim.pools.exogenous_swaps import Outcome
from quantsim.prices import Trades

START, NAN = HALF_HOURS.history, float("nan")
PRICES = random_prices(HALF_HOURS, 2, 5)
Row = tuple[int, int, float, float]  # bar of the window, token in, amount in, amount out


def trades_of(rows: list[Row]) -> Trades:
    first = np.datetime64(FIRST.replace(tzinfo=None), "s")
    times = [first + np.timedelta64(60 * HALF_HOURS.bar_minutes * (START + bar), "s") for bar, *_ in rows]
    tokens = [tuple(TOKENS[side] for _, side, *_ in rows), tuple(TOKENS[1 - side] for _, side, *_ in rows)]
    return Trades(np.array(times), *tokens, np.array([row[2] for row in rows]), np.array([row[3] for row in rows]))


def drawn(seed: int, n_trades: int = 50) -> list[Row]:
    """Swaps of very different sizes, several in some bars, larger than the pool now and then."""
    generator = np.random.default_rng(seed)
    bars = np.sort(generator.integers(0, HALF_HOURS.n_bars, n_trades))
    bars[10:13] = bars[10]
    rows = []
    for bar in bars.tolist():
        side, exact_in = int(generator.integers(2)), generator.random() < 0.5
        token = side if exact_in else 1 - side
        amount = float(5e5 * np.exp(generator.uniform(-9.0, 1.0)) / PRICES.prices[START + bar, token])
        rows.append((bar, side, amount, NAN) if exact_in else (bar, side, NAN, amount))
    return rows


def reclamm(fees: str, pool: dict[str, Any] | None = None) -> Experiment:
    parameters = {"price_ratio": 1.4, "centeredness_margin": 0.4, "shift_exponent": 0.5}
    pool = {"type": "reclamm", "rule": None, **(pool or {})}
    series = {"trades": "given"}
    return make_experiment("", 2, HALF_HOURS, fees=FEES[fees], pool=pool, parameters=parameters, series=series)


@pytest.mark.parametrize(
    ("fees", "pool"),
    [
        ("zero", {}),
        ("fee", {"range_shift": "constant_arc_length"}),
        ("gas", {"arb_frequency": 7}),
        ("noise", {"arb_frequency": 7, "centeredness_scaling": True}),
        ("protocol", {"do_arb": False}),
    ],
    ids=str,
)
def test_balances_and_fills_agree_with_a_plain_loop(fees: str, pool: dict[str, Any]) -> None:
    experiment, rows = reclamm(fees, pool), drawn(3)
    found = bar_by_bar(experiment, {}, PRICES, series={"trades": trades_of(rows)})
    costs, settings = experiment.fees, experiment.pool
    visit = 60.0 * HALF_HOURS.bar_minutes * settings.arb_frequency
    one = reference.Pool(
        *reference.centred(1e6, found.prices[0], 1.4),
        *(0.4, 0.5, visit, costs.swap_fee, costs.arb_fee, costs.gas_cost_usd),
        *(costs.noise_trader_ratio, costs.protocol_fee_split),
        settings.range_shift == "constant_arc_length",
        settings.centeredness_scaling,
    )
    balances, fees_of_bars, fills, age = [], [], {}, visit
    for bar, prices in enumerate(found.prices):
        swaps = [at for at, row in enumerate(rows) if row[0] == bar and bar > 0]
        arbitraged, earned = settings.do_arb and bar % settings.arb_frequency == 0, 0.0
        if arbitraged or swaps:
            one.seconds, age = age, 0.0
            one.move_range(prices[0] / prices[1])
        earned += one.arbitrage(list(prices)) if arbitraged else 0.0
        for at in swaps:
            _, side, *amounts = rows[at]
            fills[at] = one.swap(side, *(None if np.isnan(amount) else amount for amount in amounts))
            earned += costs.swap_fee * (1 - costs.protocol_fee_split) * fills[at][0] * prices[side]
        age += 60.0 * HALF_HOURS.bar_minutes
        balances.append([*one.real, *one.virtual])
        fees_of_bars.append(earned)
    np.testing.assert_allclose(np.column_stack([found.reserves, found.state["virtual"]]), balances, rtol=1e-9)
    np.testing.assert_allclose(found.fees, fees_of_bars, rtol=1e-6, atol=1e-6)
    assert found.fills is not None
    wanted = np.array([fills.get(at, (0.0, 0.0)) for at in range(len(rows))])
    np.testing.assert_allclose(
        np.column_stack([found.fills.amount_in, found.fills.amount_out]), wanted, rtol=1e-8, atol=1e-12
    )
    outcomes = set(found.fills.outcome.tolist())
    assert {Outcome.EXECUTED, Outcome.EMPTIES_POOL} <= outcomes


def test_without_swaps_it_is_the_same_pool() -> None:
    swapless = bar_by_bar(reclamm("fee"), {}, PRICES, series={"trades": trades_of([(-5, 0, 1.0, NAN)])})
    without = reclamm("fee").replace(series={"trades": None})
    np.testing.assert_allclose(swapless.reserves, bar_by_bar(without, {}, PRICES).reserves, rtol=1e-12)


@pytest.mark.parametrize("kind", ["reclamm", "weighted"])
def test_no_swap_there_and_back_earns(kind: str) -> None:
    experiment = reclamm("fee", {"do_arb": False})
    if kind == "weighted":
        experiment = make_experiment(
            "balancer", 2, HALF_HOURS, fees=FEES["fee"], pool={"do_arb": False}, series={"trades": "given"}
        )
    for fee in (1e-12, 0.003):
        priced = experiment.replace(fees={"swap_fee": fee})
        amount = 2e4 / PRICES.prices[START + 5, 0]

        def swapped(back: float, priced: Experiment = priced, amount: float = amount) -> np.ndarray:
            rows = [(5, 0, amount / 2, NAN), (5, 0, amount / 2, NAN), (5, 1, back, NAN)]
            return bar_by_bar(priced, {}, PRICES, series={"trades": trades_of(rows)}).fills.amount_out

        earned = swapped(float(swapped(1e-12)[:2].sum()))[2]
        assert amount * (1.0 - 2.1 * fee - 1e-9) <= earned <= amount * (1.0 - 1.9 * fee + 1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    evaluator = Evaluator(reclamm("protocol", {"arb_frequency": 3}), PRICES, {"trades": trades_of(drawn(4))})
    names = [("log_price_ratio_excess", 0), ("log_shift_exponent", 0)]
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {}), names, 1e-5)
    assert np.abs(found).min() > 1e-7
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
