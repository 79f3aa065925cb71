"""The sampler of one trial: TPE over a space known in advance, its noise fixed by where the trial stands in the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from quantsim.config import Experiment

__all__ = ["TrialSampler", "trial_sampler"]


class TrialSampler(BaseSampler):
    """Optuna's TPE, told the space instead of working it out.

    A :class:`~optuna.samplers.TPESampler` finds the space by going through all trials of the study, and keeps what it found;
    one that is made anew for each trial would go through them each time.
    """

    def __init__(self, tpe: TPESampler, distributions: Mapping[str, BaseDistribution], *, multivariate: bool) -> None:
        self._tpe = tpe
        self._relative = dict(distributions) if multivariate else {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All parameters, where they are drawn together; none, where each is drawn by itself."""
        return dict(self._relative)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As TPE does; nothing while it still draws at random."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As TPE does."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._tpe.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._tpe.after_trial(study, trial, state, values)


def trial_sampler(
    experiment: Experiment, distributions: Mapping[str, BaseDistribution], *, worker: int, n_workers: int, settled: int
) -> TrialSampler:
    """The sampler of one trial.

    Args:
        experiment: its ``seed`` and ``search`` table.
        distributions: trial parameter → distribution.
        worker: 0 for the first, and so on.
        n_workers: workers that are drawing at the same time.
        settled: trials before this one, as :class:`~quantsim.drivers.search.worker.State` counts them.
    """
    # A hash, so that no two trials share their noise, within a session or across sessions.
    words = np.random.SeedSequence([experiment.seed, worker, settled]).generate_state(1)
    search = experiment.search
    tpe = TPESampler(
        n_startup_trials=search.n_startup_trials,
        multivariate=search.multivariate,
        constant_liar=n_workers > 1,  # keeps workers apart; a single one has nobody to keep from, and saves a write
        seed=int(words[0]),
    )
    return TrialSampler(tpe, distributions, multivariate=search.multivariate)
