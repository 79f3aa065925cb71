"""Metrics of resampled days, for bootstrap intervals.

A metric that reads only daily values (:attr:`~quantsim.metrics.Metric.is_daily`) is a function of the daily log returns. On
resampled days its value is that of the path that these returns make: one value a day, from the first bar of the first day to
the first bar of the last. All pools are resampled on the same days, so that differences between them are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.metrics import Sample, SampleShape, bounded, compute, get_metric, metric_names
from quantsim.objective import OBJECTIVE, violation

if TYPE_CHECKING:
    from jax import Array

    from quantsim.objective.settings import Objective

__all__ = ["daily_metrics", "is_resampled", "resampled_metrics"]


def is_resampled(name: str, objective: Objective | None = None) -> bool:
    """Whether a stored metric is a function of daily values.

    Args:
        name: name of a stored value: a metric, the objective, or a metric of a period.
        objective: objective of the study, for the value ``objective``: a weighted sum over one period is a function of daily
            values if its metrics and constraints are.
    """
    if name == OBJECTIVE:
        return objective is not None and all(map(is_resampled, _parts(objective)))
    return name in metric_names() and get_metric(name).is_daily


def _parts(objective: Objective) -> dict[str, None]:
    return dict.fromkeys(name for name, _ in (*objective.terms, *objective.constraints))


def daily_metrics(
    names: Iterable[str],
    daily_log_returns: FloatArray,
    *,
    hodl: FloatArray | None = None,
    uniform_hodl: FloatArray | None = None,
    constant_weights: FloatArray | None = None,
    objective: Objective | None = None,
) -> dict[str, FloatArray]:
    """Returns metrics of the paths of daily values that these returns make.

    Args:
        names: names of metrics, or "objective"; see :func:`is_resampled`.
        daily_log_returns: (..., T) daily log returns of the pool.
        hodl: (..., T) returns of holding the initial reserves, for metrics over HODL; without them, those metrics are nan.
        uniform_hodl: (..., T) returns of holding equal values of each token, for metrics over uniform HODL; nan without them.
        constant_weights: (..., T) returns of the pool with constant weights, for ``information_ratio``; nan without them.
        objective: objective of the study, for "objective", over a single period.

    Returns:
        metric → (...).
    """
    names = tuple(names)
    wanted = [name for name in names if name != OBJECTIVE]
    if OBJECTIVE in names and objective is not None:
        wanted += [name for name in _parts(objective) if name not in wanted]
    daily = _path(daily_log_returns)
    start = daily[..., 0]
    ends = [
        np.full_like(start, np.nan) if held is None else np.exp(np.sum(held, axis=-1)) for held in (hodl, uniform_hodl)
    ]
    nothing = np.zeros_like(start)
    benchmark = np.full_like(daily, np.nan) if constant_weights is None else _path(constant_weights)
    # The metrics that need no other part of a sample take arrays of NumPy.
    sample = Sample(*cast(Any, (start, daily[..., -1], *ends, daily, None, nothing, nothing, None, None, benchmark)))
    with np.errstate(all="ignore"):
        found = compute(wanted, sample, SampleShape(daily.shape[-1], 1))
        if OBJECTIVE in names and objective is not None:
            found[OBJECTIVE] = _combined(objective, found)
    return {name: np.asarray(found[name]) for name in names}


def _path(daily_log_returns: FloatArray) -> FloatArray:
    """Returns the values (..., T + 1) that start at 1 and make these returns (..., T)."""
    values = np.exp(np.cumsum(daily_log_returns, axis=-1))
    return np.concatenate([np.ones((*values.shape[:-1], 1)), values], axis=-1)


def _combined(objective: Objective, metrics: Mapping[str, Array]) -> Array:
    """Returns the objective over a single period: the weighted sum of bounded metrics, less penalties of constraints."""
    total: Array = sum(weight * bounded(name, metrics[name]) for name, weight in objective.terms)  # type: ignore[assignment]
    for name, minimum in objective.constraints:
        total = total - objective.constraint_penalty * violation(metrics[name], minimum, get_metric(name).bound)
    return total


def resampled_metrics(
    names: Iterable[str],
    daily_log_returns: Mapping[str, FloatArray],
    days: NDArray[np.intp],
    *,
    hodl: Mapping[str, FloatArray] | None = None,
    uniform_hodl: Mapping[str, FloatArray] | None = None,
    constant_weights: FloatArray | None = None,
    objective: Objective | None = None,
) -> dict[str, dict[str, FloatArray]]:
    """Returns metrics of several pools on the same resampled days.

    Args:
        names: names of metrics, or "objective"; see :func:`is_resampled`.
        daily_log_returns: pool → (T,) daily log returns of the same days.
        days: (B, T) indices of days, one row for each resample, as of :func:`quantsim.statistics.resampled_days`.
        hodl: pool → (T,) returns of holding its initial reserves; metrics over HODL of other pools are nan.
        uniform_hodl: pool → (T,) returns of holding equal values of each token, for metrics over uniform HODL.
        constant_weights: (T,) returns of the pool with constant weights; without them, ``information_ratio`` is nan.
        objective: objective of the study.

    Returns:
        pool → metric → (B,).
    """
    names = tuple(names)
    benchmark = None if constant_weights is None else constant_weights[days]
    held = {id(returns): returns[days] for table in (hodl, uniform_hodl) for returns in (table or {}).values()}

    def resampled(table: Mapping[str, FloatArray] | None, pool: str) -> FloatArray | None:
        return None if table is None or pool not in table else held[id(table[pool])]

    return {
        pool: daily_metrics(
            names,
            returns[days],
            hodl=resampled(hodl, pool),
            uniform_hodl=resampled(uniform_hodl, pool),
            constant_weights=benchmark,
            objective=objective,
        )
        for pool, returns in daily_log_returns.items()
    }
