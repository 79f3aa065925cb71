"""Updates of the contract's own tests, exact to the last digit."""

from __future__ import annotations

import json

import pytest
from conftest import SHARED

from quantsim.contract.rules import RULES, Update


def cases():
    rules = json.loads((SHARED / "golden" / "contract_updates.json").read_text())["rules"]
    return [pytest.param(name, case, id=f"{name}-{case['test']}") for name, each in rules.items() for case in each]


def integers(values):
    return tuple(map(int, values))


@pytest.mark.parametrize(("name", "case"), cases())
def test_weights_are_those_of_the_contract(name, case):
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
    assert RULES[name].weights(update)[1] == integers(case["expectedResults"])
