"""What gives trials up before their end, by name."""

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
    """Raises ConfigError where a pruner is to look at more blocks than the training period has chunks."""
    search, minutes = experiment.search, experiment.update.chunk_minutes
    begin, end = experiment.periods.splits()["train"]
    chunks = (end - begin) // timedelta(minutes=minutes)
    if search.pruner != "none" and search.prune_blocks > chunks:
        raise ConfigError(
            f"search.prune_blocks = {search.prune_blocks} leaves less than a chunk ({minutes} minutes) of the training period "
            f"to each block: take {chunks} at most"
        )


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


def gives_up(
    pruner: BasePruner, study: Study, earlier: Sequence[FrozenTrial], trial: FrozenTrial, reports: Sequence[float]
) -> tuple[bool, dict[str, Any]]:
    """Whether a trial is given up, and what the pruner notes of it.

    It is compared with the trials of earlier batches only, so it does not matter which of its own batch are further.

    Args:
        pruner: as of :func:`make_pruner`.
        study: of the trial.
        earlier: those trials, by number.
        trial: as stored.
        reports: values so far, one for each block.
    """
    notes: dict[str, Any] = {}
    is_over = False
    for step in range(len(reports)):  # a pruner notes with a trial how far it has let it
        now = copy.copy(trial)
        now.intermediate_values = dict(enumerate(reports[: step + 1]))
        now.system_attrs = notes
        view = StudyView(study, earlier)
        is_over = pruner.prune(view.study, now)
        notes = {**notes, **view.written}
    return is_over, notes
