"""Finds metrics by name, and computes several of them at once.

Every module of this package that holds a ``METRICS`` table is a family; its entries are registered when a name is first
asked for. Importing this module is cheap; the first look-up imports the families, and JAX with them.
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
        ConfigError: there is none; the message suggests the nearest name.

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
    """Returns what of a sample the named metrics read together; ``Need(0)`` for no names.

    Raises:
        ConfigError: a name is unknown.
    """
    return functools.reduce(Need.__or__, (get_metric(name).needs for name in names), Need(0))


def bounded(name: str, values: Array) -> Array:
    """Values of a metric as they count where several are combined: within ± :attr:`Metric.bound`, same shape.

    The gradient is 0 beyond the bound. nan stays nan.

    Raises:
        ConfigError: the name is unknown.
    """
    import jax.numpy as jnp

    bound = get_metric(name).bound
    return values if math.isinf(bound) else jnp.clip(values, -bound, bound)


def compute(names: Iterable[str], sample: Sample, shape: SampleShape) -> dict[str, Array]:
    """Returns the named metrics of one window, each a scalar (): nan where the window has not the least that it needs.

    To be called under ``jit``, which shares common work.

    Args:
        names: metrics to compute.
        sample: the window; ``bar_values`` may be None if no named metric needs them.
        shape: static shape of the sample.

    Raises:
        ConfigError: a name is unknown.
        ValueError: a metric needs ``bar_values``, and the sample has none.
        WindowError: the arrays of the sample do not have the lengths that ``shape`` says.
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
    if daily.shape != (shape.n_daily,):
        raise WindowError(f"daily_values must have shape {(shape.n_daily,)} for {shape}, not {daily.shape}")
    if bars is not None and bars.shape != (shape.n_bars,):
        raise WindowError(f"bar_values must have shape {(shape.n_bars,)} for {shape}, not {bars.shape}")


@functools.cache
def _registered() -> Mapping[str, Metric]:
    """All metrics by name, in the order of the family files' names and of the entries in each."""
    metrics: dict[str, Metric] = {}
    for module in pkgutil.iter_modules(quantsim.metrics.__path__, prefix=f"{quantsim.metrics.__name__}."):
        family: tuple[Metric, ...] = getattr(importlib.import_module(module.name), "METRICS", ())
        for metric in family:
            if metric.name in metrics:
                raise ConfigError(f"metric {metric.name!r} is registered twice, the second time in {module.name}")
            metrics[metric.name] = metric
    return MappingProxyType(metrics)
