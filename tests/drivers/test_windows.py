"""Where training windows may begin, and how they are drawn."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim import Evaluator, Experiment, Prices
from quantsim.drivers.windows import Sampling, TrainingWindows, training_windows
from quantsim.errors import WindowError

KINDS: tuple[Sampling, ...] = ("uniform", "exponential", "stratified", "exhaustive")


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


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _draws(windows: TrainingWindows, key: jax.Array, steps: jax.Array, batch_size: int, kind: Sampling) -> jax.Array:
    return jax.vmap(lambda step: windows.draw(key, step, batch_size, kind))(steps)


def _places(n_starts: int, n_steps: int, batch_size: int, kind: Sampling, *, seed: int = 0) -> np.ndarray:
    """What the first steps draw, as places among the possible starts, (n_steps, W)."""
    windows = TrainingWindows(first=100, stride=24, n_starts=n_starts, n_bars=50)
    starts = _draws(windows, jax.random.key(seed), jnp.arange(n_steps), batch_size, kind)
    places, off_grid = np.divmod(np.asarray(starts) - windows.first, windows.stride)
    assert not off_grid.any()
    return places


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


def test_an_offset_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(WindowError, match=r"bout_offset_days = 24\.5 leaves less than one chunk"):
        training_windows(_evaluator(bout_offset_days=24.5))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_depend_on_key_and_step_alone_and_reach_every_start(kind: Sampling) -> None:
    drawn = _places(6, 60, 4, kind)
    assert set(drawn.ravel()) == set(range(6))
    windows = TrainingWindows(first=100, stride=24, n_starts=6, n_bars=50)
    (alone,) = _draws(windows, jax.random.key(0), jnp.array([41]), 4, kind)
    np.testing.assert_array_equal((np.asarray(alone) - 100) // 24, drawn[41])
    assert len(np.unique(drawn, axis=0)) > 5, "steps differ"
    assert (drawn != _places(6, 60, 4, kind, seed=1)).any(), "keys differ"


@pytest.mark.parametrize(("n_starts", "batch_size"), [(2, 1), (8, 3), (97, 10)])
def test_exhaustive_draws_each_start_once_a_round(n_starts: int, batch_size: int) -> None:
    n_rounds = 3
    drawn = _places(n_starts, -(-n_rounds * n_starts // batch_size), batch_size, "exhaustive").ravel()
    rounds = drawn[: n_rounds * n_starts].reshape(n_rounds, n_starts)
    np.testing.assert_array_equal(np.sort(rounds, axis=1), np.tile(np.arange(n_starts), (n_rounds, 1)))
    if n_starts > 12:
        assert len(set(rounds[:, 0])) == n_rounds, "every round begins elsewhere"
        apart = np.abs(np.diff(rounds, axis=1))
        assert np.minimum(apart, n_starts - apart).min() > n_starts / 3, "a batch is spread over the period"


@pytest.mark.parametrize(("n_starts", "batch_size"), [(20, 4), (23, 5), (6, 12)])
def test_stratified_draws_one_start_from_each_equal_part(n_starts: int, batch_size: int) -> None:
    drawn = _places(n_starts, 50, batch_size, "stratified")
    edges = np.arange(batch_size + 1) * n_starts / batch_size
    assert (drawn >= np.floor(edges[:-1])).all()
    assert (drawn < np.ceil(edges[1:])).all()


def test_windows_are_the_same_at_every_step_where_there_is_no_choice() -> None:
    for kind in KINDS:
        assert (_places(1, 3, 8, kind) == 0).all()
        assert _places(1, 3, 8, kind).shape == (3, 1), "evaluated once"
    for batch_size in (6, 9):
        np.testing.assert_array_equal(_places(6, 2, batch_size, "exhaustive"), [range(6)] * 2)
    windows = TrainingWindows(first=0, stride=1, n_starts=6, n_bars=50)
    fixed = {(kind, size) for kind in KINDS for size in (5, 6) if windows.is_fixed(size, kind)}
    assert fixed == {("exhaustive", 6)}
    assert training_windows(_evaluator()).is_fixed(1, "uniform")


def test_exponential_prefers_late_starts() -> None:
    drawn = _places(1000, 200, 50, "exponential") / 1000
    ends = np.linspace(0.0, 1.0, 6)
    wanted = np.diff(np.expm1(5.0 * ends)) / np.expm1(5.0)
    np.testing.assert_allclose(np.histogram(drawn, ends)[0] / drawn.size, wanted, atol=0.015)
