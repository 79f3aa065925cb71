"""A study's pool on a chain: without the rounding of storage it is the simulation in floating point."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from chain_support import study

import quantsim
from quantsim.contract import pool as contract_pools
from quantsim.contract.fixed_point import ONE
from quantsim.errors import ConfigError
from quantsim.onchain import Chain, contract_pool, run_on_chain
from quantsim.onchain import run as runs
from quantsim.onchain.chain import bar_seconds
from quantsim.onchain.simulation import pool_prices, simulate_on_chain
from quantsim.simulator import Evaluator, period_of

RULES = {
    "momentum": {},
    "anti_momentum": {},
    "difference_momentum": {"alt_memory_days": 12.0},
    "power_channel": {"exponents": 1.4},
    "mean_reversion_channel": {"exponents": 1.2, "width": 0.1, "amplitude_per_day": 0.05},
}


def chain_run(experiment, chain=None, split="train"):
    evaluator = Evaluator(experiment)
    first, n_bars = period_of(evaluator, split)
    seconds, prices = bar_seconds(evaluator.prices), pool_prices(evaluator)
    return run_on_chain(contract_pool(experiment), seconds, prices, first, n_bars, evaluator.chunk_bars, chain)


@pytest.fixture
def unrounded(monkeypatch):
    """Contracts that store all 18 decimals."""
    monkeypatch.setattr(contract_pools, "stored_32", tuple)

    def each(pool, times):
        rows = [contract_pools.weights_at(pool, int(time)) for time in times]
        return np.array(rows, np.int64).reshape(len(times), len(pool.weights))

    monkeypatch.setattr(runs, "interpolated_weights", each)


@pytest.mark.usefixtures("unrounded")
@pytest.mark.parametrize("rule", RULES)
def test_with_all_decimals_stored_weights_are_those_of_the_simulation(rule):
    experiment = study(rule=rule, **RULES[rule])
    floating = quantsim.simulate(experiment.override(["fees.swap_fee=0.0"]))
    assert np.ptp(floating.weights[:, 0]) > 0.05
    np.testing.assert_allclose(chain_run(experiment).weights / ONE, floating.weights, rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def simulated():
    return quantsim.simulate(study(), arithmetic="contract")


def test_stored_digits_make_the_difference(simulated):
    found = simulated.on_chain.difference
    assert found.updates == 89
    assert found.moves == 2 * found.updates
    assert found.refused == found.reverted == 0
    assert 1e-7 < found.mean_weight < found.largest_weight < 1e-2
    assert 0.0 < abs(found.final_value_bps) <= found.largest_value_bps < 100.0
    assert json.dumps(simulated.on_chain.to_json(), allow_nan=False)
    text = " ".join(found.describe())
    assert "89 updates" in text
    assert "basis points" in text


def test_the_result_has_the_weights_of_the_contract(simulated):
    on_chain = simulated.on_chain
    sums = on_chain.run.weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(simulated.weights, on_chain.run.weights / sums, rtol=1e-14)
    assert 0 <= ONE - sums.min() < 1000 * 10**9
    assert simulated.value[-1] == on_chain.result.value[-1] != on_chain.floating.value[-1]
    assert simulated.metrics["turnover"] == pytest.approx(on_chain.floating.metrics["turnover"], rel=0.05)


def test_moves_too_small_to_be_stored_are_counted():
    slow = study("parameters.k_per_day=0.02")
    run = chain_run(slow)
    small = [update for update in run.updates if any(update.not_stored)]
    assert len(small) > 10
    for update in small:
        assert max(map(abs, update.move())) < 43_200 * 10**9  # 1e-9 a second
    assert {update.performed.pool.multipliers for update in small} == {(0, 0)}


def test_late_updates_start_late_and_missed_ones_leave_weights_moving():
    on_time, late = chain_run(study()), chain_run(study(), Chain(update_delay_seconds=7_000))
    assert {late.time - usual.time for usual, late in zip(on_time.updates, late.updates, strict=True)} == {7_008}
    third = on_time.updates[2]
    missing = chain_run(study(), Chain(missed_updates=(np.datetime64(third.time, "s"),)))
    assert [update.time for update in missing.updates] == [
        update.time for update in on_time.updates if update.time != third.time
    ]
    # Weights went on with the multipliers of the second update.
    second, next_one = missing.updates[1].performed.pool, missing.updates[2].performed
    elapsed = min(missing.updates[2].time, second.last_interpolation) - second.last_update
    assert elapsed > 43_200
    assert next_one.current == tuple(
        weight + each * elapsed for weight, each in zip(second.weights, second.multipliers, strict=True)
    )


def test_updates_that_come_too_early_are_refused():
    times = [np.datetime64("2018-04-01T12:00") + np.timedelta64(hours, "h") for hours in (0, 6, 12, 30)]
    run = chain_run(study(), Chain(update_times=tuple(times)))
    assert [update.time for update in run.updates] == [
        int(times[number].astype("datetime64[s]").astype(int)) for number in (0, 2, 3)
    ]
    assert len(run.refused) == 1


def test_an_oracle_with_a_delay_gives_an_older_price_and_one_with_few_decimals_a_shorter_one():
    usual, old = chain_run(study()), chain_run(study(), Chain(oracle_delay_seconds=43_200))
    assert [update.prices for update in old.updates[1:]] == [update.prices for update in usual.updates[:-1]]
    short = chain_run(study(), Chain(oracle_decimals=1))
    assert all(price % 10**17 == 0 for update in short.updates for price in update.prices)


def test_blocks_are_at_multiples_of_their_time():
    run = chain_run(study(), Chain(block_seconds=3_599, update_delay_seconds=1))
    assert all(update.time % 3_599 == 0 for update in run.updates)
    assert run.weights.shape == (45 * 24, 2)


def test_an_update_that_reverts_changes_nothing():
    pool = contract_pool(study(rule="min_variance"))
    seconds = 1_522_540_800 + 43_200 * np.arange(8)
    prices = np.array([[400.0, 7000.0]] * 5 + [[410.0, 7100.0]] + [[405.0, 7200.0]] * 2)
    run = run_on_chain(pool, seconds, prices, 0, 8, 1)
    assert [time for time, _ in run.reverted] == seconds[1:5].tolist()
    assert {reason for _, reason in run.reverted} == {f"div({ONE}, 0): division by zero reverts"}
    assert [update.time for update in run.updates] == seconds[5:].tolist()
    assert (run.weights[:6] == run.weights[0]).all()


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ({"block_seconds": 0}, "block_seconds = 0 must be a whole number from 1"),
        ({"oracle_decimals": 19}, "oracle_decimals = 19 must be a whole number from 0 to 18"),
        ({"update_times": ("2018-04-02",), "update_delay_seconds": 5}, "leave update_delay_seconds out"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(chain, message):
    with pytest.raises(ConfigError, match=message):
        Chain(**chain)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ConfigError, match="chain is for arithmetic = 'contract'"):
        quantsim.simulate(study(), chain=Chain())
    with pytest.raises(ConfigError, match="parameters of a contract cannot change"):
        quantsim.simulate(study(), arithmetic="contract", changes={"2018-04-10": {}})
    with pytest.raises(ConfigError, match="arithmetic = 'fixed'"):
        quantsim.simulate(study(), arithmetic="fixed")
    with pytest.raises(ConfigError, match="no update is planned at 2018-04-01T06:00:00"):
        simulate_on_chain(study(), chain=Chain(missed_updates=("2018-04-01T06:00",)))


def test_weights_stand_still_if_the_guard_takes_a_token_at_the_rail_below_it():
    experiment = study('data.tokens=["ETH", "BTC", "LTC", "XRP"]', "parameters.k_per_day=[0.5, 200.0, 600.0, 0.2]")
    run, settings = chain_run(experiment), contract_pool(experiment).settings
    performed = [update.performed for update in run.updates]
    early = [
        each for each in performed if each.pool.last_interpolation < each.pool.last_update + settings.update_interval
    ]
    assert early
    assert all(min(each.updated) < settings.guard_rail for each in early)
    assert run.held_bars > len(early)
    pairs = [(each.pool, after) for each, after in itertools.pairwise(performed)]
    still = [(pool, after) for pool, after in pairs if pool.last_interpolation == pool.last_update]
    assert still
    assert all(after.current == pool.weights for pool, after in still)
