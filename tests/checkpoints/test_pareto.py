"""The Pareto front, its balanced member and its volume, against brute force and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.checkpoints.pareto import balanced, hypervolume, normalised, pareto_front


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 30))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(seed: int, n_objectives: int, n_rows: int) -> None:
    values = np.random.default_rng(seed).integers(0, 5, (n_rows, n_objectives)).astype(float)
    front = set(pareto_front(values).tolist())
    for row in range(n_rows):
        beaten = any((values[o] >= values[row]).all() and (values[o] > values[row]).any() for o in range(n_rows))
        assert (row in front) != beaten


def test_the_balanced_choice_is_nearest_to_the_ideal_point() -> None:
    front = [[0.0, 10.0], [0.7, 8.0], [1.0, 0.0]]
    assert balanced(front) == 1
    assert balanced([[0.0, 1.0], [1.0, 0.0]]) == 0  # a tie goes to the first
    assert balanced([[3.0, 5.0, 1.0], [4.0, 5.0, 1.0]]) == 1  # constant objectives say nothing
    assert balanced([[2.0, 2.0]]) == 0
    np.testing.assert_array_equal(normalised([[2.0, 1.0], [2.0, 3.0]]), [[1.0, 0.0], [1.0, 1.0]])


def test_the_balanced_choice_does_not_depend_on_units() -> None:
    front = np.array([[0.0, 10.0], [0.4, 9.0], [0.7, 8.0], [1.0, 0.0]])
    assert balanced(front) == balanced(front * [1e6, 1e-3] + [5.0, -7.0])


def test_volumes_by_hand() -> None:
    assert hypervolume([[1.0, 2.0], [2.0, 1.0]], [0.0, 0.0]) == pytest.approx(3.0)
    assert hypervolume([[1.0, 1.0, 1.0], [2.0, 0.5, 0.5]], [0.0] * 3) == pytest.approx(1.25)
    assert hypervolume([[1.0, -1.0]], [0.0, 0.0]) == 0.0
    assert hypervolume([[3.0], [5.0]], [1.0]) == 4.0


@pytest.mark.parametrize("n_objectives", [2, 3, 4])
def test_volumes_against_random_points(n_objectives: int) -> None:
    generator = np.random.default_rng(n_objectives)
    values, points = generator.random((12, n_objectives)), generator.random((200_000, n_objectives))
    share = np.mean((points[:, None] <= values).all(axis=-1).any(axis=1))
    assert hypervolume(values, np.zeros(n_objectives)) == pytest.approx(share, abs=0.005)
    assert hypervolume(values[pareto_front(values)], np.zeros(n_objectives)) == pytest.approx(
        hypervolume(values, np.zeros(n_objectives)), rel=1e-12
    )
