"""The scores of selection methods that maximise more than a stored number. Each is a pure function of the rows.

* ``LOWER``: the lower end of the bootstrap interval of the metric, from daily log returns.
* ``PLATEAU``: a low percentile of the metric over neighbours in the parameters, which are evaluated.
* ``SPLIT_RANK``: the mean of the ranks by the metric on two splits.
* ``PERIOD_RANK``: the mean of the ranks by the metric on consecutive periods, from daily log returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import Checkpoint
from quantsim.checkpoints.eligible import value_of
from quantsim.checkpoints.methods import Method, Score
from quantsim.errors import SelectionError, nearest
from quantsim.ranking import TIE_METRIC

__all__ = ["N_CANDIDATES", "N_NEIGHBOURS", "N_PERIODS", "Evaluate", "Returns", "description", "scored"]

Evaluate = Callable[[Mapping[str, FloatArray]], Mapping[str, Mapping[str, FloatArray]]]
"""Raw name → (S, m) to split → metric → (S,), such as :meth:`quantsim.Evaluator.evaluate_many`."""

Returns = Mapping[str, FloatArray]
"""Split to daily log returns (D-1,)."""

Statistic = Callable[[FloatArray], FloatArray]
"""Daily log returns (..., T) to the metric (...)."""

LEVEL = 0.9
"""Level of the interval of ``validation_lower``: 5 % of the resampled values are below its lower end."""
N_PERIODS = 6
"""Periods of ``consistent``, over train and validation together."""
N_CANDIDATES = 20
"""Rows that ``plateau`` considers: the best by the metric itself."""
N_NEIGHBOURS = 32
"""Neighbours of each candidate of ``plateau``."""
RADIUS = 0.5
"""Largest distance of a neighbour in each raw parameter."""
PERCENTILE = 5.0

_DESCRIPTIONS = {
    Score.LOWER: f"lower end of the {LEVEL:.0%} interval of {{split}} {{metric}}",
    Score.PLATEAU: f"{PERCENTILE:g}th percentile of {{split}} {{metric}} over neighbours",
    Score.SPLIT_RANK: "mean rank (1 is the best) by {metric} on {splits}",
    Score.PERIOD_RANK: f"mean rank (1 is the best) by {{metric}} on {N_PERIODS} periods of {{splits}}",
}


def description(rule: Method, metric: str) -> str:
    """Describes the score of a method in words."""
    if rule.score is None:
        return f"{rule.split} {metric}"
    return _DESCRIPTIONS[rule.score].format(split=rule.split, splits=" and ".join(rule.splits), metric=metric)


def scored(
    rows: Sequence[Checkpoint],
    rule: Method,
    metric: str,
    evaluate: Evaluate | None = None,
    constant_weights: Returns | None = None,
) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns rows whose only metric, on the split of the method, is the score, and notes on rows that have none.

    Args:
        rows: eligible rows; for ``PLATEAU`` the candidates.
        rule: a method with a score.
        metric: the metric of the score.
        evaluate: evaluates parameter sets; only for ``PLATEAU``.
        constant_weights: split → (D-1,) returns of constant weights; only for a metric that compares with them.

    Raises:
        SelectionError: the score cannot be computed for this metric, or no row has the data for it.
    """
    notes: tuple[str, ...] = ()
    if rule.score is Score.PLATEAU:
        values = plateaus(rows, rule.split, metric, evaluate)
    elif rule.score is Score.SPLIT_RANK:
        values = _mean_ranks(np.array([[value_of(row, split, metric) for row in rows] for split in rule.splits]))
    else:
        statistic, is_relative = _of_returns(metric)
        rows, notes = _with_returns(rows, rule.splits)
        returns = np.array([_joined(row.daily_log_returns, rule.splits) for row in rows])
        if is_relative:
            returns = returns - _benchmark(constant_weights, metric, rule.splits)
        values = (lower_ends if rule.score is Score.LOWER else period_ranks)(returns, statistic)
    what = description(rule, metric)
    known = [(row, float(value)) for row, value in zip(rows, values, strict=True) if not np.isnan(value)]
    if not known:
        raise SelectionError(f"no row can be selected: the {what} is nan for all of them")
    if lost := len(rows) - len(known):
        notes += (f"{lost} of {len(rows)} rows left out: the {what} is nan",)
    return [_with_score(row, rule.split, metric, value) for row, value in known], notes


def _of_returns(metric: str) -> tuple[Statistic, bool]:
    """Returns the metric as a function of daily log returns, and whether these are to be those above constant weights.

    Raises:
        SelectionError: the metric needs more than daily returns.
    """
    from quantsim.metrics import Need, get_metric, metric_names
    from quantsim.objective.resampling import daily_metrics, is_resampled

    def values(name: str, returns: FloatArray) -> FloatArray:
        return daily_metrics([name], returns, constant_weights=np.zeros_like(returns))[name]

    def is_known(name: str) -> bool:  # metrics over HODL are nan without its returns
        return is_resampled(name) and not np.isnan(values(name, np.array([0.01, -0.02, 0.03])))

    if not is_known(metric):
        known = [name for name in metric_names() if is_known(name)]
        raise SelectionError(
            f"daily returns do not determine {metric!r}: {nearest(metric, known)} (these can be compared by periods or "
            f"intervals: {', '.join(known)})"
        )
    return partial(values, metric), Need.BENCHMARK in get_metric(metric).needs


def _joined(returns: Returns, splits: Sequence[str]) -> FloatArray:
    return np.concatenate([returns[split] for split in splits])


def _benchmark(constant_weights: Returns | None, metric: str, splits: Sequence[str]) -> FloatArray:
    """Returns the daily log returns of constant weights on these splits."""
    if constant_weights is None or any(split not in constant_weights for split in splits):
        raise SelectionError(
            f"{metric} compares with constant weights, whose daily returns of {' and '.join(splits)} are not known: runs of "
            "earlier versions have none; run the study again, or select by another metric"
        )
    return _joined(constant_weights, splits)


def lower_ends(returns: FloatArray, statistic: Statistic) -> FloatArray:
    """Returns the lower end of the bootstrap interval of a statistic, (N, T) → (N,); nan for returns that are not finite."""
    from quantsim.statistics import interval

    return np.array([interval(statistic, row, level=LEVEL).lower for row in returns])


def period_ranks(returns: FloatArray, statistic: Statistic) -> FloatArray:
    """Returns the mean rank by a statistic on consecutive periods, (N, T) → (N,); nan for rows that have nan in a period."""
    n_days = returns.shape[1]
    if n_days < 2 * N_PERIODS:
        raise SelectionError(
            f"{n_days} days cannot be cut into {N_PERIODS} periods of two days or more: give the study longer splits"
        )
    return _mean_ranks(np.array([statistic(period) for period in np.array_split(returns, N_PERIODS, axis=1)]))


def _mean_ranks(values: FloatArray) -> FloatArray:
    """Returns the mean rank over K comparisons of N rows, (K, N) → (N,): from 1/N, always the worst, to 1, always the best.

    Equal values share their ranks.
    """
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1, nan_policy="omit") / values.shape[1]
    return np.asarray(ranks.mean(axis=0))


def plateaus(rows: Sequence[Checkpoint], split: str, metric: str, evaluate: Evaluate | None) -> FloatArray:
    """Returns a low percentile of the metric over the neighbours of each row, (N,). All neighbours are evaluated in one call.

    A neighbour whose metric is nan counts as the worst.
    """
    from quantsim.robustness.neighbours import neighbours

    if evaluate is None:
        raise SelectionError(
            "plateau evaluates neighbours of stored parameter sets: give evaluate, such as Evaluator(study).evaluate_many, or "
            "use quantsim.pick, which makes one"
        )
    around = [neighbours(row.params, N_NEIGHBOURS, radius=RADIUS, seed=0) for row in rows]
    tables = evaluate({name: np.concatenate([sets[name] for sets in around]) for name in around[0]})
    if metric not in tables.get(split, {}):
        raise SelectionError(
            f"plateau needs {split} {metric}, which evaluate does not return: give the evaluator of the runs' study"
        )
    values = np.asarray(tables[split][metric], np.float64).reshape(len(rows), N_NEIGHBOURS)
    worst: FloatArray = np.where(np.isnan(values), -np.inf, values)
    return np.asarray(np.percentile(worst, PERCENTILE, axis=1, method="inverted_cdf"))


def _with_returns(rows: Sequence[Checkpoint], splits: Sequence[str]) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the rows that have daily log returns on all of these splits, and a note on the others."""
    kept = [row for row in rows if all(split in row.daily_log_returns for split in splits)]
    what = f"daily returns of {' and '.join(splits)}"
    if not kept:
        raise SelectionError(
            f"no row has {what}: runs of earlier versions and imported runs have none; run the study again, or select by "
            "another method"
        )
    left_out = len(rows) - len(kept)
    return kept, (f"{left_out} of {len(rows)} rows left out: {what} not stored",) if left_out else ()


def _with_score(row: Checkpoint, split: str, metric: str, value: float) -> Checkpoint:
    """Returns the row with its score in place of the metric, and the metric that breaks ties."""
    tie = {name: number for name, number in row.metrics[split].items() if name == TIE_METRIC}
    return replace(row, metrics={split: {**tie, metric: value}})
