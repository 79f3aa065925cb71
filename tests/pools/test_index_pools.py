"""Index pools, from configurations of quantammsim, against plain loops over bars; and portfolios off the chain."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

import numpy as np
import pool_reference as reference
import pytest
from pool_support import (
    FIRST,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    make_experiment,
    prices_of,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Experiment
from quantsim.errors import ConfigError, FingerprintWarning
from quantsim.parameters.transforms import logit_from_memory_days

PRICES = random_prices(HALF_HOURS, 3, 6)
SUPPLY = np.array([5e7, 1e8, 3e9]) / PRICES.prices[0] * np.linspace(1.0, [1.1, 1.0, 0.9], HALF_HOURS.total)
START = FIRST + timedelta(minutes=30 * HALF_HOURS.history)
END = START + timedelta(minutes=30 * HALF_HOURS.n_bars)
INDEX = {
    "tokens": ["BTC", "ETH", "XRP"],
    "startDateString": f"{START:%Y-%m-%d %H:%M:%S}",
    "endDateString": f"{END:%Y-%m-%d %H:%M:%S}",
    "chunk_period": 240,
    "weight_interpolation_period": 60,
    "maximum_change": 2e-3,
    "max_memory_days": 5.0,
    "initial_memory_length": 0.4,
    "optimisation_settings": {"val_fraction": 0.0},
    "cap_weights": 0.5,
}


def index(**keys: Any) -> Experiment:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FingerprintWarning)
        return Experiment.from_fingerprint({**INDEX, **keys}, series={"oracle": "supplies.csv"})


def weights_of(cap: float, history: int = HALF_HOURS.history) -> np.ndarray:
    """Weights at every bar of the window: towards the capped shares of price times supply, by ramps of 2 of 8 bars."""
    logit = float(logit_from_memory_days(np.array(0.4), 240.0))
    decay, rows, position = 1 / (1 + np.exp(-logit)), [], np.zeros(0)
    for first in range(history, history + HALF_HOURS.n_bars, 8):
        caps = PRICES.prices[first] * SUPPLY[first]
        target = caps / caps.sum()
        while target.max() > cap * (1 + 1e-15):
            high = target >= cap
            target = np.where(high, cap, target * (1 - cap * high.sum()) / target[~high].sum())
        position = position if position.size else target
        step = (decay * position + (1 - decay) * target - position) / 2
        step *= min(1.0, 2e-3 * 30 / max(np.abs(step).max(), 1e-300))
        rows += [position + min(inside, 2) * step for inside in range(8)]
        position = position + 2 * step
    return np.array(rows)[: HALF_HOURS.n_bars]


def run(experiment: Experiment) -> Any:
    return bar_by_bar(experiment, {}, PRICES, series={"oracle": SUPPLY})


def portfolio(
    weights: np.ndarray, prices: np.ndarray, fee: float, spreads: np.ndarray, visits: list[int], kept: float
) -> np.ndarray:
    """Reserves at every bar, (T, n), of a portfolio that is rebalanced at visits to the old weights, then to the new ones."""
    reserves, rows = 1e6 * weights[0] / prices[0], []
    for bar, price in enumerate(prices):
        if bar and bar in visits:
            for at in (weights[bar - 1], weights[bar]):
                value = reserves @ price
                traded = at * value / price - reserves
                cost = fee * (np.maximum(-traded, 0.0) @ price) + 0.5 * (spreads * np.abs(traded)) @ price
                reserves = at * (value - cost) / price
            reserves = reserves * kept
        rows.append(reserves)
    return np.array(rows)


def test_a_hodling_index_trades_on_chain_for_part_of_each_chunk() -> None:
    experiment = index(rule="hodling_index_market_cap", fees=0.003)
    assert experiment.pool.trading_minutes == 60
    found, weights = run(experiment), weights_of(0.5)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-10)
    assert weights.max() <= 0.5 + 1e-15
    one = reference.Market(found.prices, 0, 0, 0, 30, 240, 60, 0.0, "", swap_fee=0.003)
    reserves, rows = 1e6 * weights[0] / found.prices[0], []
    for bar, price in enumerate(found.prices):
        for at in (weights[bar - 1], weights[bar]) if bar and bar % 8 < 2 else ():
            reserves = reference._arbitrage(one, bar, reserves, price, at)[0]
        rows.append(reserves)
    np.testing.assert_allclose(found.reserves, rows, rtol=1e-10)


def test_a_traditional_index_is_rebalanced_off_the_chain() -> None:
    experiment = index(rule="trad_hodling_index_market_cap", fees=0.001, annual_streaming_fee=0.2)
    spreads = np.array([0.002, 0.0, 0.004])
    experiment = experiment.override([f"pool.spread={spreads.tolist()}"])
    found, weights = run(experiment), weights_of(0.5)
    visits = [bar for bar in range(HALF_HOURS.n_bars) if bar % 8 < 2]
    per_year = 2 * 525_960 / 240
    wanted = portfolio(weights, found.prices, 0.001, spreads, visits, 0.8 ** (1 / per_year))
    np.testing.assert_allclose(found.reserves, wanted, rtol=1e-10)
    assert not found.fees.any()


@pytest.mark.parametrize("prefix", ["lvr", "rvr"])
def test_a_portfolio_versus_rebalancing_is_rebalanced_at_every_bar(prefix: str) -> None:
    experiment = index(rule=f"{prefix}__hodling_index_market_cap", fees=0.002, arb_frequency=5, do_arb=False)
    found, weights = run(experiment), weights_of(0.5)
    wanted = portfolio(weights, found.prices, 0.002, np.zeros(3), list(range(HALF_HOURS.n_bars)), 1.0)
    np.testing.assert_allclose(found.reserves, wanted, rtol=1e-10)


@pytest.mark.parametrize(("arb_frequency", "last"), [(2, 200), (3, 192)])
def test_the_annual_fee_of_a_year_does_not_depend_on_the_number_of_visits(arb_frequency: int, last: int) -> None:
    """Three of eight bars are open: two of them are visited in each chunk, or every one of them once in three chunks."""
    pool = {"type": "rebalanced", "trading_minutes": 90, "annual_fee": 0.2, "arb_frequency": arb_frequency}
    flat = prices_of(HALF_HOURS, np.ones((HALF_HOURS.total, 2)))
    found = bar_by_bar(make_experiment("balancer", 2, HALF_HOURS, pool=pool), {}, flat)
    assert found.value[last] / found.value[0] == pytest.approx(0.8 ** (30 * last / 525_960), rel=1e-12)


def test_gradients_of_a_portfolio_are_those_of_finite_differences() -> None:
    pool = {"type": "rebalanced", "trading_minutes": 90, "spread": 0.002, "annual_fee": 0.04}
    parameters = {"swap_fee": 0.002, "memory_days": [0.3, 0.4, 0.6], "cap": 0.55}
    experiment = make_experiment(
        "index_supply", 3, HALF_HOURS, pool=pool, parameters=parameters, series={"oracle": "supplies.csv"}
    )
    evaluator = Evaluator(experiment, PRICES, {"oracle": SUPPLY})
    coordinates = [("logit_lamb", 0), ("log_cap", 0), ("log_cap", 2), ("logit_swap_fee", 0)]
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {}), coordinates, 1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-10)
    assert np.abs(wanted).min() < np.abs(wanted).max()


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({"spread": [0.1, 0.1]}, r"pool.spread = \[0.1, 0.1\] must be one number, or one for each of BTC, ETH, XRP"),
        ({"spread": -0.1}, "greater than or equal to 0"),
        ({"annual_fee": 1.0}, "less than 1"),
        ({"trading_minutes": 500}, "must not exceed update.chunk_minutes"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(pool: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_experiment("momentum", 3, HALF_HOURS, pool={"type": "rebalanced", **pool})


def test_caps_and_costs_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cap = 0\.3 for each of 3 tokens sums to 0.9"):
        index(rule="index_market_cap", cap_weights=0.3)
    with pytest.raises(ConfigError, match=r"'rebalanced' does not charge fees.gas_cost_usd"):
        make_experiment("momentum", 3, HALF_HOURS, pool={"type": "rebalanced"}, fees={"gas_cost_usd": 1.0})
