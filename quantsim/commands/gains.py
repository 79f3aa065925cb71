"""Says where a run starts from, and what it gained over that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from quantsim.checkpoints import Checkpoint, select
from quantsim.commands.outcome import in_time_order
from quantsim.commands.session import note, say
from quantsim.commands.starts import Start, default_method
from quantsim.config import Experiment
from quantsim.errors import SelectionError
from quantsim.objective import unit_of
from quantsim.ranking import TIE_METRIC, gain
from quantsim.report.formats import gain_text, metric_text, unit_text

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["alike_starts", "gain_line", "show_gain", "show_starts", "show_tuned"]


def show_starts(doing: str, experiment: Experiment, starts: Iterable[Start]) -> None:
    """Says from which stored sets a run starts, and once each where their studies decide figures otherwise.

    Raises:
        ConfigError: as :meth:`Start.differences`.
    """
    told: set[str] = set()
    for start in starts:
        note(f"{doing} {start.describe()}.")
        for line in start.differences(experiment):
            if line not in told:
                note(f"Note: unlike the run it is from, this one has {line}.")
            told.add(line)


def alike_starts(starts: Iterable[Start], experiment: Experiment, data_id: str) -> list[Checkpoint]:
    """The checkpoints of the starts whose metrics compare with those of a run; a note where its prices are others.

    Args:
        starts: of the run.
        experiment: of the run.
        data_id: of the run's prices.
    """
    same_prices = [start for start in starts if start.run.data_id == data_id]
    alike = [start.checkpoint for start in same_prices if not start.differences(experiment)]
    others = {start.run.name for start in starts if start not in same_prices and not start.differences(experiment)}
    if others:
        note(f"Note: the prices are not those of run {', '.join(map(repr, sorted(others)))}, which it started from.")
    return alike


def gain_line(start: Checkpoint, chosen: Checkpoint, metric: str) -> str:
    """What a metric came to at the start and at the choice, split by split."""
    unit, parts = unit_of(metric), []
    for split in in_time_order(chosen.metrics):
        before, after = start.value(split, metric), chosen.value(split, metric)
        if before is not None and after is not None:
            change = gain_text(gain(after, before), unit)
            parts.append(f"{split} {metric_text(before, unit)} to {metric_text(after, unit)} ({change})")
    shown = f"{metric}, {unit_text(unit)}" if unit else metric
    return f"{'; '.join(parts)} [{shown}]"


def show_gain(
    store: CheckpointStore, experiment: Experiment, run_id: str, starts: Sequence[Start], chosen: Checkpoint
) -> None:
    """Says what gradients gained over the best of their starts, or plainly that they did not.

    Args:
        store: where the run is.
        experiment: of the run.
        run_id: of the gradient run.
        starts: in the order of its parameter sets; a single one is what the sets were drawn around.
        chosen: what was picked from the run, or one of the starts.
    """
    metric, method = experiment.objective.name, default_method(experiment)
    rows = [row for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC]) if row.step == 0]
    given = [row for row in rows if row.parameter_set < len(starts)]
    try:
        selection = select(given, method, metric)
    except SelectionError as error:
        note(f"Note: the gain is not known, since {metric} is nan at every start: {error}")
        return
    best = selection.checkpoint
    start = starts[best.parameter_set]
    which = start.checkpoint.key + (f", the best of {len(starts)} starts" if len(starts) > 1 else "")
    if chosen.raw == best.raw:
        say(
            f"Fine-tuning did not help on {selection.chosen_by} data: no step beats its start, {which}, "
            "which stays the choice."
        )
        return
    say(f"Gain over {which}: {gain_line(best, chosen, metric)}.")
    if chosen.step == 0:
        say("No gradient step made it: the choice is a set as it was drawn around the start.")
    elif len(starts) > 1 and (own := chosen.parameter_set % len(starts)) != best.parameter_set:
        say(f"The choice is step {chosen.step} from another start, {starts[own].checkpoint.key}.")


def show_tuned(
    store: CheckpointStore, experiment: Experiment, chosen: Checkpoint, tuned_from: Mapping[int, int]
) -> None:
    """Says whether the choice of a hybrid run was fine-tuned, from which trial, and what that gained.

    Args:
        store: where the run is.
        experiment: of the run.
        chosen: trial that was picked.
        tuned_from: of each trial that fine-tuning made, the number of the one that was fine-tuned.
    """
    if chosen.step not in tuned_from:
        chooser = "validation" if experiment.periods.has_validation else "train"
        say(
            f"Fine-tuning did not help on {chooser} data: no fine-tuned trial beats trial {chosen.step}, which the "
            "search found."
        )
        return
    start = store.get(f"{chosen.run_id}:{tuned_from[chosen.step]}:0")
    gained = gain_line(start, chosen, experiment.objective.name)
    say(f"The choice is trial {chosen.step}, fine-tuned from trial {start.step}. Gain over it: {gained}.")
