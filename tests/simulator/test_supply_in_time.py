"""Liquidity providers join and leave: results are of one share, and only gas and swaps feel the supply."""

from __future__ import annotations

import numpy as np
import pytest

import quantsim
from quantsim import Experiment
from quantsim.errors import PriceError

STUDY = {
    "name": "lps",
    "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440, "forward_fill_bars": 8},
    "periods": {"train_start": "2018-04-01", "train_end": "2018-06-01", "test_end": "2018-07-01"},
    "pool": {"rule": "balancer", "initial_value_usd": 20_000.0},
    "fees": {"swap_fee": 0.003},
}
JOINS = "time,shares\n2018-04-21,1.0\n2018-05-11,-1.5\n"


@pytest.fixture
def study(tmp_path):
    def made(supply=JOINS, trades=None, **tables):
        series = {}
        for name, text in (("supply", supply), ("trades", trades)):
            if text is not None:
                (tmp_path / f"{name}.csv").write_text(text)
                series[name] = str(tmp_path / f"{name}.csv")
        return Experiment.from_dict({**STUDY, **tables, "series": series})

    return made


def test_without_gas_a_share_does_not_feel_the_supply(study):
    alone, joined = quantsim.simulate(study(None)), quantsim.simulate(study())
    np.testing.assert_array_equal(joined.value, alone.value)
    assert joined.metrics == pytest.approx(alone.metrics, nan_ok=True)
    assert alone.supply is None
    assert set(joined.supply) == {0.5, 1.0, 2.0}
    np.testing.assert_array_equal(joined.pool_value, joined.value * joined.supply)
    assert joined.frame["pool_value"].iloc[-1] == joined.pool_value[-1]
    assert joined.notes["supply"] == 0.5
    assert joined.data_id != alone.data_id


def test_gas_is_divided_by_the_supply_that_trades_meet(study, tmp_path):
    joined = quantsim.simulate(study(fees={"swap_fee": 0.003, "gas_cost_usd": 15.0}))
    costs = tmp_path / "gas.csv"
    costs.write_text("time,value\n2018-01-01,15\n2018-04-22,7.5\n2018-05-12,30\n")
    same = study(None).override([f'series.gas_cost_usd="{costs}"'])
    np.testing.assert_allclose(joined.value, quantsim.simulate(same).value, rtol=1e-13)
    alone = quantsim.simulate(study(None, fees={"swap_fee": 0.003, "gas_cost_usd": 15.0}))
    assert (joined.value[21:] != alone.value[21:]).any()


def test_a_pool_with_twice_the_shares_from_the_start_is_a_pool_of_twice_the_value(study):
    tables = {"fees": {"swap_fee": 0.003, "gas_cost_usd": 15.0}}
    trades = "time,token_in,token_out,amount_in,amount_out\n2018-04-10,BTC,ETH,0.05,\n2018-05-05,ETH,BTC,,0.02\n"
    joined = quantsim.simulate(study("time,shares\n2018-01-01,1.0\n", trades, **tables))
    large = quantsim.simulate(study(None, trades, pool={**STUDY["pool"], "initial_value_usd": 40_000.0}, **tables))
    np.testing.assert_allclose(joined.pool_value, large.value, rtol=1e-12)
    np.testing.assert_allclose(joined.trades.amount_in, large.trades.amount_in, rtol=1e-9)
    np.testing.assert_allclose(joined.trades.fee, large.trades.fee, rtol=1e-9)
    assert joined.metrics["returns"] == pytest.approx(large.metrics["returns"], rel=1e-12)
    terms = joined.attribution()
    assert terms["total"].sum() == pytest.approx(joined.value[-1] - joined.value[0], rel=1e-9)
    assert terms.drop(columns="total").to_numpy().sum() == pytest.approx(terms["total"].sum(), rel=1e-9)
    evaluated = quantsim.Evaluator(study("time,shares\n2018-01-01,1.0\n", trades, **tables))
    params = evaluated.experiment.initial_parameters()
    assert evaluated.evaluate(params, ["returns"])["train"]["returns"] == pytest.approx(
        joined.metrics["returns"], rel=1e-9
    )


def test_amounts_need_a_value_that_the_supply_does_not_change(study):
    amounts = "time,amount_usd\n2018-04-21,5000\n"
    joined = quantsim.simulate(study(amounts))
    bar = int(np.flatnonzero(np.diff(joined.supply))[0]) + 1
    assert joined.supply[-1] == 1.0 + 5_000.0 / joined.value[bar]
    with pytest.raises(PriceError, match="amount_usd is for pools without gas"):
        quantsim.simulate(study(amounts, fees={"swap_fee": 0.003, "gas_cost_usd": 1.0}))
