"""Which metrics tables show, and those that follow from daily returns without being stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quantsim.baseline import Baseline
from quantsim.metrics import Need, get_metric
from quantsim.objective.resampling import daily_metrics

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective
    from quantsim.report.comparison import PoolResult

__all__ = ["SHOWN", "reported", "shown", "with_derived"]

SHOWN = (
    "returns",
    "annualised_volatility",
    "daily_max_drawdown",
    "returns_over_hodl",
    "turnover",
    "fee_revenue_over_value",
)
"""Metrics in tables, if the study names none. Volatility and drawdown follow from daily returns where they are not stored."""


def reported(objective: Objective) -> tuple[str, ...]:
    """Returns the metrics to compare: those of tables, those that the study reports, and :data:`SHOWN`."""
    return tuple(dict.fromkeys((*shown(objective), *objective.report, *SHOWN)))


def shown(objective: Objective) -> tuple[str, ...]:
    """Returns those of them for tables: :data:`SHOWN` instead of the metrics that studies report by default."""
    named = objective.report
    if named == type(objective).model_fields["report"].default:
        named = SHOWN
    return tuple(dict.fromkeys((*_of_objective(objective), *named)))


def _of_objective(objective: Objective) -> Iterator[str]:
    yield from (objective.name, objective.metric)
    yield from (f"{term}.{part}" for term, _ in objective.terms for part in ("mean", "std", "worst"))


def with_derived(name: str, pool: PoolResult, names: Sequence[str]) -> PoolResult:
    """Returns a pool with metrics that are functions of its daily returns, where they are not stored."""
    metrics = dict(pool.metrics)
    for split, returns in pool.daily_log_returns.items():
        table = metrics.get(split, {})
        missing = [metric for metric in names if metric not in table and get_metric(metric).needs in Need.DAILY]
        if missing and len(returns) and np.isfinite(returns).all():
            found = daily_metrics(missing, np.asarray(returns, np.float64))
            metrics[split] = {**table, **{metric: float(value) for metric, value in found.items()}}
    return Baseline(name, metrics, pool.daily_log_returns)
