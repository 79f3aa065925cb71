"""Splits of combinatorial purged cross-validation against those of skfolio."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV

from quantsim.errors import ConfigError
from quantsim.folds import combinatorial


def indices(blocks) -> np.ndarray:
    return np.concatenate([np.arange(*block) for block in blocks])


@given(
    st.integers(3, 6), st.integers(2, 5), st.integers(3, 12), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)
)
def test_splits_and_paths_equal_those_of_skfolio(
    n_groups: int, n_test: int, size: int, rest: int, purge: int, embargo: int
):
    assume(n_test < n_groups and rest < n_groups and max(purge, 1) + purge + embargo < size)
    n_observations = n_groups * size + rest
    theirs = CombinatorialPurgedCV(n_groups, n_test, purged_size=purge, embargo_size=embargo)
    ours = combinatorial(n_observations, n_groups, n_test, purge=purge, embargo=embargo)
    splits = list(theirs.split(np.zeros((n_observations, 1))))
    assert len(splits) == len(ours.splits) == theirs.n_splits
    for split, (train, tests) in zip(ours.splits, splits, strict=True):
        np.testing.assert_array_equal(indices(split.train), train)
        assert [tuple(range(*block)) for block in split.test] == [tuple(test) for test in tests]
    ids = theirs.get_path_ids()
    assert len(ours.paths) == theirs.n_test_paths == math.comb(n_groups, n_test) * n_test // n_groups
    for split in ours.splits:
        found = [[path for path, row in enumerate(ours.paths) if row[g] == split.position] for g in split.test_groups]
        assert found == [[path] for path in ids[split.position]]


def test_an_embargo_may_be_longer_than_a_group():
    splits = combinatorial(40, 4, 1, embargo=15).splits
    assert [split.train for split in splits] == [((25, 40),), ((0, 10), (35, 40)), ((0, 20),), ((0, 30),)]


def test_one_test_group_makes_one_path():
    assert combinatorial(40, 4, 1).paths == ((0, 1, 2, 3),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((40, 4, 4), "n_test_groups = 4"),
        ((40, 4, 0), "n_test_groups = 0"),
        ((3, 4, 2), "leave none to a group"),
        ((40, 30, 15), "make more splits than 10,000"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[int, int, int], said: str):
    with pytest.raises(ConfigError, match=said):
        combinatorial(*arguments)


def test_an_embargo_that_leaves_no_training_data_is_refused():
    with pytest.raises(ConfigError, match="embargo = 30 leave no training data where groups 0 of 4"):
        combinatorial(40, 4, 1, embargo=30)
    with pytest.raises(ConfigError, match="embargo = -1"):
        combinatorial(40, 4, 1, embargo=-1)
