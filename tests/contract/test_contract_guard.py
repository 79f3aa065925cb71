"""The guard: cases of the contract's own tests, and laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.contract import clamp_weights, guard_weights, normalize_weight_updates
from quantsim.contract.fixed_point import ONE


def fixed(*values):
    return [round(value * 10**6) * 10**12 for value in values]


RAIL = ONE // 10

CLAMPED = {
    "within": ((0.3, 0.3, 0.4), (300000000000000000, 300000000000000000, 400000000000000000)),
    "one below": ((0.05, 0.45, 0.5), (100000000000000000, 426315789473684210, 473684210526315789)),
    "at the upper rail": ((0.8, 0.1, 0.1), (800000000000000000, 100000000000000000, 100000000000000000)),
    "above the upper rail": ((0.95, 0.025, 0.025), (800000000000000000, 100000000000000000, 100000000000000000)),
    "all zero": ((0.0, 0.0, 0.0), (100000000000000000, 100000000000000000, 100000000000000000)),
    "negative": ((-0.1, 0.5, 0.6), (100000000000000000, 409090909090909091, 490909090909090909)),
    "too much": ((0.5, 0.5, 0.5), (333333333333333333, 333333333333333333, 333333333333333333)),
    "all at the rail": ((0.1, 0.1, 0.1), (100000000000000000, 100000000000000000, 100000000000000000)),
}


@pytest.mark.parametrize(("weights", "expected"), CLAMPED.values(), ids=list(CLAMPED))
def test_clamped_weights_are_those_of_the_contract(weights, expected):
    assert clamp_weights(fixed(*weights), RAIL) == expected


def test_scaling_can_take_a_weight_just_above_the_rail_below_it():
    # One weight is far below the rail, so that the others sum to 1.3, for which 0.9 is left.
    found = clamp_weights(fixed(-0.3, 0.11, 0.5, 0.69), RAIL)
    assert found[0] == RAIL
    assert found[1] == 76153846153846154 < RAIL


GUARDED = {
    "two, too fast": ((0.5, 0.5), (0.7, 0.3), (600000000000000000, 400000000000000000)),
    "two, clamped": ((0.5, 0.5), (0.95, 0.05), (600000000000000000, 400000000000000000)),
    "three, slow": ((0.3, 0.3, 0.4), (0.35, 0.24, 0.41), (350000000000000000, 240000000000000000, 410000000000000000)),
    "three, clamped": (
        (0.3, 0.3, 0.4),
        (0.9, 0.06, 0.04),
        (400000000000000000, 260000000000000000, 340000000000000000),
    ),
    "four, too fast": (
        (0.3, 0.3, 0.2, 0.2),
        (0.15, 0.45, 0.05, 0.35),
        (200000000000000000, 380000000000000000, 136666666666666667, 283333333333333333),
    ),
    "four, clamped": (
        (0.3, 0.3, 0.2, 0.2),
        (0.97, 0.01, 0.01, 0.01),
        (400000000000000000, 250000000000000000, 175000000000000000, 175000000000000000),
    ),
}


@pytest.mark.parametrize(("previous", "weights", "expected"), GUARDED.values(), ids=list(GUARDED))
def test_guarded_weights_are_those_of_the_contract(previous, weights, expected):
    assert guard_weights(fixed(*weights), fixed(*previous), ONE // 10, RAIL) == expected


def test_what_is_missing_goes_to_the_second_largest_weight_and_what_is_too_much_leaves_the_largest():
    third = ONE // 3
    assert normalize_weight_updates([third] * 3, [third, third + 1, third - 1], ONE) == (
        third + 1,
        third + 1,
        third - 1,
    )
    assert normalize_weight_updates([third] * 3, [third, third + 2, third], ONE) == (third, third + 1, third)


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=8), st.data())
def test_weights_sum_to_one_and_no_change_is_faster_than_allowed(shares, data):
    total = sum(shares)
    weights = [share * ONE // total for share in shares]
    wanted = [weight + data.draw(st.integers(-ONE, ONE)) for weight in weights]
    epsilon = data.draw(st.integers(1, ONE))
    found = guard_weights(wanted, weights, epsilon, ONE // 100)
    assert sum(found) == ONE
    within = [abs(new - old) <= epsilon + 9 for new, old in zip(found, weights, strict=True)]
    assert within.count(False) <= 1, "only the weight that takes up the rest of the sum may change faster"
