"""A study whose pool has given weights: the updates of a contract, replayed from a table."""

from __future__ import annotations

import numpy as np
import pytest
from chain_support import replayed, study

import quantsim
from quantsim.contract.fixed_point import ONE
from quantsim.errors import ConfigError, PriceError

TOKENS = ("ETH", "BTC", "LTC")
THREE = f"data.tokens={list(TOKENS)}".replace("'", '"')


@pytest.fixture(scope="module")
def chain():
    """A pool of three tokens, whose stored weights do not sum to 1 between updates."""
    return quantsim.simulate(study(THREE), arithmetic="contract")


@pytest.fixture
def table(chain, tmp_path):
    """The updates of a contract, as its events have them."""
    pools = [chain.on_chain.run.pool, *(update.performed.pool for update in chain.on_chain.run.updates)]
    rows = [",".join(["time", *TOKENS, *(f"multiplier_{token}" for token in TOKENS), "last_interpolation"])]
    for pool in pools:
        numbers = [value / ONE for value in (*pool.weights, *pool.multipliers)]
        last = min(pool.last_interpolation, 2**40 - 1)
        rows.append(",".join([str(np.datetime64(pool.last_update, "s")), *map(repr, numbers), str(last)]))
    path = tmp_path / "updates.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_replay_of_updates_is_the_simulation_of_the_contract(chain, table):
    sums = chain.on_chain.run.weights.sum(axis=1) / ONE
    assert np.abs(sums - 1.0).max() > 1e-6
    found = quantsim.simulate(replayed(table, TOKENS))
    np.testing.assert_allclose(found.weights, chain.weights, rtol=1e-12)
    np.testing.assert_allclose(found.value, chain.value, rtol=1e-11)
    assert found.metrics["turnover"] == pytest.approx(chain.metrics["turnover"], rel=1e-9)
    assert found.data_id != chain.data_id


def test_metrics_of_splits_and_of_a_simulation_agree(table):
    experiment = replayed(table, TOKENS)
    assert not experiment.active_parameters
    evaluated = quantsim.Evaluator(experiment).evaluate(experiment.initial_parameters())
    simulated = quantsim.simulate(experiment)
    assert evaluated["train"]["daily_log_sharpe"] == pytest.approx(simulated.metrics["daily_log_sharpe"], rel=1e-9)
    assert evaluated["train"]["returns"] == pytest.approx(simulated.metrics["returns"], rel=1e-9)


def test_without_fees_they_are_the_same_on_every_bar(chain, table):
    free = replayed(table, TOKENS).override(["fees.swap_fee=0.0"])
    assert quantsim.simulate(free).value[-1] == pytest.approx(
        quantsim.simulate(study(THREE, "fees.swap_fee=0.0"), arithmetic="contract").value[-1], rel=1e-11
    )


def test_what_is_missing_is_named(table, tmp_path):
    with pytest.raises(ConfigError, match=r"needs the weights of a series: set series\.weights"):
        replayed(table).override(["series={}"])
    with pytest.raises(ConfigError, match=r"series\.weights = .* is for rule = 'given_weights'"):
        study(f'series.weights="{table}"')
    late = tmp_path / "late.csv"
    late.write_text("time,ETH,BTC\n2018-04-05,0.5,0.5\n")
    with pytest.raises(PriceError, match="is later than 2018-04-01"):
        quantsim.simulate(replayed(late))
