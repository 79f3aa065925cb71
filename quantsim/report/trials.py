"""The trials of a search in the store, as columns, and the importances of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.report.study_pages import importances

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint
    from quantsim.search_space import SearchSpace

__all__ = ["TrialTable", "trial_importances", "trial_table"]


@dataclass(frozen=True, eq=False)
class TrialTable:
    """N trials of a search.

    Attributes:
        rows: the checkpoints.
        values: (N,) objective on training data; it may be infinite.
        columns: trial parameter → (N,), in human units.
        log: trial parameter → whether it is drawn in its logarithm.
        space: search space.
    """

    rows: tuple[Checkpoint, ...]
    values: FloatArray
    columns: Mapping[str, FloatArray]
    log: Mapping[str, bool]
    space: SearchSpace


def trial_table(rows: Sequence[Checkpoint], space: SearchSpace) -> TrialTable:
    """Returns the trials among checkpoints: the sets of a search with an objective that is not nan."""
    kept = [row for row in rows if row.driver == "search" and row.objective is not None and not np.isnan(row.objective)]
    drawn = [
        space.from_human({name: row.human[name] for name in space.known if name in row.human}, clip=True)
        for row in kept
    ]
    return TrialTable(
        tuple(kept),
        np.array([row.objective for row in kept], np.float64),
        {draw.name: np.array([one[draw.name] for one in drawn], np.float64) for draw in space.draws},
        {draw.name: draw.log for draw in space.draws},
        space,
    )


def trial_importances(table: TrialTable) -> dict[str, float]:
    """Returns trial parameter → importance, as :func:`quantsim.report.study_pages.importances`."""
    import optuna

    trials = [
        optuna.trial.create_trial(
            params={name: float(column[place]) for name, column in table.columns.items()},
            distributions=table.space.distributions(),
            value=float(table.values[place]),
        )
        for place in range(table.values.size)
    ]
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials)
        return importances(study)
    finally:
        optuna.logging.set_verbosity(before)
