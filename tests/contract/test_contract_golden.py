"""Updates of the contract's own tests, exact to the last digit."""

from __future__ import annotations

import json

import pytest

from quantsim.contract.rules import RULES, Update


def integers(values):
    return tuple(map(int, values))


def weights_of(name, case):
    states = (case.get(key) for key in ("previousAlphas", "prevAlphas", "prevShortMovingAverage"))
    update = Update(
        weights=integers(case["prevWeights"]),
        data=integers(case["data"]),
        parameters=[integers(row) for row in case["parameters"]],
        lambdas=integers(case["lambdas"]),
        averages=integers(case["movingAverages"]),
        previous_averages=integers(case["prevMovingAverages"]),
        intermediate=integers(next(state for state in states if state is not None)),
    )
    return RULES[name].weights(update)[1]


@pytest.mark.parametrize("name", [name for name in RULES if name != "MinimumVariance"])
def test_weights_are_those_of_the_contract(shared, name):
    cases = json.loads((shared / "golden" / "contract_updates.json").read_text())["rules"][name]
    assert len(cases) >= 4
    for case in cases:
        assert weights_of(name, case) == integers(case["expectedResults"]), case["test"]
