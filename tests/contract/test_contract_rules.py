"""Rules: minimum variance of the contract's own tests, and properties of all rules that golden cases do not show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantsim.contract import RULES, get_contract_rule
from quantsim.contract.fixed_point import ONE
from quantsim.contract.rules import Update
from quantsim.errors import ConfigError, ContractError

TENTH = ONE // 10

MINIMUM_VARIANCE = {
    "one mixing, one lambda": ([5], [7], (548283261802575107, 451716738197424892)),
    "one mixing, a lambda each": ([9], [7, 7], (509656652360515021, 490343347639484978)),
    "a mixing each, a lambda each": ([9, 7], [7, 7], (509656652360515021, 471030042918454935)),
    "a mixing each, one lambda": ([9, 7], [7], (509656652360515021, 471030042918454935)),
    "different lambdas": ([9], [9.5, 5], (543167701863354037, 456832298136645962)),
}


@pytest.mark.parametrize(("mixing", "lambdas", "expected"), MINIMUM_VARIANCE.values(), ids=list(MINIMUM_VARIANCE))
def test_minimum_variance_is_that_of_the_contract(mixing, lambdas, expected):
    averages = (ONE, 15 * TENTH)
    update = Update(
        weights=(5 * TENTH, 5 * TENTH),
        data=(3 * ONE, 4 * ONE),
        parameters=[[value * TENTH for value in mixing]],
        lambdas=[int(value * TENTH) for value in lambdas],
        averages=averages,
        previous_averages=averages,
        intermediate=(ONE, ONE),
    )
    assert RULES["MinimumVariance"].weights(update)[1] == expected


ROWS = {
    "Momentum": [[2 * ONE], [ONE]],
    "AntiMomentum": [[2 * ONE]],
    "DifferenceMomentum": [[2 * ONE], [TENTH]],
    "PowerChannel": [[2 * ONE], [15 * TENTH], [0]],
    "ChannelFollowing": [[2 * ONE], [TENTH], [TENTH], [15 * TENTH], [5 * TENTH], [5 * TENTH], [0]],
}


def update(rows, n_tokens, data, lambdas):
    averages = tuple(price + ONE // 7 for price in data)
    weights = (ONE // n_tokens,) * n_tokens
    return Update(weights, data, rows, lambdas, averages, averages, tuple(price // 50 for price in data))


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=15)
@given(prices=st.lists(st.integers(ONE // 1000, 10**5 * ONE), min_size=2, max_size=8))
def test_one_value_per_token_is_as_one_for_all_but_for_the_rounding_of_the_mean(name, prices):
    n_tokens = len(prices)
    named = zip(RULES[name].rows, ROWS[name], strict=False)
    each = [list(row) * (1 if label == "useRawPrice" else n_tokens) for label, row in named]
    same = [RULES[name].weights(update(rows, n_tokens, prices, [9 * TENTH]))[1] for rows in (ROWS[name], each)]
    assert max(abs(one - other) for one, other in zip(*same, strict=True)) <= 4 * n_tokens
    states = [
        RULES[name].weights(update(ROWS[name], n_tokens, prices, [9 * TENTH] * count))[0] for count in (1, n_tokens)
    ]
    assert states[0] == states[1]


@pytest.mark.parametrize("name", ROWS)
def test_changes_sum_to_zero_up_to_rounding(name):
    found = RULES[name].weights(update(ROWS[name], 3, (ONE, 30 * ONE, 50000 * ONE), [9 * TENTH]))[1]
    assert abs(sum(found) - ONE // 3 * 3) < 10
    assert len(set(found)) == 3


def test_anti_momentum_is_momentum_the_other_way_round():
    each = update([[ONE]], 2, (3 * ONE, 4 * ONE), [7 * TENTH])
    up, down = (RULES[name].weights(each)[1] for name in ("Momentum", "AntiMomentum"))
    assert [new - ONE // 2 for new in up] == [ONE // 2 - new for new in down]


REFUSED = {
    "kappa": ("Momentum", [[0]], "kappa = 0 must be above 0"),
    "no row": ("Momentum", [], "there are 0 rows of parameters, but 1 to 2"),
    "too many values": ("AntiMomentum", [[ONE] * 4], "kappa has 4 values, but must have 1 or 3"),
    "raw price": ("Momentum", [[ONE], [2]], "useRawPrice must be one value, 0 or"),
    "q": ("PowerChannel", [[ONE], [ONE]], "q = 1 must be above 1"),
    "q per token": ("PowerChannel", [[ONE], [2 * ONE] * 3], "q has 3 values and kappa 1"),
    "short": ("DifferenceMomentum", [[ONE], [2 * ONE]], "lambdaShort = 2 must be between 0 and 1"),
    "sum of kappa": ("DifferenceMomentum", [[ONE, -2 * ONE, ONE], [TENTH]], "kappa must not be 0, nor its sum"),
    "width": ("ChannelFollowing", [[ONE], [0], [ONE], [ONE], [ONE], [ONE], [0]], "width = 0 must be above 0"),
    "mixed rows": ("ChannelFollowing", [[ONE], [ONE] * 3, *[[ONE]] * 4, [0]], "width has 3 values and kappa 1"),
    "mixing": ("MinimumVariance", [[2 * ONE]], "mixingVariance = 2 must be between 0 and 1"),
}


@pytest.mark.parametrize(("name", "rows", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_parameters_that_the_contract_refuses_have_a_reason(name, rows, reason):
    assert reason in RULES[name].problem(rows, 3)


@pytest.mark.parametrize("name", ROWS)
def test_valid_parameters_have_none(name):
    assert RULES[name].problem(ROWS[name], 3) is None


def test_a_variance_of_zero_reverts():
    still = Update((ONE // 2,) * 2, (ONE, ONE), [[TENTH]], [TENTH], (ONE, ONE), (ONE, ONE), (0, 0))
    with pytest.raises(ContractError, match="division by zero"):
        RULES["MinimumVariance"].weights(still)


def test_rules_are_found_by_the_name_of_their_contract():
    assert get_contract_rule("MomentumUpdateRule") is RULES["Momentum"]
    with pytest.raises(ConfigError, match="did you mean 'Momentum'"):
        get_contract_rule("Momentun")
