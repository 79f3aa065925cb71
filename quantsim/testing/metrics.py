"""Conformance checks of metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax import Array

from quantsim.array_types import FloatArray
from quantsim.discovery import Registry, is_in_file
from quantsim.metrics import Metric, Need, Sample, SampleShape, get_metric
from quantsim.precision import in_float64
from quantsim.testing.description import check_description
from quantsim.testing.laws import law, require

__all__ = ["SHAPE", "check_metric"]


SHAPE = SampleShape(n_bars=61 * 4 + 3, bars_per_day=4)
"""Default shape of the samples: two months with four bars a day, and three bars of a last day."""

FIELDS = {
    Need.ENDS: ("start_value", "end_value", "hodl_end_value", "uniform_hodl_end_value"),
    Need.DAILY: ("daily_values",),
    Need.BARS: ("bar_values",),
    Need.TURNOVER: ("weight_change",),
    Need.FEES: ("fee_revenue",),
    Need.REBALANCING: ("rebalancing_loss", "rebalancing_costs"),
    Need.BENCHMARK: ("benchmark_values",),
}
"""Need → the fields of a sample that it stands for."""

_FILES = Registry("quantsim.metrics", "METRIC", Metric, "metric", frozenset())
_MOST = 1 + 2 * len(FIELDS)  # samples of one call
_SEEDS = 3  # paths on which gradients are compared, until one is smooth there
_STEP = 1e-6  # relative
_KINK = 1e-3  # how far slopes to the left and to the right of a smooth function may differ
_CLOSE = 1e-4  # how far a gradient may differ from the finite difference
_ROUNDING = 1e-13  # of the value


@in_float64
def check_metric(metric: Metric | str, shape: SampleShape = SHAPE, *, any_unit: bool = True) -> None:
    """Checks a metric on random, constant, rising and falling paths of the pool's value.

    The laws:

    * name, unit and description are one line each;
    * the value is one float64 number, (); ``jit`` and ``vmap`` can compute it, and other values compile no new program;
    * it reads exactly what ``needs`` says: nan in a needed field makes it nan, and nan in another field changes nothing;
    * it is not nan on any of the paths, or on the shortest sample that ``least`` allows; it may be infinite;
    * its gradient is finite on all paths, and equals finite differences on random paths, except at kinks;
    * it does not depend on the unit of value, and a cost is negated;
    * for NumPy arrays of many samples, with a leading axis, the values are the same.

    Args:
        metric: the metric, its name, or ``"path/to/file.py:name"``.
        shape: shape of the samples.
        any_unit: False for a metric in units of value, such as the fees themselves.

    Raises:
        ConformanceError: the metric breaks a law; the message names the law, the finding and the remedy.
        ConfigError: there is no such metric.

    Example:
        >>> check_metric("daily_log_sharpe")
    """
    if isinstance(metric, str):
        metric = _FILES.get(metric) if is_in_file(metric) else get_metric(metric)
    called = f"metric {metric.name!r}"
    _check_description(called, metric)
    require(
        metric.least.is_met(shape),
        "least",
        f"{called} is not defined for {shape}, so there is nothing to check: give check_metric a longer shape, or ask for less "
        "in least",
    )
    shortest = _shortest(metric, shape)
    with law("shape and type", called):
        value = jax.jit(lambda sample: _checked(called, metric.function(sample, shortest)))(
            _sample(_random(shortest), shortest)
        )
    require(
        not math.isnan(value),
        "no nan",
        f"{called} is nan for the shortest sample that least admits, {shortest}: ask for more in least",
    )
    program = Mapped(metric, shape)
    _check_values(called, metric, program, any_unit=any_unit)
    _check_gradient(called, program)
    require(
        program.n_traces == 1,
        "one program",
        f"{called} was traced {program.n_traces} times for samples of one shape, and must be traced once: change no setting of "
        "JAX inside it",
    )
    _check_many(called, metric, program)


class Mapped:
    """A metric's values and gradients for a list of samples, as one compiled program.

    Attributes:
        n_traces: number of times that the metric was traced.
    """

    def __init__(self, metric: Metric, shape: SampleShape) -> None:
        """Compiles nothing yet."""
        self.n_traces, self.shape = 0, shape

        def value(sample: Sample) -> Array:
            self.n_traces += 1
            return metric.function(sample, shape)

        self._program = jax.jit(jax.vmap(jax.value_and_grad(value)))

    def __call__(self, samples: list[Sample]) -> tuple[FloatArray, list[Sample]]:
        """Returns values, (N,), and ``N`` gradients."""
        padded = [*samples, *[samples[0]] * (_MOST - len(samples))]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
        values, gradients = jax.tree.map(np.asarray, self._program(stacked))
        return values[: len(samples)], [
            jax.tree.map(lambda leaf, at=at: leaf[at], gradients) for at in range(len(samples))
        ]


def _check_description(called: str, metric: Metric) -> None:
    check_description(called, name=metric.name, unit=metric.unit, description=metric.description)
    if metric.formula:
        check_description(called, formula=metric.formula)
    require(metric.bound > 0.0, "description", f"the bound of {called} is {metric.bound:g}, and must be above 0")
    with law("static", called):
        hash(metric)


def _checked(called: str, value: Any) -> Array:
    found = (
        f"an array of {value.dtype} of shape {value.shape}" if hasattr(value, "dtype") else f"a {type(value).__name__}"
    )
    right = hasattr(value, "dtype") and value.shape == () and value.dtype == np.float64
    require(right, "shape and type", f"{called} returns {found}, and must return one float64 number, of shape ()")
    return value  # type: ignore[no-any-return]


def _shortest(metric: Metric, shape: SampleShape) -> SampleShape:
    """Returns the shape of the shortest sample that the metric is defined for, with as many bars per day."""
    return next(
        one
        for one in (SampleShape(n_bars, shape.bars_per_day) for n_bars in range(1, shape.n_bars + 1))
        if metric.least.is_met(one)
    )


def _random(shape: SampleShape, seed: int = 0) -> FloatArray:
    steps = 0.01 * np.random.default_rng([seed, shape.n_bars]).standard_normal(shape.n_bars)
    return np.asarray(1e6 * np.exp(np.cumsum(steps)))


def _sample(path: FloatArray, shape: SampleShape) -> Sample:
    """Returns a sample with this path of values, (T,), and holdings, fees, turnover and losses of the same order."""
    rest = {"hodl_end_value": 1.07, "uniform_hodl_end_value": 0.94, "fee_revenue": 0.011}
    rest |= {"rebalancing_loss": 0.004, "rebalancing_costs": 0.007}
    scaled: dict[str, Any] = {name: np.asarray(share * path[0]) for name, share in rest.items()}
    arrays: Any = path
    days = np.arange(shape.n_daily)
    scaled["benchmark_values"] = path[0] * np.exp(0.02 * np.sin(days))
    return Sample.from_bars(arrays, shape.bars_per_day, weight_change=np.asarray(3.25), **scaled)  # type: ignore[arg-type]


def _check_values(called: str, metric: Metric, program: Mapped, *, any_unit: bool) -> None:
    """Checks the laws of values on single samples."""
    shape, path = program.shape, _random(program.shape)
    plain = _sample(path, shape)
    line = np.linspace(1e6, 2e6, shape.n_bars)
    paths = {
        "a random path": path,
        "a constant path": np.full(shape.n_bars, 1e6),
        "a rising path": line,
        "a falling path": line[::-1],
    }
    samples = {name: _sample(one, shape) for name, one in paths.items()}
    samples |= {f"nan in {need.name}": _with(plain, fields, np.nan) for need, fields in FIELDS.items()}
    samples["a path in another unit"] = _sample(path * 1024.0, shape)
    with law("shape and type", called):
        values, gradients = program(list(samples.values()))
    found = dict(zip(samples, values.tolist(), strict=True))
    for name, gradient in zip(paths, gradients, strict=False):
        require(
            not math.isnan(found[name]),
            "no nan",
            f"{called} is nan on {name}: decide what a quotient without risk is with quantsim.metrics.series.ratio, and name "
            "what a sample must have in least",
        )
        wrong = [field for field, part in gradient._asdict().items() if not np.isfinite(part).all()]
        require(
            not wrong,
            "gradient",
            f"the gradient of {called} with respect to {', '.join(wrong)} is not finite on {name}: see root, ratio and "
            "deviation of quantsim.metrics.series",
        )
    for need, fields in FIELDS.items():
        value, needed = found[f"nan in {need.name}"], need in metric.needs
        require(
            math.isnan(value) if needed else value == found["a random path"],
            "needs",
            f"{called} {'hides' if needed else 'reads'} {', '.join(fields)}, and its needs {'name' if needed else 'lack'} "
            f"Need.{need.name}: {'let nan through, or take it out' if needed else 'name it'}",
        )
    plain_value, other = found["a random path"], found["a path in another unit"]
    require(
        not any_unit or abs(other - plain_value) <= 1e-12 * abs(plain_value),
        "unit of value",
        f"{called} is {plain_value:g}, and {other:g} where all values are 1024 times as large: divide by a value of the "
        "sample, or pass any_unit=False to check_metric",
    )
    require(
        not metric.cost or plain_value <= 0.0,
        "cost",
        f"{called} has cost=True and is {plain_value:g} on a random path: a cost is a positive quantity with a minus built in",
    )


def _check_many(called: str, metric: Metric, program: Mapped) -> None:
    """Checks values of many samples at once, which the evaluator computes without compilation."""
    samples = [_sample(_random(program.shape, seed), program.shape) for seed in range(_SEEDS)]
    expected, _ = program(samples)
    stacked: Sample = jax.tree.map(lambda *leaves: np.stack(leaves), *samples)
    remedy = (
        "take ends as values[..., 0] and values[..., -1], and reduce along axis=-1, as quantsim.metrics.series does"
    )
    with law("many samples", called), np.errstate(all="ignore"):
        found = np.asarray(metric.function(stacked, program.shape))
    require(
        found.shape == expected.shape and np.allclose(found, expected, rtol=1e-9, atol=1e-12),
        "many samples",
        f"{called} of {_SEEDS} samples with a leading axis is {found}, and of one after another {expected}: {remedy}",
    )


def _with(sample: Sample, fields: tuple[str, ...], factor: Any) -> Sample:
    """Returns the sample with fields multiplied by a factor, or each by its own."""
    factors = factor if isinstance(factor, dict) else dict.fromkeys(fields, factor)
    return sample._replace(**{field: getattr(sample, field) * factors[field] for field in fields})


def _check_gradient(called: str, program: Mapped) -> None:
    """Checks gradients against finite differences, for each need on the first random path without a kink there."""
    remaining = list(FIELDS.values())
    for seed in range(_SEEDS):
        plain = _sample(_random(program.shape, seed), program.shape)
        moves = list(_directions(plain, seed))
        samples = [
            _with(plain, tuple(move), {field: 1.0 + sign * _STEP * row for field, row in move.items()})
            for move in moves
            for sign in (1.0, -1.0)
        ]
        values, gradients = program([plain, *samples])
        for at, move in enumerate(moves):
            if tuple(move) not in remaining:
                continue
            right, left = (values[1 + 2 * at] - values[0]) / _STEP, (values[0] - values[2 + 2 * at]) / _STEP
            rounding = _ROUNDING * abs(values[0]) / _STEP
            if not abs(right - left) <= _KINK * max(abs(right), abs(left)) + rounding:
                continue
            remaining.remove(tuple(move))
            slope = sum(
                float(np.sum(getattr(gradients[0], field) * getattr(plain, field) * row)) for field, row in move.items()
            )
            wanted = (right + left) / 2
            require(
                abs(slope - wanted) <= _CLOSE * abs(wanted) + rounding,
                "gradient",
                f"the gradient of {called} along {', '.join(move)} is {slope:.6g}, and finite differences find {wanted:.6g}: "
                "look for jax.lax.stop_gradient, or a custom derivative that is wrong",
            )
    require(
        not remaining,
        "gradient",
        f"{called} has a kink or a jump in {', '.join(field for fields in remaining for field in fields)} on {_SEEDS} "
        "random paths, so there is no gradient to follow: smooth it",
    )


def _directions(sample: Sample, seed: int) -> Iterator[dict[str, FloatArray]]:
    """Yields random relative moves of the fields of each need."""
    generator = np.random.default_rng(seed + 10)
    for fields in FIELDS.values():
        yield {field: generator.standard_normal(np.shape(getattr(sample, field))) for field in fields}
