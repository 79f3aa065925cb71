"""Tables and pictures of grids: position of cells, units, and the best cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantsim import Axis, Experiment
from quantsim.config.locate import find_study
from quantsim.errors import ConfigError
from quantsim.report.canvas import SUFFIXES, save_figure
from quantsim.report.grids import grid_figure, grid_frame
from quantsim.simulator.grid import Grid

MEMORY, K = Axis("memory_days[BTC]", 1.0, 100.0, 3, log=True), Axis("k_per_day", 0.0, 10.0, 2)


@pytest.fixture(scope="module")
def study() -> Experiment:
    return Experiment.load(find_study("momentum_zero_fee"))


def made(*axes: Axis) -> Grid:
    shape = tuple(axis.n_points for axis in axes)
    values = np.arange(float(np.prod(shape))).reshape(shape) / 10
    values.flat[0] = np.nan
    metrics = {split: {"returns": sign * values} for split, sign in (("train", 1.0), ("test", -1.0))}
    return Grid(axes, metrics, {"log_k": np.zeros((values.size, 2))}, {})


def test_the_table_has_a_row_per_cell(study: Experiment) -> None:
    frame = grid_frame(made(MEMORY, K))
    assert [*frame] == ["memory_days[BTC]", "k_per_day", "train_returns", "test_returns"]
    np.testing.assert_allclose(frame["memory_days[BTC]"], [1, 1, 10, 10, 100, 100])
    assert frame.iloc[3].tolist() == pytest.approx([10.0, 10.0, 0.3, -0.3])


def test_two_axes_are_a_heat_map(study: Experiment) -> None:
    grid = made(MEMORY, K)
    axes, bar = grid_figure(study, grid, grid.best()).axes
    (mesh,) = axes.collections
    shown = np.ma.filled(mesh.get_array().astype(float), np.nan)
    np.testing.assert_allclose(shown, 100 * grid.metrics["train"]["returns"].T)  # in percent; across is the first axis
    np.testing.assert_allclose(np.asarray(mesh.get_coordinates())[0, :, 0], 10.0 ** np.array([-0.5, 0.5, 1.5, 2.5]))
    np.testing.assert_allclose(np.asarray(mesh.get_coordinates())[:, 0, 1], [-5.0, 5.0, 15.0])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("memory_days[BTC], days", "k_per_day, per day")
    assert bar.get_ylabel() == "train returns, %"
    assert [tuple(np.ravel(line.get_data())) for line in axes.lines] == [(pytest.approx(100.0), 10.0)] * 2
    (text,) = [text.get_text() for text in axes.texts]
    assert text.startswith(
        "Best cell, chosen on train: memory_days[BTC] = 100, k_per_day = 10; returns %: train +50.00"
    )


def test_one_axis_is_a_line_per_split(study: Experiment) -> None:
    grid = made(MEMORY)
    (axes,) = grid_figure(study, grid, grid.best(split="test")).axes
    train, test, _ = axes.lines
    np.testing.assert_allclose(train.get_xdata(), [1, 10, 100])
    np.testing.assert_allclose(test.get_ydata(), [np.nan, -10, -20])
    assert test.get_linewidth() > train.get_linewidth()
    assert axes.get_xscale() == "log"
    assert "chosen on test" in axes.texts[0].get_text()


def test_infinite_cells_have_the_extreme_colours(study: Experiment) -> None:
    grid = made(MEMORY, K)
    grid.metrics["train"]["returns"][2] = [np.inf, -np.inf]
    best = grid.best()
    axes, _ = grid_figure(study, grid, best).axes
    shown = np.ma.filled(axes.collections[0].get_array().astype(float), np.nan)
    np.testing.assert_allclose(shown, [[np.nan, 20.0, 30.0], [10.0, 30.0, 10.0]])
    assert best.index == (2, 0)
    assert "train +inf" in axes.texts[0].get_text()


def test_three_axes_are_refused(study: Experiment) -> None:
    grid = made(MEMORY, K, Axis("memory_days[ETH]", 1.0, 2.0, 2))
    with pytest.raises(ConfigError, match="one or two axes, not 3"):
        grid_figure(study, grid, grid.best())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_picture_is_written(study: Experiment, tmp_path: Path, suffix: str) -> None:
    grid = made(MEMORY, K)
    save_figure(grid_figure(study, grid, grid.best()), tmp_path / f"grid{suffix}")
    assert (tmp_path / f"grid{suffix}").stat().st_size > 5_000
