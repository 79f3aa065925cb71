"""The gain of a selected parameter set over its start."""

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
    """A selected parameter set and its start.

    Attributes:
        start: the start; the best one if there are several.
        chosen: the selected set; ``start`` or a copy of it if nothing better was found.
        metric: name of the study's objective.
        chosen_by: the split that was used for the selection.
    """

    start: Checkpoint
    chosen: Checkpoint
    metric: str
    chosen_by: str

    @property
    def helped(self) -> bool:
        """Whether the selected set differs from the start."""
        return self.chosen.raw != self.start.raw

    @property
    def values(self) -> dict[str, tuple[float, float]]:
        """Split → metric of the start and of the selected set, in chronological order, for splits that both have."""
        pairs = (
            (split, self.start.value(split, self.metric), self.chosen.value(split, self.metric)) for split in SPLITS
        )
        return {split: (before, after) for split, before, after in pairs if before is not None and after is not None}


def gain_over_starts(
    store: CheckpointStore, experiment: Experiment, run_id: str, n_starts: int, chosen: Checkpoint
) -> Gain:
    """Returns the gain of gradient training over the best start.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        run_id: id of the gradient run.
        n_starts: number of starts, which are its first parameter sets.
        chosen: the checkpoint selected from the run, or one of the starts.

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
    """Returns the gain of fine-tuning in a hybrid run over the trial that it started from.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        chosen: the selected trial.
        tuned_from: trial made by fine-tuning → number of the trial that was fine-tuned.
    """
    number = tuned_from.get(chosen.step)
    start = chosen if number is None else store.get(f"{chosen.run_id}:{number}:0")
    chosen_by = "validation" if experiment.periods.has_validation else "train"
    return Gain(start, chosen, experiment.objective.name, chosen_by)
