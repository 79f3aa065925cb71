"""Periods of a window: coverage and errors."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantsim.errors import WindowError
from quantsim.objective import Period, dated_periods, even_periods, objective_shape, random_periods
from quantsim.objective.periods import period_bars
from quantsim.objective.settings import Objective

DAY = datetime(2021, 3, 1, tzinfo=UTC)


@given(
    st.integers(3, 20_000),
    st.integers(1, 60),
    st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]), st.floats(0.0, 0.99)),
)
def test_even_periods_cover_the_window(n_bars, n_periods, overlap):
    length = n_bars / (1 + (n_periods - 1) * (1 - overlap))
    assume(n_periods == 1 or length > 3.0 + 1e-9)
    periods = even_periods(n_bars, n_periods, overlap)
    assert len(periods) == n_periods
    assert (periods[0].first, periods[-1].end) == (0, n_bars)
    lengths = [period.n_bars for period in periods]
    assert max(lengths) - min(lengths) <= 1
    assert all(abs(one - length) <= 1 + 1e-9 for one in lengths)
    for one, following in itertools.pairwise(periods):
        assert one.first <= following.first <= one.end <= following.end
        assert abs(one.end - following.first - overlap * length) <= 1 + 1e-9


@given(st.integers(6, 20_000), st.integers(2, 60))
def test_periods_without_overlap_are_disjoint(n_bars, n_periods):
    assume(n_bars >= 3 * n_periods)
    periods = even_periods(n_bars, n_periods)
    assert [bar for period in periods for bar in range(period.first, period.end)] == list(range(n_bars))


def test_boundaries_halfway_between_bars_are_rounded_the_same_way():
    # Five bars, from 0, 4.5, 9 and so on; 55/12 bars, one of them from 27.5.
    assert [period.n_bars for period in even_periods(23, 5, 0.1)] == [5, 5, 5, 5, 5]
    periods = even_periods(55, 12)
    assert [one.end for one in periods[:-1]] == [following.first for following in periods[1:]]
    assert periods[5].end == 28


@pytest.mark.parametrize(("n_bars", "n_periods", "overlap"), [(11, 4, 0.0), (5, 2, 0.0), (20, 30, 0.5)])
def test_too_many_periods_are_refused_by_their_key(n_bars, n_periods, overlap):
    with pytest.raises(WindowError, match=rf"objective\.n_periods = {n_periods} leaves .* of {n_bars} bars .* fewer"):
        even_periods(n_bars, n_periods, overlap)


@given(st.integers(2, 5000), st.integers(1, 20), st.integers(0, 2**32), st.data())
def test_random_periods_lie_inside_and_follow_the_seed(n_bars, n_periods, seed, data):
    length = data.draw(st.integers(2, n_bars))
    periods = random_periods(n_bars, n_periods, length, seed)
    assert len(periods) == n_periods
    assert all(period.n_bars == length and period.first >= 0 and period.end <= n_bars for period in periods)
    assert list(periods) == sorted(periods)
    assert periods == random_periods(n_bars, n_periods, length, seed)


def test_random_periods_reach_both_ends_and_differ_by_seed():
    periods = random_periods(12, 200, 10, 0)
    assert {period.first for period in periods} == {0, 1, 2}
    assert random_periods(1000, 5, 10, 0) != random_periods(1000, 5, 10, 1)


def test_random_periods_are_as_long_as_the_even_ones_and_follow_them():
    shape = objective_shape(Objective(n_periods=4, n_random_periods=3, period_overlap=0.2), 340, seed=5)
    length = int(period_bars(340, 4, 0.2))
    assert length == 100
    assert shape.periods == even_periods(340, 4, 0.2) + random_periods(340, 3, length, 5)


def _hour_of(moment: datetime) -> int:
    return round((moment - DAY) / timedelta(hours=1))


def _hours(*pairs: tuple[int, int]) -> list[tuple[datetime, datetime]]:
    return [(DAY + timedelta(hours=begin), DAY + timedelta(hours=end)) for begin, end in pairs]


def test_dated_periods_are_half_open_and_may_touch_the_ends():
    periods = dated_periods(_hours((0, 24), (20, 48), (46, 48)), _hour_of, 48)
    assert periods == (Period(0, 24), Period(20, 28), Period(46, 2))


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ((-1, 24), r"objective\.periods: 2021-02-28 23:00 to 2021-03-02 00:00 does not lie within"),
        ((24, 49), r"objective\.periods: 2021-03-02 00:00 to 2021-03-03 01:00 does not lie within"),
        ((24, 25), r"objective\.periods: 2021-03-02 00:00 to 2021-03-02 01:00 has fewer than two bars"),
    ],
)
def test_dated_periods_that_do_not_fit_are_refused_by_their_dates(hours, message):
    with pytest.raises(WindowError, match=message):
        dated_periods(_hours((0, 24), hours), _hour_of, 48)


@given(st.integers(0, 60), st.integers(1, 60), st.integers(1, 9))
def test_visits_are_after_the_first_bar_up_to_the_last(first, n_bars, stride):
    period = Period(first, n_bars)
    visited = list(range(0, 200, stride))
    inside = [bar for bar in visited if first < bar < first + n_bars]
    assert visited[period.visits(stride)] == inside
