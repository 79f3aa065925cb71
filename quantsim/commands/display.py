"""Prints results: the selected checkpoint, its parameters, and its metrics on every split."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints import Checkpoint, Selection
from quantsim.checkpoints.picking import best_of_run
from quantsim.checkpoints.redact import redact
from quantsim.commands.options import DEFAULT_STORE
from quantsim.commands.session import note, say, show
from quantsim.config import Experiment
from quantsim.report import parameters_table, results_table

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.checkpoints.starts import Start

__all__ = [
    "show_caution",
    "show_changed",
    "show_checkpoint",
    "show_metrics",
    "show_next",
    "show_notes",
    "show_parameters",
    "show_run",
    "show_selection",
    "simulating",
]


def show_run(
    store: CheckpointStore,
    experiment: Experiment,
    run_id: str,
    balanced: int | None = None,
    also: Sequence[Checkpoint] = (),
) -> Checkpoint:
    """Prints the best checkpoint of a completed run, and returns it.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        run_id: id of the run.
        balanced: step of the balanced choice, for several objectives.
        also: comparable checkpoints of other runs, such as the starts. A copy counts as its original.

    Raises:
        SelectionError: no checkpoint of the run can be selected.
    """
    if balanced is not None:
        checkpoint = store.get(f"{run_id}:{balanced}:0")
        say(f"Selected {checkpoint.key}, the balanced choice of the front, on train data.")
        show_checkpoint(experiment, checkpoint)
        return checkpoint
    selection = best_of_run(store, experiment, run_id, also)
    show_selection(selection)
    show_checkpoint(experiment, selection.checkpoint)
    return selection.checkpoint


def show_selection(selection: Selection) -> None:
    """Prints the selected checkpoints and the split that was used, with a separate line for test data."""
    picked = ", ".join(checkpoint.key for checkpoint in selection.checkpoints)
    chooser = "the last step" if selection.chosen_by == "last step" else f"{selection.chosen_by} data"
    say(f"Selected {picked}, chosen by {chooser} ({selection.describe()}).")
    if selection.used_test_data:
        say("Chosen on test data: the test metrics below are not out of sample.", "bold yellow")
    for line in selection.notes:
        note(f"Note: {line}")


def show_checkpoint(experiment: Experiment, checkpoint: Checkpoint) -> None:
    """Prints a checkpoint's parameters and metrics; raw parameters if its rule may not be loaded."""
    if experiment.is_only_read:
        note("Note: the study names a user's file, which is not run by reading the study; name it with --rule-file.")
        for name, values in checkpoint.human.items():
            say(f"  {name} = {list(values)}")
    else:
        show_parameters(experiment, checkpoint.raw)
    show_metrics(experiment, checkpoint.metrics)


def show_parameters(experiment: Experiment, raw: Mapping[str, Sequence[float] | Any]) -> None:
    """Prints the active parameters, in human units."""
    values = {name: tuple(row.tolist()) for name, row in experiment.human_parameters(raw).items()}
    show(parameters_table(experiment.active_parameters, values, experiment.tokens))


def show_metrics(experiment: Experiment, metrics: Mapping[str, Mapping[str, float]]) -> None:
    """Prints the objective and the reported metrics on every split."""
    show(results_table(experiment.objective, metrics))


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
    if "warm_up" in notes:
        note(f"Note: the estimators warm up on {notes['warm_up']}.")
    for name in ("prices", "series"):
        if name in notes:
            note(f"Note: the {name} were {notes[name]}.")
    if "trades" in notes:
        counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in notes["trades"].items())
        note(f"Note: of the exogenous swaps: {counts}.")
    if "gaps_filled" in notes:
        note(
            f"Note: {notes['bars_filled']} bars in {notes['gaps_filled']} gaps of the prices are filled with the last price "
            "before them; `quantsim prices` lists them."
        )


def simulating(experiment: Experiment, key: str) -> str:
    """Returns the command that simulates a checkpoint, with the files of users' rules."""
    files = dict.fromkeys(name.rpartition(":")[0] for name in experiment.own_rules)
    return f"simulate --from {key} --plot pool.png" + "".join(f" --rule-file {shlex.quote(file)}" for file in files)


def show_next(store: str, *commands: str) -> None:
    """Prints commands for the next step."""
    option = "" if store == DEFAULT_STORE else f" --store {redact(shlex.quote(store))}"
    say("Next: " + " or ".join(f"quantsim {command}{option}" for command in commands))
