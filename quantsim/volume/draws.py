"""Posterior draws of a volume model, within what the model admits."""

from __future__ import annotations

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.errors import StatisticsError
from quantsim.volume.model import LARGEST_TVL_ELASTICITY
from quantsim.volume.regression import Posterior

__all__ = ["drawn_coefficients"]


_AT_ONCE, _MOST_TRIES = 4096, 50


def drawn_coefficients(posterior: Posterior, n_zero: int, n_draws: int, generator: np.random.Generator) -> FloatArray:
    """Returns draws of the coefficients of expected volume, (D, 4), with the logarithm of the volume.

    The regression is of logarithms, the model of expected values. The level is raised by the mean of the exponential of the
    residuals (Duan's smearing estimate 1983), drawn by the Bayesian bootstrap, and lowered by the share of days without
    volume, drawn from its Beta posterior. Draws with a negative elasticity to the fee, or an elasticity to value outside of
    0 to 1.5, are drawn again: the prior excludes them.

    Args:
        posterior: posterior of log level and the elasticities to value, fee (as a negative number) and volatility.
        n_zero: days without volume.
        n_draws: number of draws.
        generator: source of randomness.

    Raises:
        StatisticsError: hardly any draw is within the bounds.
    """
    kept: list[FloatArray] = []
    for _ in range(_MOST_TRIES):
        rows = posterior.drawn(generator, _AT_ONCE) * np.array([1.0, 1.0, -1.0, 1.0])
        inside = (rows[:, 1] >= 0) & (rows[:, 1] <= LARGEST_TVL_ELASTICITY) & (rows[:, 2] > 0) & (rows[:, 2] <= 100)
        kept.append(rows[inside & (np.abs(rows[:, 3]) <= 10)])
        if sum(map(len, kept)) >= n_draws:
            break
    else:
        raise StatisticsError(
            "the history says that volume rises with the fee, or falls with the pool's value: the model does not fit it. Look "
            "for what else changed at the same time"
        )
    found, errors = np.concatenate(kept)[:n_draws], np.exp(posterior.residuals)
    weights = generator.standard_exponential((n_draws, errors.size))
    raised = (weights @ errors) / weights.sum(axis=1)
    traded = generator.beta(errors.size + 0.5, n_zero + 0.5, n_draws) if n_zero else np.ones(n_draws)
    found[:, 0] += np.log(raised * traded)
    return found
