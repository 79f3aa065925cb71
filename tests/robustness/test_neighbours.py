"""Parameter sets near a given one."""

from __future__ import annotations

import numpy as np
import pytest

import quantsim
from quantsim.errors import ParameterError
from quantsim.robustness import neighbours, raw_bounds

CENTRE = {"logit_lamb": np.array([2.0, 3.0]), "log_k": np.array([4.0, 5.0])}


def test_neighbours_fill_the_box_around_the_set():
    near = neighbours(CENTRE, 2_000, radius=0.3, seed=1)
    for name, centre in CENTRE.items():
        offsets = near[name] - centre
        assert np.abs(offsets).max() <= 0.3 + 1e-12
        assert offsets.std(axis=0) == pytest.approx(0.3 / np.sqrt(3), rel=0.05)
        assert np.unique(offsets).size == offsets.size


def test_the_seed_decides_and_more_neighbours_do_not_change_the_first():
    few, many = neighbours(CENTRE, 5, seed=2), neighbours(CENTRE, 50, seed=2)
    for name in CENTRE:
        np.testing.assert_array_equal(few[name], many[name][:5])
        assert (neighbours(CENTRE, 5, seed=3)[name] != few[name]).all()


def test_only_the_named_parameters_move():
    near = neighbours(CENTRE, 5, moved={"log_k"})
    np.testing.assert_array_equal(near["logit_lamb"], np.tile(CENTRE["logit_lamb"], (5, 1)))
    assert (near["log_k"] != CENTRE["log_k"]).all()


def test_bounds_are_kept_but_do_not_move_the_set_itself():
    near = neighbours(CENTRE, 200, radius=1.0, bounds={"logit_lamb": (1.5, 2.5)})["logit_lamb"]
    assert (near[:, 0].min(), near[:, 0].max()) == (1.5, 2.5)
    assert near[:, 1].max() == 3.0  # of a set beyond the bound


def test_memories_are_bounded_by_the_longest_one():
    study = quantsim.Experiment.load("momentum_fees")
    longest = study.update.max_memory_days
    raw = study.initial_parameters({"memory_days": 0.9 * longest})
    near = neighbours(raw, 50, radius=2.0, bounds=raw_bounds(study))
    largest = study.human_parameters({name: rows.max(axis=0) for name, rows in near.items()})["memory_days"]
    assert largest == pytest.approx(longest)


@pytest.mark.parametrize(
    ("n", "radius", "words"), [(0, 0.5, "n = 0"), (3, 0.0, "radius = 0.0"), (3, np.nan, "radius = nan")]
)
def test_bad_input_is_an_error(n: int, radius: float, words: str):
    with pytest.raises(ParameterError, match=words):
        neighbours(CENTRE, n, radius=radius)
