"""Bootstrap intervals of a comparison.

Metrics that are functions of daily values have intervals by the stationary bootstrap over days. Their differences to the
baselines have paired intervals, on the same resampled days. Other metrics (per bar, fees, turnover) have none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK, HODL
from quantsim.objective.resampling import resampled_metrics
from quantsim.report.comparison import SELECTED

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective
    from quantsim.statistics import Interval

__all__ = ["comparison_intervals"]


_SEED = 0


def comparison_intervals(
    objective: Objective,
    names: Sequence[str],
    tables: Mapping[str, Mapping[str, float]],
    returns: Mapping[str, FloatArray],
    level: float,
    n_resamples: int,
) -> tuple[dict[str, dict[str, Interval]], str]:
    """Returns intervals of the selected set, and of its differences to baselines: pool → metric → interval; and a reason.

    The mean length of blocks is the largest of those for the selected set and for the differences of daily returns.
    """
    from quantsim.statistics import LEAST_DAYS, block_length, percentile_interval, resampled_days

    if SELECTED not in returns or not names:
        return {}, ""
    returns = {pool: own for pool, own in returns.items() if np.isfinite(own).all()}
    if SELECTED not in returns:
        return {}, "daily returns are not finite, as after a total loss"
    ours = returns[SELECTED]
    if len(ours) < LEAST_DAYS:
        return {}, f"{len(ours)} daily returns are too few for an interval, which needs {LEAST_DAYS}"
    differences = [ours - own for pool, own in returns.items() if pool != SELECTED]
    block = max(block_length(series) for series in (ours, *differences))
    days = resampled_days(len(ours), block, n_resamples, _SEED)
    holding = {
        kind: {pool: returns[HODL] for pool in returns if HODL in returns and _holds(tables, pool, over)}
        for kind, over in (("hodl", "returns_over_hodl"), ("uniform_hodl", "returns_over_uniform_hodl"))
    }
    benchmark = returns.get(BENCHMARK)
    values = resampled_metrics(names, returns, days, constant_weights=benchmark, objective=objective, **holding)
    found: dict[str, dict[str, Interval]] = {pool: {} for pool in returns}
    for pool, name in ((pool, name) for pool in returns for name in names):
        point, resampled = tables[SELECTED].get(name), values[SELECTED][name]
        if pool != SELECTED:
            theirs = tables[pool].get(name)
            point = None if point is None or theirs is None else point - theirs
            with np.errstate(invalid="ignore"):
                resampled = resampled - values[pool][name]
        if point is not None and not math.isnan((known := percentile_interval(point, resampled, level=level)).lower):
            found[pool][name] = known
    return found, ""


def _holds(tables: Mapping[str, Mapping[str, float]], pool: str, over: str) -> bool:
    """Whether the holding that a pool's metric is relative to is that of the baseline "hodl", by their returns."""
    own, held = tables[pool], tables[HODL].get("returns")
    if held is None or "returns" not in own or over not in own or not own[over] > -1.0:
        return False
    return math.isclose((1.0 + own["returns"]) / (1.0 + own[over]), 1.0 + held, rel_tol=1e-7)
