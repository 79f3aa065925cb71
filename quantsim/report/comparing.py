"""Compares a parameter set with baselines: which metrics, of which pools, on which splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import BASELINES, HODL
from quantsim.checkpoints.checkpoint import chronological
from quantsim.checkpoints.pareto import signed
from quantsim.metrics import metric_names
from quantsim.objective import OBJECTIVE
from quantsim.objective.resampling import is_resampled
from quantsim.report.comparison import LEVEL, N_RESAMPLES, SELECTED, Comparison, PoolResult, Row, SplitComparison
from quantsim.report.comparison_intervals import comparison_intervals
from quantsim.report.hodl import annualised_hodl_returns, hodl_returns
from quantsim.report.shown_metrics import SHOWN, reported, shown, with_derived
from quantsim.threads import thread_count

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective

__all__ = ["compare"]


def compare(
    objective: Objective,
    selected: PoolResult,
    baselines: Mapping[str, PoolResult],
    *,
    chosen_by: str | None = None,
    chosen_for: Sequence[str] = (),
    names: Sequence[str] | None = None,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> Comparison:
    """Compares a parameter set with baselines on every split of the set.

    Args:
        objective: objective of the study.
        selected: the set, such as a checkpoint.
        baselines: name → baseline, such as ``store.baselines(run_id)`` or ``Evaluator.baselines()``; empty if unknown. Without
            a baseline "hodl" its returns follow from the metrics of the set.
        chosen_by: split that was used for selection; None if the set was not selected.
        chosen_for: metrics that chose it; default: the objective.
        names: metrics to compare; default: :func:`reported`. Those that no split has are left out.
        level: nominal coverage of the intervals.
        n_resamples: number of resamples.
    """
    chosen_for = (tuple(chosen_for) or (objective.name,)) if chosen_by else ()
    deciding = tuple(signed(one)[0] for one in chosen_for)
    wanted = (*(reported(objective) if names is None else names), *filter(_is_known, deciding))
    tabled = None if names is not None else tuple(dict.fromkeys((*shown(objective), *deciding)))
    derived = [name for name in wanted if name in SHOWN and is_resampled(name)]
    selected = with_derived(SELECTED, selected, derived)
    baselines = {name: with_derived(name, baseline, derived) for name, baseline in baselines.items()}
    stored = [name for name in dict.fromkeys(wanted) if any(name in table for table in selected.metrics.values())]
    unknown = [] if baselines else ["baselines"]
    if not any(len(returns) for returns in selected.daily_log_returns.values()):
        unknown.append("daily returns")
    baselines = {name: baselines[name] for name in (*BASELINES, *baselines) if name in baselines}
    pools = {SELECTED: selected, **baselines}
    with ThreadPoolExecutor(thread_count()) as threads:
        found = threads.map(
            lambda split: _split(objective, split, stored, pools, level, n_resamples), chronological(selected.metrics)
        )
        splits = tuple(found)
    present = [name for name in (*baselines, HODL) if any(_knows(split, name) for split in splits)]
    return Comparison(
        objective.name,
        splits,
        tuple(dict.fromkeys(present)),
        chosen_by,
        chosen_for,
        tuple(unknown),
        level,
        n_resamples,
        tabled,
    )


def _is_known(metric: str) -> bool:
    """Whether it is a metric of this package; an imported run may have others."""
    return metric == OBJECTIVE or metric.partition(".")[0] in metric_names()


def _knows(split: SplitComparison, pool: str) -> bool:
    return any(row.values.get(pool) is not None for row in split.rows)


def _split(
    objective: Objective,
    split: str,
    names: Sequence[str],
    pools: Mapping[str, PoolResult],
    level: float,
    n_resamples: int,
) -> SplitComparison:
    tables = {pool: result.metrics[split] for pool, result in pools.items() if split in result.metrics}
    if HODL not in tables:
        tables[HODL] = _held(tables[SELECTED])
    names = [name for name in names if any(name in table for table in tables.values())]
    returns = {pool: result.daily_log_returns.get(split, _NONE) for pool, result in pools.items() if pool in tables}
    n_days = len(returns[SELECTED])
    returns = {pool: own for pool, own in returns.items() if n_days and len(own) == n_days}
    daily = [name for name in names if _one_period(objective, split, name) and is_resampled(name, objective)]
    found, reason = comparison_intervals(objective, daily, tables, returns, level, n_resamples)
    rows = tuple(
        Row(
            name,
            {pool: table.get(name) for pool, table in tables.items()},
            found.get(SELECTED, {}).get(name),
            {pool: found.get(pool, {}).get(name) for pool in tables if pool != SELECTED},
        )
        for name in names
    )
    return SplitComparison(split, n_days or None, rows, reason)


_NONE: FloatArray = np.zeros(0)


def _one_period(objective: Objective, split: str, name: str) -> bool:
    """Whether a value is one of the whole split: the objective on train may be over several periods."""
    several = objective.n_periods > 1 or objective.n_random_periods or objective.periods
    return name != OBJECTIVE or split != "train" or not several


def _held(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics of holding the initial reserves that follow from the metrics of a pool."""
    known = {
        "returns": hodl_returns({"": metrics})[""],
        "annualised_returns": annualised_hodl_returns({"": metrics})[""],
    }
    return {name: value for name, value in known.items() if value is not None}
