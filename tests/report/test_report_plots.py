"""Pictures of pools: texts, size, and drawing without a display."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from quantsim import Experiment, Result, load_prices
from quantsim.config.locate import find_study
from quantsim.prices import Prices
from quantsim.report.canvas import import_ahead
from quantsim.report.paths import hodl_values, path_frame
from quantsim.report.plots import SUFFIXES, pool_figure, save_figure


@pytest.fixture(scope="module")
def study() -> Experiment:
    return Experiment.load(find_study("momentum_fees"))


@pytest.fixture(scope="module")
def prices(study: Experiment) -> Prices:
    return load_prices(["BTC", "ETH"])


@pytest.fixture(scope="module")
def result(study: Experiment, prices: Prices) -> Result:
    """A pool of constant reserves over all splits, so of the same value as HODL but for a factor that grows."""
    first, last = prices.index_of("2018-04-01"), prices.index_of("2019-10-01")
    held = prices.prices[first:last]
    growth = np.linspace(1.0, 1.5, len(held))[:, None]
    reserves = growth * np.array([50.0, 1000.0])
    value = (reserves * held).sum(axis=1)
    return Result(
        times=prices.times[first:last],
        value=value,
        reserves=reserves,
        weights=reserves * held / value[:, None],
        prices=held,
        metrics={"returns": 0.5, "returns_over_hodl": 0.5},
        fee_revenue=0.0,
        tokens=("BTC", "ETH"),
        params={},
        split="all",
        notes={},
    )


def test_hodl_values_are_those_of_the_first_reserves(result: Result):
    held = hodl_values(result)
    assert held[0] == pytest.approx(result.value[0], rel=1e-12)
    assert held[-1] == pytest.approx(result.value[-1] / 1.5, rel=1e-12)


def test_frame_has_a_column_for_each_token(result: Result):
    frame = path_frame(result)
    assert [*frame] == ["time", "value", "hodl_value", "weight_BTC", "weight_ETH", "reserve_BTC", "reserve_ETH"]
    assert str(frame["time"].dtype).endswith("UTC]")


def test_picture_names_study_splits_tokens_and_outcome(study: Experiment, result: Result):
    figure = pool_figure(
        study,
        result,
        hodl_values(result),
        {"test": {"returns": 0.2, "returns_over_hodl": 0.1}, "all": result.metrics},
    )
    value_axes, weight_axes = figure.axes
    texts = [text.get_text() for text in value_axes.texts]
    assert value_axes.get_title(loc="left") == "momentum_fees: momentum on BTC, ETH"
    assert "Test period, a new pool: +20.0 %, HODL +9.1 %, over HODL +10.0 %" in texts
    assert {"train", "validation", "test"} <= set(texts)
    assert value_axes.get_ylabel() == "value, USD"
    assert weight_axes.get_xlabel() == "date (UTC)"
    assert [text.get_text() for text in weight_axes.get_legend().get_texts()] == ["BTC", "ETH"]
    assert max(len(line.get_xdata()) for line in value_axes.lines) <= 4001


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_picture_is_written(study: Experiment, result: Result, tmp_path: Path, suffix: str):
    path = tmp_path / f"pool{suffix}"
    save_figure(pool_figure(study, result, hodl_values(result)), path)
    assert path.stat().st_size > 10_000
    if suffix == ".png":
        header = path.read_bytes()[16:24]
        assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (1600, 900)


@pytest.mark.parametrize(("growth", "scale"), [(2.9, "linear"), (3.1, "log")])
def test_values_that_grow_by_more_than_three_are_on_a_logarithmic_axis(study, result, growth, scale):
    value = result.value[0] * np.linspace(1.0, growth, result.value.size)
    figure = pool_figure(study, dataclasses.replace(result, value=value), value)
    assert figure.axes[0].get_yscale() == scale
    assert figure.axes[1].get_yscale() == "linear"


def test_matplotlib_is_imported_in_a_thread_if_it_is_installed(monkeypatch: pytest.MonkeyPatch):
    import_ahead().join()
    assert "matplotlib.figure" in sys.modules
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    import_ahead().join()  # an exception in a thread would fail this test
