"""The volume of all trades, by who trades: fees are what they should be of it, whoever pays them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pool_support import HALF_HOURS, TOKENS, make_experiment, random_prices

from quantsim.prices import Trades
from quantsim.simulator import Evaluator, Result
from quantsim.simulator import result as result_module
from quantsim.simulator.attribution import attribute
from quantsim.simulator.volumes import traded_volumes

PRICES = random_prices(HALF_HOURS, 2, 0)
FEE = 0.003
MODEL = {"usd_per_day": 3e5, "tvl_elasticity": 0.6, "fee_elasticity": 0.8}


def swaps(bars: np.ndarray) -> Trades:
    """Large swaps of the first token, at bars of the prices."""
    times, amounts = PRICES.times[bars].astype("datetime64[us]"), 5e4 / PRICES.prices[bars, 0]
    nothing = np.full(bars.size, np.nan)
    return Trades(times, TOKENS[:1] * bars.size, TOKENS[1:2] * bars.size, amounts, nothing)


CASES: dict[str, dict[str, Any]] = {
    "arbitrage": {"fees": {"swap_fee": FEE, "protocol_fee_split": 0.25}},
    "noise": {"fees": {"swap_fee": FEE, "noise_trader_ratio": 2.0}},
    "elastic": {"fees": {"swap_fee": FEE, "volume": "elastic", "volume_model": MODEL, "protocol_fee_split": 0.25}},
    "swaps": {"fees": {"swap_fee": FEE}, "series": {"trades": "given"}},
}


@pytest.fixture(scope="module")
def results() -> dict[str, tuple[Result, dict[str, np.ndarray]]]:
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_module, "metric_names", tuple)  # they would only be compiled
        for name, tables in CASES.items():
            experiment = make_experiment("balancer", 2, HALF_HOURS, **tables)
            given = {"trades": swaps(HALF_HOURS.history + np.arange(3, 200, 5))} if "series" in tables else None
            result = result_module.simulate_on(Evaluator(experiment, PRICES, given))
            found[name] = result, traded_volumes(result, experiment.fees)
    return found


@pytest.mark.parametrize("case", CASES)
def test_fees_are_the_fee_of_the_volume(case: str, results: dict[str, Any]) -> None:
    result, found = results[case]
    kept = FEE * (1.0 - CASES[case]["fees"].get("protocol_fee_split", 0.0))
    paid = attribute(result, CASES[case]["fees"].get("noise_trader_ratio", 0.0))
    parts = sum(found[name] for name in ("arbitrage_volume", "noise_volume", "swap_volume"))
    np.testing.assert_allclose(found["volume"], parts, rtol=1e-14)
    # A fee is of the amount in, and volume is the mean of in and out, whose values differ by the move of the price.
    assert result.fees.sum() == pytest.approx(kept * found["volume"].sum(), rel=0.02)
    assert paid["noise"].sum() == pytest.approx(kept * found["noise_volume"].sum(), rel=0.02, abs=1e-9)
    assert result.swap_fee == FEE


def test_each_kind_of_trade_has_its_volume(results: dict[str, Any]) -> None:
    sums = {case: {name: float(values.sum()) for name, values in found.items()} for case, (_, found) in results.items()}
    assert [sums["arbitrage"][name] for name in ("noise_volume", "swap_volume")] == [0.0, 0.0]
    assert sums["noise"]["noise_volume"] == pytest.approx(2.0 * sums["noise"]["arbitrage_volume"], rel=1e-12)
    assert sums["noise"]["arbitrage_volume"] == pytest.approx(sums["arbitrage"]["arbitrage_volume"], rel=0.02)
    days = HALF_HOURS.n_bars / 48
    model = MODEL["usd_per_day"] * np.mean((results["elastic"][0].value / 1e6) ** MODEL["tvl_elasticity"])
    assert sums["elastic"]["noise_volume"] == pytest.approx(days * model, rel=0.35)  # by the day's volatility


def test_arbitrage_against_a_swap_is_volume_too(results: dict[str, Any]) -> None:
    result, found = results["swaps"]
    trades = result.trades
    bars = np.searchsorted(result.times, trades.times, side="right") - 1
    value_in, value_out = trades.amount_in * result.prices[bars, 0], trades.amount_out * result.prices[bars, 1]
    np.testing.assert_allclose(found["swap_volume"][bars], 0.5 * (value_in + value_out), rtol=1e-12)
    net = 0.5 * np.abs(np.diff(result.reserves, axis=0) * result.prices[1:]).sum(axis=1)
    more = found["volume"][bars] - net[bars - 1]
    against = more > 1.0
    np.testing.assert_allclose(more[~against], 0.0, atol=1e-6)  # no arbitrage, or in the same direction
    assert against.sum() > 3, "arbitrage undoes a part of a swap"
