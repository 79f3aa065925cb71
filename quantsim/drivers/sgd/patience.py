"""Early stopping: a parameter set stops after a number of reports without a better objective on the deciding split."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.checkpoints import Checkpoint
from quantsim.config.driver_sections import Sgd
from quantsim.drivers.best import Best
from quantsim.ranking import TIE_METRIC, best_index

__all__ = ["Patience"]


@dataclass(frozen=True)
class Patience:
    """The best value so far of every parameter set.

    Attributes:
        sets: best value of each set.
        step: step of the last report; -1 before the first one.
    """

    sets: tuple[Best, ...]
    step: int = -1

    @property
    def best(self) -> float:
        """Best value of all sets; nan before the first report."""
        values = [each.value for each in self.sets]
        index = best_index(values, [each.tie for each in self.sets])
        return math.nan if index is None else values[index]

    def active(self, settings: Sgd) -> NDArray[np.bool_]:
        """Returns which sets still train, (S,). A set that was always nan continues as long as it can restart."""
        patience, restarts = settings.early_stopping_reports, settings.reinitialise_after is not None
        return np.array(
            [patience is None or each.stale < patience or (restarts and not each.is_known) for each in self.sets]
        )

    def update(self, values: FloatArray, step: int, ties: FloatArray | None = None) -> Patience:
        """Returns the state after a report with the deciding objective, (S,), and the values that break ties."""
        ties = np.full(len(self.sets), np.nan) if ties is None else ties
        seen = zip(self.sets, values.tolist(), ties.tolist(), strict=True)
        return Patience(tuple(each.update(value, step, tie) for each, value, tie in seen), step)

    def replay(self, rows: Iterable[Checkpoint], split: str, metric: str) -> Patience:
        """Returns the state after all stored reports of a run, from its checkpoints."""
        by_step: dict[int, FloatArray] = {}
        for row in rows:
            if row.parameter_set < len(self.sets):  # averages follow the sets
                table = by_step.setdefault(row.step, np.full((2, len(self.sets)), np.nan))
                found = [row.value(split, name) for name in (metric, TIE_METRIC)]
                table[:, row.parameter_set] = [np.nan if value is None else value for value in found]
        patience = self
        for step, (values, ties) in sorted(by_step.items()):
            patience = patience.update(values, step, ties)
        return patience
