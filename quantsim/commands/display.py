"""Prints results: the selected checkpoint, its parameters, and its metrics on every split."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints import Checkpoint, Selection
from quantsim.checkpoints.redact import redact
from quantsim.commands.output import hint, note, say, show
from quantsim.config import Experiment
from quantsim.discovery import is_in_file
from quantsim.project import default_store
from quantsim.report import beaten_text, comparison_notes, comparison_table, parameters_table
from quantsim.report.notes import notes_of_simulation

if TYPE_CHECKING:
    from quantsim.checkpoints.starts import Start
    from quantsim.report import Comparison, RunResult

__all__ = [
    "show_beaten",
    "show_caution",
    "show_changed",
    "show_checkpoint",
    "show_comparison",
    "show_next",
    "show_notes",
    "show_parameters",
    "show_run",
    "show_selection",
    "show_uses",
]


def show_beaten(comparison: Comparison) -> None:
    """Prints as the first line of a result which baselines beat the selected set, if any do."""
    text = beaten_text(comparison)
    if text is not None:
        say(text, "bold yellow")


def show_run(experiment: Experiment, result: RunResult, store: str) -> None:
    """Prints what a run found: the selected checkpoint beside the baselines; ``store`` as the user gave it."""
    if result.selection is None:
        say(f"Selected {result.checkpoint.key}, the balanced choice of the front, on train data.")
    else:
        show_selection(result.selection)
    show_checkpoint(experiment, result.checkpoint, result.comparison, store)


def show_selection(selection: Selection) -> None:
    """Prints the selected checkpoints and the split that was used, with a separate line for test data."""
    picked = ", ".join(checkpoint.key for checkpoint in selection.checkpoints)
    chooser = "the last step" if selection.chosen_by == "last step" else f"{selection.chosen_by} data"
    say(f"Selected {picked}, chosen by {chooser} ({selection.describe()}).")
    if selection.used_test_data:
        say("Chosen on test data: the test metrics below are not out of sample.", "bold yellow")
    for line in selection.notes:
        note(f"Note: {line}")


def show_checkpoint(experiment: Experiment, checkpoint: Checkpoint, comparison: Comparison, store: str) -> None:
    """Prints a checkpoint's parameters and metrics; raw parameters if its rule may not be loaded."""
    if experiment.is_only_read:
        note("Note: the study names a user's file, which is not run by reading the study; name it with --rule-file.")
        for name, values in checkpoint.human.items():
            say(f"  {name} = {list(values)}")
    else:
        show_parameters(experiment, checkpoint.raw)
    show_comparison(comparison)
    for line in comparison_notes(comparison, _in_store(f"simulate --from {checkpoint.key}", store)):
        say(line)


def show_parameters(experiment: Experiment, raw: Mapping[str, Sequence[float] | Any]) -> None:
    """Prints the active parameters, in human units."""
    values = {name: tuple(row.tolist()) for name, row in experiment.human_parameters(raw).items()}
    show(parameters_table(experiment.active_parameters, values, experiment.tokens))


def show_comparison(comparison: Comparison) -> None:
    """Prints metrics beside the baselines on every split."""
    show(comparison_table(comparison))


def show_changed(start: Start, metrics: Mapping[str, Mapping[str, float]], name: str) -> None:
    """Prints stored values of a metric that are not reproduced, although study and prices are those of the run."""
    for split, (before, now) in start.changed(metrics, name).items():
        show_caution(
            f"the run stored {split} {name} = {before:.6g}, but it is {now:.6g} here: the run used another version of quantsim"
        )


def show_caution(text: str) -> None:
    """Prints a caution as part of the result."""
    say(f"Caution: {text}.", "bold yellow")


def show_notes(notes: Mapping[str, Any]) -> None:
    """Prints notes on results: settings for published figures, a shorter warm-up, filled gaps."""
    for caution in notes.get("cautions", ()):
        show_caution(caution)
    for line in notes_of_simulation(notes):
        note(f"Note: {line}.")


def show_uses(experiment: Experiment, key: str, store: str) -> None:
    """Prints the commands that simulate and report a checkpoint, with the files of users' rules."""
    files = dict.fromkeys(name.rpartition(":")[0] for name in experiment.own_rules if is_in_file(name))
    options = "".join(f" --rule-file {shlex.quote(file)}" for file in files)
    for command in (f"simulate --from {key} --plot pool.png", f"report {key}"):
        show_next(store, command + options)


def show_next(store: str, *commands: str) -> None:
    """Prints commands for the next step."""
    hint("Next: " + " or ".join(_in_store(command, store) for command in commands))


def _in_store(command: str, store: str) -> str:
    option = "" if store == default_store() else f" --store {redact(shlex.quote(store))}"
    return f"quantsim {command}{option}"
