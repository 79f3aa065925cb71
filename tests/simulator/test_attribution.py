"""Terms of profit and loss sum to the change of value, and each is what its name says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import quantsim
from quantsim.errors import ConfigError
from quantsim.prices import Trades
from quantsim.simulator.attribution import TERMS, attribute

BASE: dict[str, Any] = {
    "name": "attributed",
    "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440, "forward_fill_bars": 8},
    "periods": {
        "train_start": "2018-04-01",
        "train_end": "2018-06-01",
        "validation_end": "2018-07-01",
        "test_end": "2018-08-01",
    },
    "pool": {"rule": "momentum"},
    "update": {"max_memory_days": 30.0},
    "parameters": {"memory_days": 10.0, "k_per_day": 1.0},
}
THREE = {"data": {**BASE["data"], "tokens": ["ETH", "BTC", "LTC"]}}
CASES = {
    "zero fee": {},
    "zero fee, three tokens": THREE,
    "fee": {"fees": {"swap_fee": 0.003}},
    "all costs, three tokens": {
        **THREE,
        "fees": {
            "swap_fee": 0.01,
            "arb_fee": 0.001,
            "gas_cost_usd": 5.0,
            "noise_trader_ratio": 0.4,
            "protocol_fee_split": 0.5,
        },
    },
    "batch": {
        "pool": {"type": "batch", "rule": "balancer", "arb_quality": 0.5},
        "parameters": {},
        "fees": {"swap_fee": 0.003, "noise_trader_ratio": 0.2},
    },
    "composite": {
        **THREE,
        "pool": {"rule": "momentum", "tokens": ["ETH", "majors"]},
        "subsidiaries": {"majors": {"tokens": ["BTC", "LTC"], "rule": "anti_momentum", "fees": {"swap_fee": 0.002}}},
        "fees": {"swap_fee": 0.003},
    },
    "hold": {"pool": {"rule": "hodl"}, "parameters": {}},
}


@pytest.fixture(scope="module")
def results() -> dict[str, quantsim.Simulation]:
    studies = {name: quantsim.Experiment.from_dict({**BASE, **changes}) for name, changes in CASES.items()}
    return {name: quantsim.simulate(study, split="all") for name, study in studies.items()}


@pytest.mark.parametrize("name", CASES)
def test_terms_sum_to_the_change_of_value(name: str, results: dict[str, quantsim.Simulation]) -> None:
    result = results[name]
    for per in ("bar", "day", "split"):
        table = result.attribution(per)
        gained = result.value[-1] - result.value[0]
        assert abs(table[list(TERMS)].to_numpy().sum() - gained) <= 1e-9 * result.value[0]
        np.testing.assert_allclose(table[list(TERMS)].sum(axis=1), table["total"], atol=1e-9 * result.value[0])


@pytest.mark.parametrize("name", CASES)
def test_terms_agree_with_the_metrics(name: str, results: dict[str, quantsim.Simulation]) -> None:
    result, terms = results[name], results[name].attribution("bar").sum()
    start = result.value[0]
    np.testing.assert_allclose(terms["fees"] + terms["noise"], result.fee_revenue, rtol=1e-9, atol=1e-9)
    net = terms[["arbitrage", "gas", "fees", "noise", "swaps"]].sum() / start
    np.testing.assert_allclose(net, result.metrics["lvr"], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(start + terms["held"], result.prices[-1] @ result.reserves[0], rtol=1e-12)
    bars = result.attribution("bar")
    assert (bars["arbitrage"] + bars["gas"] <= 1e-9 * start).all()  # nobody trades at a loss
    assert (bars[["fees", "noise"]] >= -1e-9).all(axis=None)


def test_costs_split_what_arbitrageurs_and_noise_traders_leave(results: dict[str, quantsim.Simulation]) -> None:
    """By definition, from the reserves: the profit after gas of arbitrageurs who pay fees and their own costs."""
    result = results["all costs, three tokens"]
    terms, fees = result.attribution("bar"), result.experiment.fees
    np.testing.assert_allclose(terms["noise"], fees.noise_trader_ratio * terms["fees"], rtol=1e-9, atol=1e-9)
    traded = terms["gas"] < 0.0
    assert 0 < traded.sum() < len(terms)
    np.testing.assert_array_equal(terms["gas"], np.where(traded, -5.0, 0.0))
    assert (terms["arbitrage"][~traded].abs() < 1e-6).all()
    # What arbitrageurs take covers the fees they pay: to the pool, and as much to the protocol.
    paid = terms["fees"] / (1.0 - fees.protocol_fee_split)
    assert (-terms["arbitrage"][traded] >= paid[traded] * (1.0 - 1e-9)).all()


@pytest.mark.parametrize("split", [0.25, 1.0])
def test_exogenous_swaps_and_gas_of_a_series(split: float) -> None:
    """Without arbitrage, swaps with their fees are all that changes the value at constant prices."""
    fees = {"swap_fee": 0.01, "protocol_fee_split": split}
    tables = {**BASE, "parameters": {}, "fees": fees, "series": {"trades": "given", "gas_cost_usd": "given"}}
    prices = quantsim.Experiment.from_dict({**BASE}).load_prices()
    first = np.datetime64("2018-04-01T12:00:00")
    times = first + np.array([3, 5, 40]).astype("timedelta64[D]")
    amounts = np.array([20.0, np.nan, 3.0]), np.array([np.nan, 2.0, np.nan])
    swaps = Trades(times, ("ETH", "ETH", "BTC"), ("BTC", "BTC", "ETH"), *amounts)
    gas = np.linspace(1.0, 2.0, prices.n_bars)
    for do_arb in (False, True):
        study = quantsim.Experiment.from_dict({**tables, "pool": {"rule": "balancer", "do_arb": do_arb}})
        result = quantsim.simulate(study, prices=prices, split="all", series={"trades": swaps, "gas_cost_usd": gas})
        terms = result.attribution("bar")
        gained = result.value[-1] - result.value[0]
        assert abs(terms[list(TERMS)].to_numpy().sum() - gained) <= 1e-9 * result.value[0]
        np.testing.assert_allclose(terms["fees"].sum(), result.fee_revenue, rtol=1e-9, atol=1e-9)
        assert np.count_nonzero(terms["swaps"]) == 3
        if do_arb:
            traded = terms["gas"] < 0.0
            assert 0 < traded.sum() < len(terms)
            at = np.searchsorted(prices.times, result.times)
            np.testing.assert_array_equal(-terms["gas"][traded], gas[at][traded])
        else:
            assert (terms["gas"] == 0.0).all()
            assert (terms["arbitrage"].abs() < 1e-9 * result.value[0]).all()


def test_a_pool_that_states_no_fees_has_them_in_the_result_of_its_trades(
    results: dict[str, quantsim.Simulation],
) -> None:
    result = results["fee"]
    whole, unknown = attribute(result), attribute(dataclasses.replace(result, fees=None))
    assert not unknown["fees"].any()
    np.testing.assert_allclose(unknown["arbitrage"], whole["arbitrage"] + whole["fees"], atol=1e-9 * result.value[0])


def test_rows_are_bars_days_or_splits(results: dict[str, quantsim.Simulation]) -> None:
    with pytest.raises(ConfigError, match="per = 'week'"):
        results["fee"].attribution("week")  # type: ignore[arg-type]
