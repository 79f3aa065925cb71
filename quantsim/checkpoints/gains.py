"""What a choice gained over what it started from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint
from quantsim.checkpoints.picking import default_method
from quantsim.checkpoints.selection import select
from quantsim.config import Experiment
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["Gain", "gain_of_tuning", "gain_over_starts"]


@dataclass(frozen=True)
class Gain:
    """A choice beside the parameter set that it is to be better than.

    Attributes:
        start: of several starts the best one.
        chosen: the choice; ``start`` itself, or a copy of it, where nothing better was found.
        metric: name of the study's objective.
        chosen_by: the split whose metric chose.
    """

    start: Checkpoint
    chosen: Checkpoint
    metric: str
    chosen_by: str

    @property
    def helped(self) -> bool:
        """Whether the choice is another parameter set than the start."""
        return self.chosen.raw != self.start.raw

    @property
    def values(self) -> dict[str, tuple[float, float]]:
        """Split → the metric at the start and at the choice, in the order of time; splits that both have."""
        pairs = (
            (split, self.start.value(split, self.metric), self.chosen.value(split, self.metric)) for split in SPLITS
        )
        return {split: (before, after) for split, before, after in pairs if before is not None and after is not None}


def gain_over_starts(
    store: CheckpointStore, experiment: Experiment, run_id: str, n_starts: int, chosen: Checkpoint
) -> Gain:
    """What gradients gained over the best of their starts.

    Args:
        store: where the run is.
        experiment: of the run.
        run_id: of the gradient run.
        n_starts: of how many starts its first parameter sets are.
        chosen: what was picked from the run, or one of the starts.

    Raises:
        SelectionError: the objective is nan at every start.
    """
    metric = experiment.objective.name
    rows = store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC])
    given = [row for row in rows if row.step == 0 and row.parameter_set < n_starts]
    selection = select(given, default_method(experiment), metric)
    return Gain(selection.checkpoint, chosen, metric, selection.chosen_by)


def gain_of_tuning(
    store: CheckpointStore, experiment: Experiment, chosen: Checkpoint, tuned_from: Mapping[int, int]
) -> Gain:
    """What fine-tuning gained in a hybrid run over the trial that it started from.

    Args:
        store: where the run is.
        experiment: of the run.
        chosen: trial that was picked.
        tuned_from: of each trial that fine-tuning made, the number of the one that was fine-tuned.
    """
    number = tuned_from.get(chosen.step)
    start = chosen if number is None else store.get(f"{chosen.run_id}:{number}:0")
    chosen_by = "validation" if experiment.periods.has_validation else "train"
    return Gain(start, chosen, experiment.objective.name, chosen_by)
