"""Pruners by name."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PercentilePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.errors import ConfigError
from quantsim.optuna_private import StudyView

__all__ = ["check_pruner", "gives_up", "make_pruner"]

_WORST_KEPT = 25.0  # percentile of the trials so far that a trial has to reach


def check_pruner(experiment: Experiment) -> None:
    """Raises ConfigError if a pruner would have more blocks than the training period has chunks."""
    search, minutes = experiment.search, experiment.update.chunk_minutes
    begin, end = experiment.periods.splits()["train"]
    chunks = (end - begin) // timedelta(minutes=minutes)
    if search.pruner != "none" and search.prune_blocks > chunks:
        raise ConfigError(
            f"search.prune_blocks = {search.prune_blocks} leaves less than a chunk ({minutes} minutes) of the training period "
            f"to each block: take {chunks} at most"
        )


def make_pruner(search: Search) -> BasePruner:
    """Returns the pruner that ``search.pruner`` names. The start-up trials are never pruned."""
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


def gives_up(
    pruner: BasePruner, study: Study, earlier: Sequence[FrozenTrial], trial: FrozenTrial, reports: Sequence[float]
) -> tuple[bool, dict[str, Any]]:
    """Returns whether a trial is pruned, and the system attributes that the pruner sets.

    The trial is compared only with trials of earlier batches, so the progress of its own batch does not matter.

    Args:
        pruner: pruner from :func:`make_pruner`.
        study: study of the trial.
        earlier: trials of earlier batches, by number.
        trial: the trial as stored.
        reports: values so far, one per block.
    """
    notes: dict[str, Any] = {}
    is_over = False
    for step in range(len(reports)):  # a pruner stores in the trial how far it has come
        now = copy.copy(trial)
        now.intermediate_values = dict(enumerate(reports[: step + 1]))
        now.system_attrs = notes
        view = StudyView(study, earlier)
        is_over = pruner.prune(view.study, now)
        notes = {**notes, **view.written}
    return is_over, notes
