"""The ratio that a trial needs so that StepM names it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quantsim.statistics.ratios import sharpe
from quantsim.statistics.resampled_means import resampled_means

__all__ = ["needed_ratio"]

FloatArray = NDArray[np.float64]


def needed_ratio(excess: FloatArray, selected: int, level: float, *, n_resamples: int = 1000, seed: int = 0) -> float:
    """Returns the Sharpe ratio per day from which the first step of :func:`~quantsim.statistics.step_m` names a trial.

    Args:
        excess: (T, N) daily log returns of each trial minus those of the benchmark.
        selected: index of the trial.
        level: probability of one or more wrong names.
        n_resamples: number of resamples.
        seed: seed of the resamples.

    Returns:
        The ratio; nan if the trial does not vary or has a mean of 0.
    """
    resampled = resampled_means(excess, True, n_resamples, seed, None)
    if resampled is None or selected not in resampled.trials:
        return math.nan
    maxima = np.maximum(0.0, (resampled.centred + resampled.consistent_shifts).max(axis=1))
    statistic = float(resampled.statistics[resampled.trials == selected][0])
    if statistic == 0.0:
        return math.nan
    critical = float(np.quantile(maxima, 1.0 - level, method="higher"))
    return critical * float(sharpe(excess[:, selected])) / statistic
