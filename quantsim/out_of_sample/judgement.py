"""The sentences that state an outcome, by fixed rules.

1. The out-of-sample curve is *ahead of* or *behind* constant weights if the interval of its mean difference is above or below
   zero. Otherwise it is *not distinguishable* from them.
2. Baselines that grew more are named.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quantsim.baseline import BENCHMARK, TITLES
from quantsim.out_of_sample.curves import yearly
from quantsim.statistics import Interval

if TYPE_CHECKING:
    from quantsim.out_of_sample.comparison import Comparison
    from quantsim.out_of_sample.outcome import WalkForwardOutcome
    from quantsim.out_of_sample.paths import PathsOutcome

__all__ = ["judge", "judge_comparison", "judge_paths"]

_CALLED = {**TITLES, "study": "the study's own parameters"}


def judge(outcome: WalkForwardOutcome) -> str:
    """Returns the judgement of a walk-forward."""
    curve, excess = outcome.out_of_sample, outcome.differences[BENCHMARK].excess
    where = f"Out of sample ({len(outcome.folds)} folds, {curve.daily_log_returns.size} daily returns)"
    first = f"{where} there is no interval: {excess.reason or 'it is unbounded'}."
    if math.isfinite(excess.lower):
        first = (
            f"{where}, the result of {outcome.trainer} is {_relation(excess)} constant weights with the same costs: "
            f"{_percent(excess.point)} a year ({100.0 * outcome.resampling.level:.0f} % interval {_percent(excess.lower)} to "
            f"{_percent(excess.upper)})."
        )
    better = [_CALLED[name] for name, line in outcome.baselines.items() if line.growth.point > curve.growth.point]
    return f"{first} {_listed(better)} had higher growth." if better else first


def judge_paths(outcome: PathsOutcome) -> str:
    """Returns the judgement of combinatorial cross-validation."""
    skills = outcome.information_ratios
    low, median, high = (outcome.quantile(skills, share) for share in (0.05, 0.5, 0.95))
    return (
        f"The median information ratio against constant weights with the same costs is {median:+.2f} over {len(skills)} paths "
        f"(5 % quantile {low:+.2f}, 95 % quantile {high:+.2f}). All paths have the same prices, so this spread is not the "
        "standard error of the median."
    )


def judge_comparison(comparison: Comparison) -> str:
    """Returns the judgement of several trainers on the same folds."""
    apart = [row for row in comparison.rows if row.to_first is not None and not row.to_first.excess.contains_zero]
    first = comparison.rows[0].outcome.trainer
    if not apart:
        return f"No trainer differs significantly from {first} on these folds."
    said = [f"{row.outcome.trainer} is {_relation(row.to_first.excess)} {first}" for row in apart if row.to_first]
    return f"{'; '.join(said)}. The intervals are not corrected for multiple comparisons."


def _relation(excess: Interval) -> str:
    if excess.contains_zero:
        return "not distinguishable from"
    return "ahead of" if excess.lower > 0.0 else "behind"


def _percent(log_growth: float) -> str:
    return f"{100.0 * yearly(log_growth):+.0f} %"


def _listed(names: list[str]) -> str:
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return text[0].upper() + text[1:]
