"""Each check of a metric catches one that breaks its law, and names the law."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from quantsim.metrics import Metric, Need, Sample, SampleShape
from quantsim.metrics.sample import Least
from quantsim.testing import ConformanceError, check_metric

SHAPE = SampleShape(n_bars=10, bars_per_day=2)


def gain(sample: Sample, shape: SampleShape) -> Array:
    return sample.end_value / sample.start_value - 1.0


SOUND = Metric("mine", gain, Need.ENDS, True, "fraction", "For a test.")


def of_bars(function: Callable[[Array], Any], **fields: Any) -> Metric:
    return replace(SOUND, function=lambda sample, _: function(sample.bars), needs=Need.BARS, **fields)


@jax.custom_vjp
def same(x: Array) -> Array:
    return x


same.defvjp(lambda x: (x, None), lambda _, cotangent: (1.01 * cotangent,))

TWO = Least(bars=2)
PRECISIONS = itertools.cycle(["float32", "highest"])
BROKEN: dict[str, tuple[Metric, str, str]] = {
    "no unit": (replace(SOUND, unit=""), "description", "the unit of metric 'mine' is ''"),
    "two lines": (replace(SOUND, formula="a\nb"), "description", "must be one line"),
    "a bound of zero": (replace(SOUND, bound=0.0), "description", "must be above 0"),
    "a path": (of_bars(lambda v: v / v[0]), "shape and type", r"float64 of shape \(1,\), and must return one"),
    "a whole number": (of_bars(jnp.argmax), "shape and type", "int64"),
    "single precision": (of_bars(lambda v: (v[-1] / v[0]).astype(jnp.float32)), "shape and type", "float32"),
    "nothing": (of_bars(lambda v: None), "shape and type", "a NoneType"),
    "a branch on values": (of_bars(lambda v: v[0] if v[0] > v[1] else v[1]), "shape and type", "TracerBoolConversion"),
    "bars that it does not ask for": (
        replace(SOUND, function=lambda s, _: s.bars[-1] / s.end_value * gain(s, _)),
        "needs",
        "reads bar_values",
    ),
    "bars that it does not read": (replace(SOUND, needs=Need.ENDS | Need.BARS), "needs", "hides bar_values"),
    "a nan that is hidden": (of_bars(lambda v: jnp.nan_to_num(v[-1] / v[0])), "needs", "hides bar_values"),
    "a quotient of nothing": (
        of_bars(lambda v: jnp.log(v[-1] / v[0]) / jnp.std(v), least=TWO),
        "no nan",
        "nan on a constant path",
    ),
    "a root of nothing": (
        of_bars(lambda v: jnp.sqrt(jnp.var(v)) / v[0]),
        "gradient",
        "is not finite on a constant path",
    ),
    "more than least says": (
        of_bars(lambda v: jnp.mean(v[4:]) / v[0], least=Least(bars=3)),
        "no nan",
        "nan for the shortest sample .*n_bars=3",
    ),
    "least beyond the shape": (replace(SOUND, least=Least(bars=99)), "least", "a longer shape"),
    "a value in dollars": (of_bars(lambda v: v[-1] - v[0]), "unit of value", "any_unit=False"),
    "a cost that is none": (of_bars(lambda v: jnp.max(v) / v[0], cost=True), "cost", "a minus built in"),
    "a stopped gradient": (
        of_bars(lambda v: jax.lax.stop_gradient(v[-1]) / v[0]),
        "gradient",
        "finite differences find",
    ),
    "an adjoint that is wrong": (of_bars(lambda v: same(v[-1] / v[0])), "gradient", "finite differences find"),
    "a wild one": (of_bars(lambda v: jnp.sin(1e7 * v[-1] / v[0])), "gradient", "a kink or a jump in bar_values"),
    "a setting of JAX": (
        of_bars(lambda v: (jax.config.update("jax_default_matmul_precision", next(PRECISIONS)), v[-1] / v[0])[1]),
        "one program",
        "must be traced once",
    ),
    "one sample at a time": (of_bars(lambda v: v[-1] / v[0]), "many samples", r"values\[\.\.\., -1\]"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_metric_that_breaks_a_law_is_an_error_that_names_it(broken: str) -> None:
    metric, law, said = BROKEN[broken]
    before = jax.config.jax_default_matmul_precision
    try:
        with pytest.raises(ConformanceError, match=said) as caught:
            check_metric(metric, SHAPE)
    finally:
        jax.config.update("jax_default_matmul_precision", before)
    assert caught.value.law == law
    assert "metric 'mine'" in str(caught.value)


def test_sound_metrics_are_left_alone(tmp_path: Path) -> None:
    check_metric(SOUND, SHAPE)
    check_metric(of_bars(lambda v: v[..., -1] - v[..., 0]), SHAPE, any_unit=False)
    check_metric(of_bars(lambda v: v.min(axis=-1) / v.max(axis=-1)), SHAPE)
    (tmp_path / "mine.py").write_text("from quantsim.metrics.returns import METRICS\nMINE = METRICS[0]\n")
    check_metric(f"{tmp_path / 'mine.py'}:MINE", SHAPE)
