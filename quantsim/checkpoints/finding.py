"""Finds stored parameter sets to start from: by a key, a selection method or the name of a search.

Each is taken into the study of its run unless another is given, and refused where its parameters would mean something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
class _Wanted:
    """What the caller says of the study that stored sets are wanted for; as the arguments of :func:`start_from`."""

    study: Experiment | None
    changes: tuple[str, ...]
    run: str | None
    rule_files: Files

    @classmethod
    def of(cls, study: Experiment | None, changes: Iterable[str], run: str | None, rule_files: Files) -> _Wanted:
        changes, rule_files = tuple(changes), tuple(rule_files)
        if study is not None and rule_files:
            raise ConfigError(
                f"the rule file {rule_files[0]} is of a stored study, and study {study.name!r} is given: leave one out"
            )
        return cls(study.override(changes) if study is not None and changes else study, changes, run, rule_files)

    def for_run(self, run: Run) -> Experiment:
        """The study that is given, or that of the run, with the changes."""
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
    """The one stored parameter set that a key or a selection method names, with the study of its run.

    A study or changes that are given may say how results are shown, but not what decides them, unless ``as_study``.

    Args:
        store: where checkpoints are.
        which: a checkpoint's key such as ``3f9c01ab:120:0``, or a selection method that picks one.
        study: that the set is wanted for; by default that of its run.
        changes: to that study, as :meth:`Experiment.override` takes them.
        run: id of the only run that a method picks from; its first characters suffice.
        rule_files: files of users' rules in a stored study.
        as_study: whether the set is taken into a study that decides the figures otherwise than its own.

    Raises:
        ConfigError: the method picks several, or the study given differs; the message names every difference.
        CheckpointError: there is no such checkpoint.
        SelectionError: the method is unknown, there is nothing that it could pick, or runs of several studies.

    Example:
        >>> start = quantsim.start_from(store, "best_validation")  # doctest: +SKIP
        >>> result = quantsim.simulate(start.experiment, start.params)  # doctest: +SKIP
        >>> start.check_prices(result.data_id)  # doctest: +SKIP
    """
    wanted = _Wanted.of(study, changes, run, rule_files)
    starts = _named(store, which, wanted, any_study=as_study)
    if len(starts) != 1:
        keys = ", ".join(start.checkpoint.key for start in starts)
        raise ConfigError(f"{which} names {len(starts)} checkpoints, and one is wanted: give one of {keys}")
    start = replace(starts[0], origin=_origin(store, starts[0]))
    found = start.differences()
    if found and not as_study:
        raise ConfigError(
            f"checkpoint {start.checkpoint.key} is of run {start.run.name!r} ({start.run.driver}), and what is given differs "
            "from that run's study in what decides the figures:\n"
            + "\n".join(f"  {line}" for line in found)
            + "\nLeave the study and its changes out (--study, --set) to take the run's own, or take the parameters into the "
            "study given with as_study (--as-study)"
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
    """The stored parameter sets that a new run starts from, all wanted for one study: the one given, or that of their runs.

    Unfinished gradient runs take part in no method, so that the same call names the same starts when a gradient run is resumed.
    A study that is given may differ from that of the starts: :meth:`Start.differences` lists where.

    Args:
        store: where they are.
        which: keys and selection methods; one at least.
        study: that they are wanted for.
        changes: to the study.
        run: id of the only run that counts.
        rule_files: files of users' rules in a stored study.

    Raises:
        ConfigError: the starts are of several studies, and none is given; or of other tokens or another rule than the study.
        CheckpointError: there is no such checkpoint.
        SelectionError: as for :func:`start_from`.
    """
    wanted = _Wanted.of(study, changes, run, rule_files)
    starts = [start for one in which for start in _named(store, one, wanted, any_study=True, settled=True)]
    if not starts:
        raise ConfigError("there is nothing to start from: name a checkpoint by its key, or a selection method")
    contents = [content_of(start.run, Decides.VALUE) for start in starts]
    for other, theirs in zip(starts[1:], contents[1:], strict=True):
        if study is None and (found := differences(contents[0], theirs)):
            raise ConfigError(
                f"{starts[0].checkpoint.key} and {other.checkpoint.key} are of different studies ({'; '.join(found)}): give "
                "the study that is meant (--study)"
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
    """The ``n`` best distinct parameter sets that a search found, the best first; fewer if there are no more.

    The objective of the study ranks them: on validation where the search has any, else on train; never on test. Of several
    searches of one experiment's name, those count that can be compared with the newest.

    Args:
        store: where the search is.
        name: of the Optuna study, or of the experiment that was searched.
        n: at least 1.
        study: that they are wanted for.
        changes: to the study.
        run: id of the only run that counts.
        rule_files: files of users' rules in a stored study.

    Raises:
        ConfigError: they are of other tokens or another rule than the study given.
        SelectionError: there is no such search, or the objective did not rank it.
    """
    wanted = _Wanted.of(study, changes, run, rule_files)
    named = _searches(store, name, run)
    experiment = wanted.for_run(named[0])
    metric = experiment.objective.name
    alike = comparable_runs(named, named[0])
    by_id = {run.run_id: run for run in of_same_metrics(alike, experiment, [metric])}
    rows = [row for run_id in by_id for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC])]
    if rows and not any_has(rows, [metric]):
        maximised = named[0].config["objective"]["metric"]
        raise SelectionError(
            f"the search {name!r} did not store {metric}, by which the objective of study {experiment.name!r} ranks: search "
            f"with it in objective.report, or fine-tune with objective.metric = {maximised!r}"
        )
    split = "validation" if any(row.value("validation", metric) is not None for row in rows) else "train"
    others = len(named) - len(alike)
    which = f", of the newest study of that name; {others} searches of others do not compare" if others else ""
    found = [
        Start(store.get(row.checkpoint_id), by_id[row.run_id], experiment, f"number {place} by {split} {metric}{which}")
        for place, row in enumerate(top(rows, n, split, metric), start=1)
    ]
    return _for_one_study(found)


def _named(
    store: CheckpointStore, which: str, wanted: _Wanted, *, any_study: bool, settled: bool = False
) -> list[Start]:
    """What a key or a method names."""
    if ":" in which:
        checkpoint = store.resolve(which)
        run = store.run(checkpoint.run_id)
        if wanted.run is not None and not checkpoint.run_id.startswith(wanted.run.strip().lower()):
            raise ConfigError(
                f"the run {wanted.run} (--run) is for methods, and {which} names a checkpoint of another run: leave it out"
            )
        return [Start(checkpoint, run, wanted.for_run(run))]
    check_method(which)
    runs = runs_to_pick_from(store, wanted.study, wanted.run, any_study=any_study, settled=settled)
    experiment = wanted.for_run(runs[0])
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
    """The starts for the study of the first; raises ConfigError where one cannot be taken into it."""
    for start in starts:
        check_strategy(start.checkpoint.key, start.run, starts[0].experiment)
    return tuple(replace(start, experiment=starts[0].experiment) for start in starts)


def _searches(store: CheckpointStore, name: str, run: str | None) -> list[Run]:
    """The searches of that name, the newest first."""
    searches = store.find_runs(driver="search")
    named = [one for one in searches if one.notes.get("study") == name] or [one for one in searches if one.name == name]
    if not named:
        known = {str(one.notes["study"]) for one in searches if "study" in one.notes} | {one.name for one in searches}
        raise SelectionError(
            f"{store.location} has no search of the name {name!r}, neither of an Optuna study nor of an experiment: "
            f"{nearest(name, known)}"
        )
    if run is None:
        return named
    only = store.run(run)
    if only.run_id not in [one.run_id for one in named]:
        raise SelectionError(f"the run {run} (--run) is no search of the name {name!r}: leave it out")
    return [only]


def _origin(store: CheckpointStore, start: Start) -> str | None:
    """The key of the first checkpoint of the same parameters, of an earlier run whose metrics compare; None without one."""
    for row in store.equal_checkpoints(start.checkpoint, data_id=start.run.data_id):
        if row.created_at >= start.checkpoint.created_at:
            break
        run = store.run(row.run_id)
        if run.started_at < start.run.started_at and comparable_runs([run], start.run):
            return row.key
    return None
