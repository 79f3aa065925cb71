"""Walk-forward folds against plain arithmetic on dates."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.errors import ConfigError
from quantsim.folds import walk_forward

START, END = datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def days(fold, name: str) -> tuple[int, int]:
    span = getattr(fold, name)
    return ((span.start - START) // DAY, (span.end - START) // DAY)


def test_rolling_folds_of_given_lengths_move_on_by_the_step():
    folds = walk_forward(START, END, train_days=365, validation_days=30, test_days=90, step_days=120)
    assert [days(fold, "train") for fold in folds] == [(0, 365), (120, 485), (240, 605)]
    assert [days(fold, "validation") for fold in folds] == [(365, 395), (485, 515), (605, 635)]
    assert [days(fold, "test") for fold in folds] == [(395, 485), (515, 605), (635, 725)]
    assert [fold.position for fold in folds] == [0, 1, 2]


def test_anchored_folds_all_train_from_the_beginning():
    folds = walk_forward(START, END, scheme="anchored", train_days=365, test_days=180)
    assert [days(fold, "train") for fold in folds] == [(0, 365), (0, 545)]
    assert [days(fold, "test") for fold in folds] == [(365, 545), (545, 725)]
    assert all(fold.validation is None for fold in folds)


@pytest.mark.parametrize("scheme", ["rolling", "anchored"])
def test_a_number_of_folds_cuts_the_range_as_the_published_cycles_do(scheme: str):
    folds = walk_forward(START, END, scheme=scheme, n_folds=4)
    bounds = [146 * index for index in range(6)]
    assert [days(fold, "test") for fold in folds] == list(itertools.pairwise(bounds[1:]))
    starts = [0] * 4 if scheme == "anchored" else bounds[:4]
    assert [days(fold, "train") for fold in folds] == list(zip(starts, bounds[1:], strict=False))


def test_validation_is_taken_from_the_end_of_a_segment():
    (first, second) = walk_forward(START, END, n_folds=2, validation_days=43)
    assert (days(first, "train"), days(first, "validation"), days(first, "test")) == ((0, 200), (200, 243), (243, 486))
    assert days(second, "train") == (243, 443)


def test_a_number_of_folds_after_a_given_training_window():
    folds = walk_forward(START, END, n_folds=5, train_days=230)
    assert [days(fold, "test") for fold in folds] == [(230 + 100 * i, 330 + 100 * i) for i in range(5)]


@given(
    st.integers(1, 30),
    st.integers(1, 400),
    st.integers(0, 60),
    st.integers(0, 50),
    st.sampled_from(["rolling", "anchored"]),
    st.sampled_from([60, 1440, 4320]),
)
def test_windows_follow_one_another_in_whole_chunks(
    test: int, train: int, validation: int, gap: int, scheme: str, chunk_minutes: int
):
    chunk, unit = timedelta(minutes=chunk_minutes), max(1, chunk_minutes // 1440)
    train, test, validation, step = train * unit, test * unit, validation * unit, (test + gap) * unit
    if train + validation + test > 730:
        return
    folds = walk_forward(
        START,
        END,
        scheme=scheme,
        train_days=train,
        test_days=test,
        validation_days=validation,
        step_days=step,
        chunk_minutes=chunk_minutes,
    )
    for fold in folds:
        spans = [fold.train, *([fold.validation] if fold.validation else []), fold.test]
        assert all(one.end == other.start for one, other in itertools.pairwise(spans))
        assert all((edge - START) % chunk == timedelta(0) for span in spans for edge in span)
        assert fold.test.days == test
        assert scheme == "anchored" or fold.train.days == train
    assert folds[-1].test.end <= END < folds[-1].test.end + step * DAY
    assert all(one.test.end <= other.test.start for one, other in itertools.pairwise(folds))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"train_days": 100}, "test_days = None"),
        ({"train_days": 700, "test_days": 90}, "more than the 730 days"),
        ({"train_days": 100, "test_days": 30, "step_days": 10}, "step_days = 10"),
        ({"train_days": 100.5, "test_days": 30}, "train_days = 100.5"),
        (
            {"train_days": 100, "test_days": 30.5, "chunk_minutes": 60},
            r"step_days = 30.5 must be whole days.*or test_days",
        ),
        (
            {"train_days": 100, "test_days": 30.5, "step_days": 31.5, "chunk_minutes": 60},
            r"step_days = 31.5 must be whole days",
        ),
        ({"n_folds": 0}, "n_folds = 0"),
        ({"n_folds": 3, "test_days": 30}, "test_days = 30 follows from n_folds"),
        ({"n_folds": 800}, "n_folds = 800 leaves"),
        ({"n_folds": 9, "validation_days": 80}, "0 days of training"),
        ({"n_folds": 2, "scheme": "sliding"}, "scheme = 'sliding'"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(wanted: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        walk_forward(START, END, **wanted)
