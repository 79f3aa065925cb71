"""Statistics of daily returns of many trials: intervals, deflated ratios, superior ability, overfitting.

Pure functions of NumPy arrays, in float64; matrices are (T, N), days × trials. ``returns`` are daily log returns of a pool's
value, ``excess`` their difference to those of a benchmark on the same days. Ratios are per day; ``sqrt(365)`` makes them
annual. What is random is seeded. ``docs/statistics.md`` says what each figure means, and how often it is wrong on noise.
"""

from quantsim.statistics.arrays import LEAST_DAYS, finite_trials
from quantsim.statistics.block_length import block_length
from quantsim.statistics.bootstrap import Interval, interval, paired_interval, percentile_interval, resampled_days
from quantsim.statistics.distinguishable import distinguishable_share
from quantsim.statistics.overfitting import Cscv, cscv
from quantsim.statistics.ratios import (
    deflated_sharpe,
    expected_best,
    expected_maximum,
    probabilistic_sharpe,
    probability_above,
    sharpe,
)
from quantsim.statistics.superior import SuperiorAbility, step_m, superior_ability
from quantsim.statistics.threshold import needed_ratio
from quantsim.statistics.trials import (
    RankCorrelation,
    cluster_count,
    effective_trials,
    independent_trials,
    rank_correlation,
)

__all__ = [
    "LEAST_DAYS",
    "Cscv",
    "Interval",
    "RankCorrelation",
    "SuperiorAbility",
    "block_length",
    "cluster_count",
    "cscv",
    "deflated_sharpe",
    "distinguishable_share",
    "effective_trials",
    "expected_best",
    "expected_maximum",
    "finite_trials",
    "independent_trials",
    "interval",
    "needed_ratio",
    "paired_interval",
    "percentile_interval",
    "probabilistic_sharpe",
    "probability_above",
    "rank_correlation",
    "resampled_days",
    "sharpe",
    "step_m",
    "superior_ability",
]
