"""Prints the gain of a run over its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quantsim.checkpoints.gains import gain_of_tuning, gain_over_starts
from quantsim.commands.output import note, say
from quantsim.errors import SelectionError
from quantsim.report import compare_gain, gain_line

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint, CheckpointStore
    from quantsim.checkpoints.starts import Start
    from quantsim.config import Experiment

__all__ = ["show_gain", "show_tuned"]


def show_gain(
    store: CheckpointStore, experiment: Experiment, run_id: str, starts: Sequence[Start], chosen: Checkpoint
) -> None:
    """Prints the gain of gradient training over its best start, or that it did not help.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        run_id: id of the gradient run.
        starts: starts in the order of the parameter sets; sets were drawn around a single one.
        chosen: the checkpoint selected from the run, or one of the starts.
    """
    try:
        gain = gain_over_starts(store, experiment, run_id, len(starts), chosen)
    except SelectionError as error:
        note(f"Note: the gain is unknown, because {experiment.objective.name} is nan at every start: {error}")
        return
    best = gain.start.parameter_set
    which = starts[best].checkpoint.key + (f", the best of {len(starts)} starts" if len(starts) > 1 else "")
    if not gain.helped:
        say(
            f"Fine-tuning did not help on {gain.chosen_by} data: no step is better than its start, {which}, which is selected."
        )
        return
    say(f"Gain over {which}: {gain_line(compare_gain(store, experiment, gain))}.")
    if chosen.step == 0:
        say("The selected set is one that was drawn around the start, before any gradient step.")
    elif len(starts) > 1 and (own := chosen.parameter_set % len(starts)) != best:
        say(f"The selected set is step {chosen.step} from another start, {starts[own].checkpoint.key}.")


def show_tuned(
    store: CheckpointStore, experiment: Experiment, chosen: Checkpoint, tuned_from: Mapping[int, int]
) -> None:
    """Prints whether the selected trial of a hybrid run was fine-tuned, from which trial, and the gain."""
    gain = gain_of_tuning(store, experiment, chosen, tuned_from)
    if gain.helped:
        tuned = f"Selected trial {chosen.step}, fine-tuned from trial {gain.start.step}."
        say(f"{tuned} Gain over it: {gain_line(compare_gain(store, experiment, gain))}.")
        return
    say(
        f"Fine-tuning did not help on {gain.chosen_by} data: no fine-tuned trial is better than trial {chosen.step} of the "
        "search."
    )
