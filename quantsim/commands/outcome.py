"""Shows what was found: which checkpoint, chosen by what, its parameters and its metrics on every split."""

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
    """Shows the best checkpoint of a run that has just ended, and returns it.

    Args:
        store: where the run is.
        experiment: of the run.
        run_id: of the run.
        balanced: of several objectives, the step that was chosen from their front.
        also: checkpoints of other runs that compare: what the run started from. A copy of one counts as the one it is of.

    Raises:
        SelectionError: no checkpoint of the run can be picked.
    """
    if balanced is not None:
        checkpoint = store.get(f"{run_id}:{balanced}:0")
        say(f"Selected {checkpoint.key}, the balanced choice of the front, by train data.")
        show_checkpoint(experiment, checkpoint)
        return checkpoint
    selection = best_of_run(store, experiment, run_id, also)
    show_selection(selection)
    show_checkpoint(experiment, selection.checkpoint)
    return selection.checkpoint


def show_selection(selection: Selection) -> None:
    """Says what was picked, and which split chose; in a line of its own where that was the test split."""
    picked = ", ".join(checkpoint.key for checkpoint in selection.checkpoints)
    chooser = "the last step" if selection.chosen_by == "last step" else f"{selection.chosen_by} data"
    say(f"Selected {picked}, chosen by {chooser} ({selection.describe()}).")
    if selection.used_test_data:
        say("Test data decided: the test metrics below are not out of sample.", "bold yellow")
    for line in selection.notes:
        note(f"Note: {line}")


def show_checkpoint(experiment: Experiment, checkpoint: Checkpoint) -> None:
    """Shows a stored checkpoint's parameters and metrics; of a rule that is not known, the parameters as they are stored."""
    if experiment.is_only_read:
        note("Note: the study names a user's file, which is not run by being read; --rule-file names it.")
        for name, values in checkpoint.human.items():
            say(f"  {name} = {list(values)}")
    else:
        show_parameters(experiment, checkpoint.raw)
    show_metrics(experiment, checkpoint.metrics)


def show_parameters(experiment: Experiment, raw: Mapping[str, Sequence[float] | Any]) -> None:
    """Shows the parameters that matter, in human units."""
    values = {name: tuple(row.tolist()) for name, row in experiment.human_parameters(raw).items()}
    show(parameters_table(experiment.active_parameters, values, experiment.tokens))


def show_metrics(experiment: Experiment, metrics: Mapping[str, Mapping[str, float]]) -> None:
    """Shows the objective and the metrics the experiment reports, split by split."""
    show(results_table(experiment.objective, metrics))


def show_changed(start: Start, metrics: Mapping[str, Mapping[str, float]], name: str) -> None:
    """Says where a metric does not come out as it was stored, though study and prices are those of the run."""
    for split, (before, now) in start.changed(metrics, name).items():
        show_caution(
            f"the run stored {split} {name} = {before:.6g}, which is {now:.6g} here: another version of quantsim made it"
        )


def show_caution(text: str) -> None:
    """Says, as a part of the result, what it must not be taken without."""
    say(f"Caution: {text}.", "bold yellow")


def show_notes(notes: Mapping[str, Any]) -> None:
    """Says once what a reader of the results should know: forms no pool has, a shortened warm-up, gaps that were filled."""
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
            f"Note: {notes['bars_filled']} bars in {notes['gaps_filled']} gaps of the prices are filled with the price "
            "before them; `quantsim prices` lists them."
        )


def simulating(experiment: Experiment, key: str) -> str:
    """The command that shows a checkpoint of the experiment, with the files of users' rules that it needs."""
    files = dict.fromkeys(name.rpartition(":")[0] for name in experiment.own_rules)
    return f"simulate --from {key} --plot pool.png" + "".join(f" --rule-file {shlex.quote(file)}" for file in files)


def show_next(store: str, *commands: str) -> None:
    """Says what could be done next, as it would be typed."""
    option = "" if store == DEFAULT_STORE else f" --store {redact(shlex.quote(store))}"
    say("Next: " + " or ".join(f"quantsim {command}{option}" for command in commands))
