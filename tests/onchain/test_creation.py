"""What creates a pool's contract, and the replay to check it with."""

from __future__ import annotations

import json

import pytest
from chain_support import study

from quantsim.contract import RULES, PoolState, RuleState, Settings, perform_update
from quantsim.errors import ConfigError
from quantsim.onchain import contract_document, contract_pool
from quantsim.report.deployment import check_accepted, deployment

EXPERIMENT = study()


@pytest.fixture(scope="module")
def prices():
    return EXPERIMENT.load_prices()


@pytest.fixture(scope="module")
def document(prices):
    return contract_document(EXPERIMENT, prices=prices)


def test_arguments_have_the_names_and_order_of_the_factory(document):
    assert list(document["creation"]) == [
        *("name", "symbol", "tokens", "normalizedWeights", "roleAccounts", "swapFeePercentage", "poolHooksContract"),
        *("enableDonation", "disableUnbalancedLiquidity", "salt", "_initialWeights", "_poolSettings"),
        *(
            "_initialMovingAverages",
            "_initialIntermediateValues",
            "_oracleStalenessThreshold",
            "poolRegistry",
            "poolDetails",
        ),
    ]
    assert list(document["creation"]["_poolSettings"]) == [
        *("assets", "rule", "oracles", "updateInterval", "lambda", "epsilonMax", "absoluteWeightGuardRail"),
        *("maxTradeSizeRatio", "ruleParameters", "poolManager"),
    ]
    assert document["creation"]["swapFeePercentage"] == "3000000000000000"
    assert document["refused"] == document["warnings"] == []


def integers(values):
    return tuple(map(int, values))


def test_a_contract_with_these_settings_repeats_the_replay(document, prices):
    """Nothing but the document is needed: settings, the state at the start, and the prices of each update."""
    given, replay = document["creation"]["_poolSettings"], document["replay"]
    settings = Settings(
        RULES[given["rule"].removesuffix("UpdateRule")],
        [integers(row) for row in given["ruleParameters"]],
        integers(given["lambda"]),
        int(given["epsilonMax"]),
        int(given["absoluteWeightGuardRail"]),
        given["updateInterval"],
    )
    start = replay["start"]
    state = RuleState(integers(start["movingAverages"]), integers(start["intermediateValues"]))
    pool = PoolState(integers(start["weights"]), (0, 0), start["time"], start["time"])
    assert len(replay["updates"]) == 60
    for update in replay["updates"]:
        done = perform_update(settings, state, pool, integers(update["prices"]), update["time"], pool.last_update)
        assert done.updated == integers(update["updatedWeights"])
        assert done.pool.multipliers == integers(update["multipliers"])
        assert done.pool.weights == integers(update["weights"])
        assert done.pool.last_interpolation == update["lastInteropTime"]
        state, pool = done.state, done.pool
    last = prices.times[-1].astype("datetime64[s]").astype(int)
    assert last - update["time"] < given["updateInterval"]
    assert list(map(str, state.moving_averages)) == document["creation"]["_initialMovingAverages"]
    assert list(map(str, state.intermediate)) == document["creation"]["_initialIntermediateValues"]


def test_without_prices_there_are_settings_alone():
    document = contract_document(EXPERIMENT)
    assert document["replay"] is None
    assert document["creation"]["_initialMovingAverages"] is None
    assert document["creation"]["_poolSettings"]["lambda"] == [str(contract_pool(EXPERIMENT).settings.lambdas[0])]


def test_what_is_refused_has_reasons_and_no_arguments(prices):
    refused = study("update.use_alt_lamb=true")
    document = contract_document(refused, prices=prices)
    assert document["creation"] is document["replay"] is None
    assert "update.use_alt_lamb" in document["refused"][0]
    with pytest.raises(ConfigError, match=r"the contracts cannot run this: pair: update\.use_alt_lamb"):
        check_accepted(deployment(refused, {}))


def test_a_deployment_has_the_contract(prices):
    found = deployment(EXPERIMENT, {}, prices)
    check_accepted(found)
    (pool,) = found["pools"]
    assert pool["contract"]["creation"]["_poolSettings"]["lambda"] == [
        parameter["fixed"][0] for parameter in pool["parameters"] if parameter["name"] == "lambda"
    ]
    assert json.dumps(found, allow_nan=False)
