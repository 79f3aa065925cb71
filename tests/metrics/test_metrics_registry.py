"""The registry of metrics: names, needs, errors, and the documentation."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.errors import ConfigError, WindowError
from quantsim.metrics import Need, Sample, SampleShape, compute, get_metric, metric_names, needs_of
from quantsim.metrics.table import markdown_table
from quantsim.testing import check_metric

NAMES = metric_names()
SHAPE = SampleShape(n_bars=61 * 4, bars_per_day=4)


@pytest.fixture(scope="module")
def sample() -> Sample:
    path = jnp.asarray(np.exp(np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, SHAPE.n_bars))))
    return Sample.from_bars(
        path,
        SHAPE.bars_per_day,
        hodl_end_value=path[-1] * 1.1,
        uniform_hodl_end_value=path[-1] * 0.9,
        weight_change=jnp.asarray(2.0),
        fee_revenue=jnp.asarray(0.1),
        rebalancing_loss=jnp.asarray(0.03),
        rebalancing_costs=jnp.asarray(0.01),
        benchmark_values=path[:: SHAPE.bars_per_day] ** 0.9,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_keeps_the_laws_of_metrics(name: str) -> None:
    check_metric(name)
    metric = get_metric(name)
    assert metric.name == name
    assert metric.formula
    with pytest.raises(FrozenInstanceError):
        metric.name = "other"  # type: ignore[misc]


def test_daily_objectives_do_not_need_every_bar() -> None:
    assert needs_of(["daily_sharpe", "daily_log_sharpe", "daily_sortino"]) == Need.DAILY
    assert needs_of([name for name in NAMES if "returns" in name]) == Need.ENDS
    assert needs_of(["returns", "ulcer", "turnover"]) == Need.ENDS | Need.BARS | Need.TURNOVER
    assert needs_of(["information_ratio"]) == Need.DAILY | Need.BENCHMARK
    assert needs_of([]) == Need(0)


def test_compute_without_bars(sample: Sample) -> None:
    names = [name for name in NAMES if Need.BARS not in get_metric(name).needs]
    light = sample._replace(bar_values=None)
    assert list(compute(names, light, SHAPE)) == names
    assert compute(names, light, SHAPE) == compute(names, sample, SHAPE)
    with pytest.raises(ValueError, match=r"Need\.BARS"):
        compute(["ulcer"], light, SHAPE)
    with pytest.raises(ValueError, match=r"Need\.REBALANCING"):
        compute(["lvr"], sample._replace(rebalancing_loss=None), SHAPE)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown metric 'daily_sharp'; did you mean 'daily_sharpe'\?"):
        get_metric("daily_sharp")
    with pytest.raises(ConfigError, match="unknown metric"):
        needs_of(["returns", "profit"])


def test_shapes_that_do_not_fit_are_refused(sample: Sample) -> None:
    with pytest.raises(WindowError, match="n_bars=0"):
        SampleShape(0, 1440)
    with pytest.raises(WindowError, match="bars_per_day=0"):
        SampleShape(10, 0)
    with pytest.raises(WindowError, match="bar_values must have shape"):
        compute(["ulcer"], sample._replace(bar_values=sample.bars[:-1]), SHAPE)
    with pytest.raises(WindowError, match="daily_values must have shape"):
        compute(["returns"], sample, SampleShape(SHAPE.n_bars, 1))


def test_shape_properties() -> None:
    shape = SampleShape(n_bars=100, bars_per_day=8)
    assert shape.days == 12.5
    assert shape.samples_per_year == 365 / 12.5
    assert shape.bars_per_year == 2920
    assert (shape.n_daily, shape.n_blocks(1), shape.n_blocks(7), shape.n_blocks(30)) == (13, 12, 1, 0)
    assert hash(shape) == hash(SampleShape(100, 8))


def test_the_documentation_holds_the_table_of_the_registry() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert markdown_table() in text, "paste the output of `python -m quantsim.metrics.table` into docs/metrics.md"


def test_importing_the_package_does_not_import_jax() -> None:
    check = "import sys, quantsim.metrics; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
