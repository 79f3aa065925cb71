"""Ranking of values, including infinite ones and nan."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.ranking import best_index, clamped, gain, is_ranked, rank, stand_ins

INF, NAN = math.inf, math.nan
NUMBERS = st.one_of(st.sampled_from([INF, -INF, 0.0, 1.0]), st.floats(-1e6, 1e6, allow_subnormal=False))


def test_order() -> None:
    low = [(-INF, None), (-INF, -0.5), (-1e300, 9.0), (0.0, NAN), (0.0, 0.1)]
    rising = [*low, (1e300, 0.0), (INF, None), (INF, 0.1), (INF, 0.2)]
    ranks = [rank(value, tie) for value, tie in rising]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert rank(INF, NAN) == rank(INF, None) == rank(INF)
    with pytest.raises(ValueError, match="nan has no rank"):
        rank(NAN)
    assert [is_ranked(value) for value in (NAN, None, INF, -INF, 0.0)] == [False, False, True, True, True]


def test_best_index() -> None:
    assert best_index([]) is None
    assert best_index([NAN, NAN]) is None
    assert best_index([NAN, -INF]) == 1
    assert best_index([1.0, INF, INF]) == 1
    assert best_index([INF, INF, INF], [None, 0.2, 0.2]) == 1


def test_gain() -> None:
    assert gain(INF, INF) == gain(-INF, -INF) == 0.0
    assert gain(INF, 1.0) == gain(1.0, -INF) == INF
    assert gain(2.0, 0.5) == 1.5
    assert math.isnan(gain(NAN, 1.0))


@given(values=st.lists(NUMBERS, min_size=1, max_size=8))
def test_stand_ins_are_finite_and_keep_the_order(values: list[float]) -> None:
    found = stand_ins(values)
    assert np.isfinite(found).all()
    for one, place in zip(values, found, strict=True):
        for other, its_place in zip(values, found, strict=True):
            assert (one > other) == (place > its_place)
        if math.isfinite(one):
            assert place == one


def test_stand_ins_column_by_column() -> None:
    found = stand_ins([[1.0, INF, 5.0], [3.0, INF, NAN], [INF, -INF, 5.0]])
    np.testing.assert_array_equal(found, [[1.0, 1.0, 5.0], [3.0, 1.0, NAN], [5.0, -1.0, 5.0]])


def test_clamped() -> None:
    assert clamped(INF) == sys.float_info.max
    assert clamped(-INF) == -sys.float_info.max
    assert clamped(3.5) == 3.5
    assert math.isnan(clamped(NAN))
