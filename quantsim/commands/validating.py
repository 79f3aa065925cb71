"""Prints the short form of a validation after a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.commands.output import note, say

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint, CheckpointStore
    from quantsim.checkpoints.picking import Pick
    from quantsim.validation import Validation

__all__ = ["show_short_form", "show_validation", "show_validation_of"]


def show_validation(
    store: CheckpointStore, run_id: str, selected: Checkpoint, method: str | None = None
) -> Validation | None:
    """Prints the short form of the validation of a completed run, and returns it.

    Args:
        store: store of the run.
        run_id: id of the run.
        selected: the selected checkpoint.
        method: method that selected it; default: that of the study.
    """
    from quantsim.checkpoints.picking import pick

    return show_validation_of(store, pick(store, method, run=run_id), selected)


def show_validation_of(store: CheckpointStore, picked: Pick, selected: Checkpoint | None = None) -> Validation | None:
    """Prints the short form of the validation of a selection; a note where that is not possible."""
    from quantsim.errors import QuantsimError
    from quantsim.validation import validate_pick

    try:
        found = validate_pick(store, picked, selected=selected)
    except QuantsimError as error:  # the result itself is there
        note(f"Note: the result is not validated: {error}.")
        return None
    show_short_form(found)
    return found


def show_short_form(validation: Validation) -> None:
    """Prints the judgement, the figures behind it, and the warnings."""
    from quantsim.report.validation_text import validation_lines

    judgement, *others = validation_lines(validation)
    say(judgement, "bold")
    for line in others:
        say(f"  {line}")
    for text in validation.warnings:
        say(f"Warning: {text}.", "bold yellow")
