"""Finds stored parameter sets to start from: by key, selection method, or name of a search.

By default a set is used in the study of its run. If its parameters do not fit a given study, there is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from quantsim.checkpoints.checkpoint import Run
from quantsim.checkpoints.comparable import check_strategy, comparable_runs, runs_to_pick_from
from quantsim.checkpoints.methods import needs_one_run
from quantsim.checkpoints.picking import any_has, check_method, method_named, of_same_metrics, pick_among
from quantsim.checkpoints.selection import top
from quantsim.checkpoints.starts import Start
from quantsim.checkpoints.stored import content_of, study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides, differences
from quantsim.errors import ConfigError, SelectionError, nearest
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["best_of_search", "start_from", "starts_from"]

Files = Iterable[str | Path]


@dataclass(frozen=True)
class _StudyChoice:
    """The study for stored sets, as the caller chose it; see the arguments of :func:`start_from`."""

    study: Experiment | None
    changes: tuple[str, ...]
    run: str | None
    rule_files: Files

    @classmethod
    def of(cls, study: Experiment | None, changes: Iterable[str], run: str | None, rule_files: Files) -> _StudyChoice:
        changes, rule_files = tuple(changes), tuple(rule_files)
        if study is not None and rule_files:
            raise ConfigError(
                f"the rule file {rule_files[0]} is for a stored study, but study {study.name!r} is given: remove one of them"
            )
        return cls(study.override(changes) if study is not None and changes else study, changes, run, rule_files)

    def for_run(self, run: Run) -> Experiment:
        """Returns the given study, or that of the run, with the changes."""
        if self.study is not None:
            return self.study
        experiment = study_of_run(run, self.rule_files)
        return experiment.override(self.changes) if self.changes else experiment


def start_from(
    store: CheckpointStore,
    which: str = "best",
    *,
    study: Experiment | None = None,
    changes: Iterable[str] = (),
    run: str | None = None,
    rule_files: Files = (),
    as_study: bool = False,
) -> Start:
    """Returns the stored parameter set of a key or a selection method, with the study of its run.

    Without ``as_study``, a given study or changes must not differ in what decides metrics.

    Args:
        store: checkpoint store.
        which: key of a checkpoint such as ``3f9c01ab:120:0``, or a selection method that selects one.
        study: study that uses the set; default: the study of its run.
        changes: changes to the study, as in :meth:`Experiment.override`.
        run: a single run that a method selects from: its id, the first characters of it, or its name.
        rule_files: files of users' rules in a stored study.
        as_study: whether to use the set in a study that differs in what decides metrics.

    Raises:
        ConfigError: the method selects several sets, or the given study differs; the message names every difference.
        CheckpointError: there is no such checkpoint.
        SelectionError: the method is unknown, there is nothing to select from, or there are runs of several studies.

    Example:
        >>> start = quantsim.start_from(store, "best_validation")  # doctest: +SKIP
        >>> result = quantsim.simulate(start.experiment, start.params)  # doctest: +SKIP
        >>> start.check_prices(result.data_id)  # doctest: +SKIP
    """
    choice = _StudyChoice.of(study, changes, run, rule_files)
    starts = _named(store, which, choice, any_study=as_study)
    if len(starts) != 1:
        keys = ", ".join(start.checkpoint.key for start in starts)
        raise ConfigError(f"{which} selects {len(starts)} checkpoints, but one is needed: give one of {keys}")
    start = replace(starts[0], origin=_origin(store, starts[0]))
    found = start.differences()
    if found and not as_study:
        raise ConfigError(
            f"checkpoint {start.checkpoint.key} is of run {start.run.name!r} ({start.run.driver}), and the given study differs "
            "from that of the run in what decides metrics:\n"
            + "\n".join(f"  {line}" for line in found)
            + "\nRemove the study and its changes (--study, --set) to use the study of the run, or use the parameters in the "
            "given study with as_study (--as-study)"
        )
    return start


def starts_from(
    store: CheckpointStore,
    which: Sequence[str],
    *,
    study: Experiment | None = None,
    changes: Iterable[str] = (),
    run: str | None = None,
    rule_files: Files = (),
) -> tuple[Start, ...]:
    """Returns the stored parameter sets that a new run starts from, for one study: the given one, or that of their runs.

    Methods ignore unfinished gradient runs, so that the same call finds the same starts when a gradient run is resumed. A
    given study may differ from that of the starts: :meth:`Start.differences` lists the differences.

    Args:
        store: checkpoint store.
        which: keys and selection methods, at least one.
        study: study of the new run.
        changes: changes to the study.
        run: id of a single run to select from.
        rule_files: files of users' rules in a stored study.

    Raises:
        ConfigError: the starts have several studies and none is given, or the study has other tokens or another rule.
        CheckpointError: there is no such checkpoint.
        SelectionError: as in :func:`start_from`.
    """
    choice = _StudyChoice.of(study, changes, run, rule_files)
    starts = [start for one in which for start in _named(store, one, choice, any_study=True, settled=True)]
    if not starts:
        raise ConfigError("there is no start: name a checkpoint by its key, or a selection method")
    contents = [content_of(start.run, Decides.VALUE) for start in starts]
    for other, theirs in zip(starts[1:], contents[1:], strict=True):
        if study is None and (found := differences(contents[0], theirs)):
            raise ConfigError(
                f"{starts[0].checkpoint.key} and {other.checkpoint.key} have different studies ({'; '.join(found)}): name "
                "the study (--study)"
            )
    return _for_one_study(starts)


def best_of_search(
    store: CheckpointStore,
    name: str,
    n: int = 1,
    *,
    study: Experiment | None = None,
    changes: Iterable[str] = (),
    run: str | None = None,
    rule_files: Files = (),
) -> tuple[Start, ...]:
    """Returns the ``n`` best distinct parameter sets of a search, the best first; fewer if there are no more.

    They are ranked by the objective of the study, on validation if the search has it, else on train, never on test. If there
    are several searches of an experiment, those that are comparable with the newest count.

    Args:
        store: checkpoint store.
        name: name of the Optuna study, or of the experiment.
        n: number of sets, at least 1.
        study: study that uses the sets.
        changes: changes to the study.
        run: id of a single run to use.
        rule_files: files of users' rules in a stored study.

    Raises:
        ConfigError: the given study has other tokens or another rule.
        SelectionError: there is no such search, or it did not store the objective.
    """
    choice = _StudyChoice.of(study, changes, run, rule_files)
    named = _searches(store, name, run)
    experiment = choice.for_run(named[0])
    metric = experiment.objective.name
    alike = comparable_runs(named, named[0])
    by_id = {run.run_id: run for run in of_same_metrics(alike, experiment, [metric])}
    rows = [row for run_id in by_id for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC])]
    if rows and not any_has(rows, [metric]):
        maximised = named[0].config["objective"]["metric"]
        raise SelectionError(
            f"the search {name!r} did not store {metric}, the objective of study {experiment.name!r}: search with it in "
            f"objective.report, or fine-tune with objective.metric = {maximised!r}"
        )
    split: Literal["train", "validation"] = (
        "validation" if any(row.value("validation", metric) is not None for row in rows) else "train"
    )
    others = len(named) - len(alike)
    which = f", of the newest study of that name; {others} other searches are not comparable" if others else ""
    found = [
        Start(store.get(row.checkpoint_id), by_id[row.run_id], experiment, f"number {place} by {split} {metric}{which}")
        for place, row in enumerate(top(rows, n, split, metric), start=1)
    ]
    return _for_one_study(found)


def _named(
    store: CheckpointStore, which: str, choice: _StudyChoice, *, any_study: bool, settled: bool = False
) -> list[Start]:
    """Returns the sets of a key or a method."""
    if ":" in which:
        checkpoint = store.resolve(which)
        run = store.run(checkpoint.run_id)
        if choice.run is not None and store.run(choice.run).run_id != checkpoint.run_id:
            raise ConfigError(
                f"the run {choice.run} (--run) is for methods, but {which} is a checkpoint of another run: remove it"
            )
        return [Start(checkpoint, run, choice.for_run(run))]
    check_method(which)
    runs = runs_to_pick_from(store, choice.study, choice.run, any_study=any_study, settled=settled)
    experiment = choice.for_run(runs[0])
    method = method_named(which, experiment)
    if needs_one_run(method):
        runs = runs[:1]
    by_id = {run.run_id: run for run in runs}
    selection = pick_among(store, experiment, runs, method)
    count = f"{len(runs)} runs" if len(runs) > 1 else "1 run"
    reason = "; ".join((f"{selection.describe()} of {count}", *selection.notes))
    return [
        Start(store.get(row.checkpoint_id), by_id[row.run_id], experiment, reason, selection)
        for row in selection.checkpoints
    ]


def _for_one_study(starts: Sequence[Start]) -> tuple[Start, ...]:
    """Returns the starts for the study of the first one; raises ConfigError if one does not fit it."""
    for start in starts:
        check_strategy(start.checkpoint.key, start.run, starts[0].experiment)
    return tuple(replace(start, experiment=starts[0].experiment) for start in starts)


def _searches(store: CheckpointStore, name: str, run: str | None) -> list[Run]:
    """Returns the searches of this name, the newest first."""
    searches = store.find_runs(driver="search")
    named = [one for one in searches if one.notes.get("study") == name] or [one for one in searches if one.name == name]
    if not named:
        known = {str(one.notes["study"]) for one in searches if "study" in one.notes} | {one.name for one in searches}
        raise SelectionError(
            f"{store.location} has no search named {name!r}, neither an Optuna study nor an experiment: "
            f"{nearest(name, known)}"
        )
    if run is None:
        return named
    only = store.run(run)
    if only.run_id not in [one.run_id for one in named]:
        raise SelectionError(f"the run {run} (--run) is not a search named {name!r}: remove it")
    return [only]


def _origin(store: CheckpointStore, start: Start) -> str | None:
    """Returns the key of the first checkpoint with the same parameters in an earlier comparable run; None if there is none."""
    for row in store.equal_checkpoints(start.checkpoint, data_id=start.run.data_id):
        if row.created_at >= start.checkpoint.created_at:
            break
        run = store.run(row.run_id)
        if run.started_at < start.run.started_at and comparable_runs([run], start.run):
            return row.key
    return None
