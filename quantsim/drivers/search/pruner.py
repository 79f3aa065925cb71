"""What gives trials up before their end, by name."""

from __future__ import annotations

import copy
import warnings
from datetime import timedelta

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PercentilePruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.config.driver_sections import Search
from quantsim.drivers.search.study import is_void
from quantsim.errors import ConfigError

__all__ = ["check_pruner", "make_pruner"]

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
                return _Hyperband(min_resource=1, max_resource=search.prune_blocks, reduction_factor=2)
            case _:
                return NopPruner()


class _Hyperband(HyperbandPruner):
    """Optuna's, with brackets that go by a trial's place among those that count, and without those that do not.

    Optuna goes by the trial's number. Numbers are used up by trials that were cut off, so a study that went on after that
    would have other brackets from there on.
    """

    def __init__(self, min_resource: int, max_resource: int, reduction_factor: int) -> None:
        super().__init__(min_resource, max_resource, reduction_factor)
        self._brackets: dict[int, int] = {}

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if is_void(trial):
            return -1
        if trial.number not in self._brackets:
            self._sort_in(study)
        return self._brackets[trial.number]

    def _sort_in(self, study: Study) -> None:
        """Gives the trials that are new their brackets; one that has its own keeps it."""
        if not self._pruners:
            self._try_initialization(study)
        place = 0
        for trial in study._storage.get_all_trials(study._study_id, deepcopy=False):
            if trial.number not in self._brackets:
                placed = copy.copy(trial)
                placed.number = place
                self._brackets[trial.number] = super()._get_bracket_id(study, placed)
            place += not is_void(trial)
