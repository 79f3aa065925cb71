"""Estimators of the contract's own tests, update by update, and the moving average."""

from __future__ import annotations

from quantsim.contract.estimators import gradient
from quantsim.contract.estimators.moving_average import moving_average
from quantsim.contract.estimators.variance import variance
from quantsim.contract.fixed_point import ONE

MILLI = ONE // 1000


def milli(*values: int) -> tuple[int, ...]:
    return tuple(value * MILLI for value in values)


def test_gradients_are_those_of_the_contract():
    prices = (1_000_000, 1_100_000, 1_105_000, 1_108_000, 1_111_000)
    averages = (1_000_000, 1_050_000, 1_077_500, 1_092_750, 1_101_875)
    state: tuple[int, ...] = (0, 0)
    found = []
    for price, average in zip(prices, averages, strict=True):
        state, gradients = gradient(state, milli(price, price), milli(average, average), (500 * MILLI, 900 * MILLI))
        found.append(gradients)
    assert found == [
        (0, 0),
        (25 * ONE, 555555555555555500),
        (26_250 * MILLI, 805555555555555475),
        (20_750 * MILLI, 894444444444444355),
        (14_937 * MILLI + MILLI // 2, 906388888888888798),
    ]


def test_variances_are_those_of_the_contract():
    prices = ((1_000_000, 1_000_000), (1_100_000, 1_100_000), (1_109_000, 1_106_000), (1_095_000, 1_098_000))
    averages = ((1_000_000, 1_000_000), (1_050_000, 1_050_000), (1_079_500, 1_078_000), (1_087_250, 1_088_000))
    state: tuple[int, ...] = (0, 0)
    found = []
    for price, average, before in zip(prices, averages, (averages[0], *averages), strict=False):
        state, variances = variance(state, milli(*price), milli(*average), milli(*before), (500 * MILLI,))
        found.append(variances)
    assert found == [
        (0, 0),
        (2500 * ONE, 2500 * ONE),
        (2_120_250 * MILLI, 2034 * ONE),
        (1120 * ONE + ONE * 3 // 16, 1117 * ONE),
    ]


def test_moving_average_round_each_product_half_up():
    found = moving_average((3, 1), (2, 0), (ONE // 2, ONE // 2))
    assert found == (3, 1)  # half of 3 and of 2: 1.5 → 2, and 1; half of 1 and of 0: 0.5 → 1, and 0
