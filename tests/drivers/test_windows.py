"""Where training windows may begin."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from quantsim import Evaluator, Experiment, Prices
from quantsim.drivers.windows import TrainingWindows, training_windows
from quantsim.errors import WindowError


def _evaluator(**objective: object) -> Evaluator:
    times = np.datetime64("2023-01-01", "s") + np.arange(24 * 40) * np.timedelta64(3600, "s")
    prices = Prices(times, np.ones((times.size, 2)), ("A", "B"), 60)
    study = {
        "data": {"tokens": ["A", "B"]},
        "periods": {"train_start": "2023-01-11", "train_end": "2023-02-05"},
        "pool": {"rule": "momentum"},
        "objective": objective,
    }
    return Evaluator(Experiment.from_dict(study), prices)


def test_windows_begin_at_chunk_boundaries_and_cover_the_offset() -> None:
    evaluator = _evaluator(bout_offset_days=5.0)
    windows = training_windows(evaluator)
    first, n_bars = evaluator.splits["train"]
    assert windows.n_bars == n_bars - 5 * 24
    np.testing.assert_array_equal(windows.starts, first + 24 * np.arange(6))
    assert windows.starts[-1] + windows.n_bars == first + n_bars


def test_any_bar_can_be_a_start_when_asked() -> None:
    windows = training_windows(_evaluator(bout_offset_days=5.0, window_grid="bar"))
    assert windows.stride == 1
    assert windows.n_starts == 5 * 24 + 1


def test_draws_stay_in_the_windows_and_repeat_with_the_key() -> None:
    windows = TrainingWindows(first=100, stride=24, n_starts=6, n_bars=50)
    drawn = np.asarray(windows.draw(jax.random.key(0), 200))
    assert set(drawn) == set(windows.starts)
    np.testing.assert_array_equal(drawn, windows.draw(jax.random.key(0), 200))


def test_one_possible_start_is_evaluated_once() -> None:
    windows = training_windows(_evaluator())
    assert windows.draw(jax.random.key(0), 8).shape == (1,)


def test_an_offset_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(WindowError, match=r"bout_offset_days = 24\.5 leaves less than one chunk"):
        training_windows(_evaluator(bout_offset_days=24.5))
