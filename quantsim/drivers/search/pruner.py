"""What gives trials up before their end, by name."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PercentilePruner

from quantsim.config.driver_sections import Search

__all__ = ["make_pruner"]

_WORST_KEPT = 25.0  # percentile of the trials so far that a trial has to reach


def make_pruner(search: Search) -> BasePruner:
    """The pruner that ``search.pruner`` names; the trials that a study begins with are run to their end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match search.pruner:
            case "median":
                return MedianPruner(n_startup_trials=search.n_startup_trials)
            case "percentile":
                return PercentilePruner(_WORST_KEPT, n_startup_trials=search.n_startup_trials)
            case "hyperband":
                return HyperbandPruner(min_resource=1, max_resource=search.prune_blocks, reduction_factor=2)
            case _:
                return NopPruner()
