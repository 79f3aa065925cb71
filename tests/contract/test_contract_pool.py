"""What a pool stores, how its weights move between updates, and which updates it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from quantsim.contract import RULES, RuleState, Settings, interpolated_weights, perform_update, set_weights
from quantsim.contract.fixed_point import ONE
from quantsim.contract.pool import NEVER, initial_pool, weights_at
from quantsim.errors import ContractError

DAY, NOW = 86_400, 1_700_000_000
HALF = (ONE // 2, ONE // 2)


def test_weights_and_multipliers_are_stored_with_nine_decimals_truncated_towards_zero():
    pool = set_weights(
        (ONE // 3, ONE - ONE // 3), (ONE // 3 + ONE // 10, ONE - ONE // 3 - ONE // 10), DAY, ONE // 100, NOW
    )
    assert pool.weights == (333333333 * 10**9, 666666666 * 10**9)
    assert pool.multipliers == (1157 * 10**9, -1157 * 10**9)  # of 1157.4 e-9


def test_a_move_of_less_than_a_stored_digit_a_second_does_not_happen():
    small = DAY * 10**9 - DAY  # 8.6e-5 a day
    pool = set_weights(HALF, (HALF[0] + small, HALF[1] - small), DAY, ONE // 100, NOW)
    assert pool.multipliers == (0, 0)
    assert weights_at(pool, NOW + 10 * DAY) == HALF
    assert pool.last_interpolation < NEVER, "the rail is found with the multiplier of 18 decimals"


def test_weights_go_on_moving_until_the_first_reaches_its_rail():
    pool = set_weights((4 * ONE // 10, 6 * ONE // 10), (ONE // 10 * 3, ONE // 10 * 7), DAY, ONE // 10, NOW)
    assert pool.last_interpolation == NOW + 3 * ONE // 10 // (ONE // 10 // DAY)
    at_rail = weights_at(pool, pool.last_interpolation)
    assert at_rail == weights_at(pool, NOW + 100 * DAY)
    assert weights_at(pool, NOW + 2 * DAY)[0] == (400_000_000 - 1157 * 2 * DAY) * 10**9
    assert at_rail[0] >= ONE // 10


def test_a_pool_that_does_not_move_may_interpolate_for_ever():
    assert set_weights(HALF, HALF, DAY, ONE // 10, NOW).last_interpolation == NEVER
    assert initial_pool(HALF, NOW).last_interpolation == NOW


def test_weights_at_many_seconds_are_those_at_each():
    pool = set_weights((ONE // 5, 4 * ONE // 5), (ONE // 4, 3 * ONE // 4), DAY, ONE // 20, NOW)
    times = NOW + np.array([0, 1, 59, DAY, 3 * DAY, 400 * DAY])
    found = interpolated_weights(pool, times)
    assert found.tolist() == [list(weights_at(pool, int(time))) for time in times]


def test_a_last_second_before_the_update_wraps_around_and_reverts():
    below = (ONE // 100, 99 * ONE // 100)  # the rail is at 0.1
    pool = set_weights(below, (below[0] - 10**15, below[1] + 10**15), DAY, ONE // 10, NOW)
    assert pool.last_interpolation < NOW
    with pytest.raises(ContractError, match="underflows"):
        interpolated_weights(pool, np.array([NOW + 1]))


def test_weights_that_do_not_fit_into_32_bits_are_refused():
    with pytest.raises(ContractError, match="int32"):
        set_weights((3 * ONE, 0), (3 * ONE, 0), DAY, ONE // 10, NOW)


SETTINGS = Settings(RULES["Momentum"], [[50 * ONE]], (9 * ONE // 10,), ONE // 10, ONE // 20, DAY)
STATE = RuleState((ONE, ONE), (0, 0))


def test_an_update_starts_from_the_weights_in_force():
    pool = set_weights(HALF, (6 * ONE // 10, 4 * ONE // 10), DAY, ONE // 20, NOW)
    late = NOW + DAY + 600
    found = perform_update(SETTINGS, STATE, pool, (11 * ONE // 10, ONE), late, last_run=NOW)
    assert found.current == weights_at(pool, late) == found.pool.weights
    assert found.state.moving_averages == (ONE + ONE // 100, ONE)
    assert found.updated[0] > found.current[0]
    assert sum(found.updated) == ONE
    assert found.pool.last_update == late


def test_an_update_before_the_interval_has_passed_is_refused():
    with pytest.raises(ContractError, match="Update not allowed"):
        perform_update(SETTINGS, STATE, initial_pool(HALF, NOW), (ONE, ONE), NOW + DAY - 1, last_run=NOW)
