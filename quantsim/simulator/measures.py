"""Metrics and the objective of a plan, from the samples of a window's periods: arrays of JAX in traced code, else of NumPy.

Traced code needs the objective alone, for its gradient. All other results are computed from samples of NumPy arrays: a metric
takes longer to compile than to compute for thousands of windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jax
import numpy as np
from jax import Array

from quantsim.metrics import Sample, SampleShape, bounded, compute
from quantsim.metrics.series import daily_log_returns, namespace
from quantsim.objective import OBJECTIVE, ObjectiveShape, Period, combine
from quantsim.simulator.plan import Plan

__all__ = ["Results", "metrics_of", "objective_periods", "reported_periods", "results_of", "values_of"]

Results = tuple[dict[str, Array], Array]
"""Metrics, name → (...), and daily log returns, (..., D-1)."""


def objective_periods(plan: Plan) -> list[Period]:
    """Returns the parts of a window that its metrics and its objective read."""
    whole, shape = Period(0, plan.shape.n_bars), plan.objective
    if shape is None:
        return [whole]
    return list(dict.fromkeys([*shape.periods, *([whole] if plan.metrics or shape.constraint_metrics else [])]))


def reported_periods(plan: Plan) -> list[Period]:
    """Returns :func:`objective_periods`, and the whole window, whose daily returns are reported."""
    return list(dict.fromkeys([*objective_periods(plan), Period(0, plan.shape.n_bars)]))


def results_of(plan: Plan, samples: Any) -> Results:
    """Returns metrics and daily log returns of windows, without compilation; the names of the metrics are ``plan.names``.

    Args:
        plan: plan of the evaluation.
        samples: sample of each of :func:`reported_periods`, of arrays of JAX or NumPy with leading axes (...).
    """
    found: list[Sample] = jax.device_get(samples)
    by_period = dict(zip(reported_periods(plan), found, strict=True))
    with np.errstate(all="ignore"):  # after a total loss
        returns = daily_log_returns(by_period[Period(0, plan.shape.n_bars)])
        return values_of(plan, by_period), returns


def values_of(plan: Plan, by_period: Mapping[Period, Sample]) -> dict[str, Array]:
    """Returns metrics of the whole window and the objective, from the samples of :func:`objective_periods`."""
    whole, shape = Period(0, plan.shape.n_bars), plan.objective
    names = plan.metrics if shape is None else tuple(dict.fromkeys((*plan.metrics, *shape.constraint_metrics)))
    of_window = {}
    if names:
        of_window = {name: row[0] for name, row in metrics_of(names, [by_period[whole]], [whole], plan).items()}
    if shape is None:
        return of_window
    own = [by_period[period] for period in shape.periods]
    of_periods = metrics_of(shape.term_metrics, own, shape.periods, plan)
    values = {OBJECTIVE: combine(shape, of_periods, of_window), **{name: of_window[name] for name in plan.metrics}}
    return {**values, **_details(shape, of_periods)} if plan.details else values


def metrics_of(
    names: Sequence[str], found: Sequence[Sample], periods: Sequence[Period], plan: Plan
) -> dict[str, Array]:
    """Returns metrics of periods, name → (P, ...). Periods of equal length are computed together."""
    xp = namespace(found[0].start_value)
    rows: dict[str, dict[int, Array]] = {name: {} for name in names}
    for n_bars in dict.fromkeys(period.n_bars for period in periods):
        members = [index for index, period in enumerate(periods) if period.n_bars == n_bars]
        stacked = jax.tree.map(lambda *leaves: xp.stack(leaves), *(found[index] for index in members))
        for name, values in compute(names, stacked, SampleShape(n_bars, plan.shape.bars_per_day)).items():
            rows[name] |= dict(zip(members, values, strict=True))
    return {name: cast(Array, xp.stack([row[index] for index in range(len(periods))])) for name, row in rows.items()}


def _details(shape: ObjectiveShape, of_periods: Mapping[str, Array]) -> dict[str, Array]:
    """Returns the terms of every period, their mean, standard deviation and worst, under the names in ``shape.period_names``.

    Ratios are bounded in these three, as in the objective, but not in the terms of single periods.
    """
    values: dict[str, Array] = {}
    for term, names in shape.period_names.items():
        row, kept = of_periods[term], bounded(term, of_periods[term])
        values |= dict(zip(names, (kept.mean(axis=0), kept.std(axis=0), kept.min(axis=0), *row), strict=True))
    return values
