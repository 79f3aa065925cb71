"""The smallest ratio of a trial that the stepwise test finds superior."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from quantsim.statistics.arrays import checked_level, checked_trials
from quantsim.statistics.ratios import sharpe
from quantsim.statistics.resampled_means import resampled_means

__all__ = ["needed_ratio"]


def needed_ratio(
    excess: ArrayLike, selected: int, level: float = 0.05, *, n_resamples: int = 1000, seed: int = 0
) -> float:
    """Returns the smallest Sharpe ratio per day of a trial that the first step of :func:`~quantsim.statistics.step_m` finds.

    Args:
        excess: (T, N) daily log returns of each trial minus those of the benchmark.
        selected: index of the trial.
        level: probability of one or more false discoveries.
        n_resamples: number of resamples.
        seed: seed of the resamples.

    Returns:
        The ratio; nan if the trial does not vary or has a mean of 0.
    """
    columns = checked_trials(excess)
    checked_level(level)
    resampled = resampled_means(columns, True, n_resamples, seed, None)
    if resampled is None or selected not in resampled.trials:
        return math.nan
    maxima = np.maximum(0.0, (resampled.centred + resampled.consistent_shifts).max(axis=1))
    statistic = float(resampled.statistics[resampled.trials == selected][0])
    if statistic == 0.0:
        return math.nan
    critical = float(np.quantile(maxima, 1.0 - level, method="higher"))
    return critical * float(sharpe(columns[:, selected])) / statistic
