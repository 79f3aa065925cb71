"""Finds metrics by name, and computes several of them at once.

Every module of this package with a ``METRICS`` table is a family. The first look-up imports the families, and JAX with them.
"""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import quantsim.metrics
from quantsim.errors import ConfigError, WindowError, nearest
from quantsim.metrics.sample import Metric, Need, Sample, SampleShape

if TYPE_CHECKING:
    from jax import Array

__all__ = ["bounded", "compute", "get_metric", "metric_names", "needs_of"]


def get_metric(name: str) -> Metric:
    """Returns the metric of that name.

    Raises:
        ConfigError: the name is unknown; the message suggests the nearest one.

    Example:
        >>> get_metric("daily_log_sharpe").unit
        'ratio, annualised'
    """
    metrics = _registered()
    if name not in metrics:
        raise ConfigError(f"unknown metric {name!r}; {nearest(name, metrics)}")
    return metrics[name]


def metric_names() -> tuple[str, ...]:
    """Returns the names of all metrics, family by family."""
    return tuple(_registered())


def needs_of(names: Iterable[str]) -> Need:
    """Returns the parts of a sample that these metrics read; ``Need(0)`` for no names.

    Raises:
        ConfigError: a name is unknown.
    """
    return functools.reduce(Need.__or__, (get_metric(name).needs for name in names), Need(0))


def bounded(name: str, values: Array) -> Array:
    """Limits values of a metric, of JAX or NumPy, to ± :attr:`Metric.bound`, for combining several of them; same shape.

    The gradient is 0 beyond the bound. nan stays nan.

    Raises:
        ConfigError: the name is unknown.
    """
    from quantsim.metrics.series import namespace

    bound = get_metric(name).bound
    if math.isinf(bound):
        return values
    clipped: Array = namespace(values).clip(values, -bound, bound)
    return clipped


def compute(names: Iterable[str], sample: Sample, shape: SampleShape) -> dict[str, Array]:
    """Returns the named metrics of one window, each a scalar (). A metric is nan if the window is too short for it.

    Samples may have leading axes, (..., D) daily values and (...) scalars; the metrics are then (...). Call it under ``jit``
    with arrays of JAX, so that common work is shared. With arrays of NumPy it returns arrays of NumPy, and compiles nothing.

    Args:
        names: metrics to compute.
        sample: the window; parts that no named metric needs may be None.
        shape: static shape of the sample.

    Raises:
        ConfigError: a name is unknown.
        ValueError: a metric needs ``bar_values``, but the sample has none.
        WindowError: the lengths of the sample's arrays do not match ``shape``.
    """
    from quantsim.metrics.series import undefined

    _check_lengths(sample, shape)
    metrics = [get_metric(name) for name in names]
    return {
        metric.name: metric.function(sample, shape) if metric.least.is_met(shape) else undefined(sample)
        for metric in metrics
    }


def _check_lengths(sample: Sample, shape: SampleShape) -> None:
    daily, bars = sample.daily_values, sample.bar_values
    if daily.shape[-1:] != (shape.n_daily,):
        raise WindowError(f"daily_values must have shape (..., {shape.n_daily}) for {shape}, not {daily.shape}")
    if sample.benchmark_values is not None and sample.benchmark_values.shape != daily.shape:
        raise WindowError(f"benchmark_values must have shape {daily.shape}, not {sample.benchmark_values.shape}")
    if bars is not None and bars.shape[-1:] != (shape.n_bars,):
        raise WindowError(f"bar_values must have shape (..., {shape.n_bars}) for {shape}, not {bars.shape}")


@functools.cache
def _registered() -> Mapping[str, Metric]:
    """Returns all metrics by name, ordered by file and by entry."""
    metrics: dict[str, Metric] = {}
    for module in pkgutil.iter_modules(quantsim.metrics.__path__, prefix=f"{quantsim.metrics.__name__}."):
        family: tuple[Metric, ...] = getattr(importlib.import_module(module.name), "METRICS", ())
        for metric in family:
            if metric.name in metrics:
                raise ConfigError(f"metric {metric.name!r} is registered twice, the second time in {module.name}")
            metrics[metric.name] = metric
    return MappingProxyType(metrics)
