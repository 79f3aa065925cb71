"""What ``--from`` means: a stored checkpoint by its key, or the pick of a selection method among the runs of one study."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints import FRONT_METHODS, Checkpoint, Run, Selection, select, top
from quantsim.checkpoints.methods import METHODS, default_metrics, needs_one_run
from quantsim.checkpoints.pareto import signed
from quantsim.checkpoints.stored import content_of, differences_of, of_same_study
from quantsim.commands.candidates import comparable_runs, runs_to_pick_from, strategy_of
from quantsim.commands.session import open_existing_store
from quantsim.commands.wanted import Wanted
from quantsim.config import Experiment
from quantsim.config.identity import Decides, differences
from quantsim.errors import ConfigError, SelectionError, nearest
from quantsim.objective import OBJECTIVE
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = [
    "BEST",
    "Start",
    "default_method",
    "follow",
    "is_method",
    "method_named",
    "pick",
    "study_and_starts",
]

BEST = "best"
"""Stands for ``balanced`` where the search has several objectives, else for :func:`default_method`."""


@dataclass(frozen=True)
class Start:
    """A stored parameter set to start from.

    Attributes:
        checkpoint: as stored.
        run: that wrote it.
        reason: why this one, in words.
        selection: by which it was picked; None where it was asked for by its key.
        origin: the key of an earlier checkpoint with the same parameters, of a run whose metrics compare; None where it is the
            first.
    """

    checkpoint: Checkpoint
    run: Run
    reason: str
    selection: Selection | None = None
    origin: str | None = None

    def differences(self, experiment: Experiment) -> tuple[str, ...]:
        """Where the experiment decides figures otherwise than the run's own study, each as ``key: stored → given``.

        Raises:
            ConfigError: the parameters are of other tokens or another rule, so that they mean nothing there.
        """
        theirs, own = self.run.config, experiment.model_dump(mode="json")
        if strategy_of(theirs) != strategy_of(own):
            raise ConfigError(
                f"checkpoint {self.checkpoint.key} is of {_describe(theirs)}, and study {experiment.name!r} of "
                f"{experiment.pool.strategy_name} on {', '.join(experiment.tokens)}: rule, tokens and their order must agree"
            )
        return differences_of(self.checkpoint, self.run, experiment)

    def raw_for(self, experiment: Experiment) -> dict[str, NDArray[np.float64]]:
        """The raw parameters that mean in this experiment what they meant in their own, raw name → (n,).

        What only one of the two has, see :meth:`differences`, is left out, or keeps the experiment's own value.
        """
        # Raw memories are counted in chunks. Where these agree, raw values are taken over bit for bit.
        same_chunk = content_of(self.run, Decides.VALUE)["update"]["chunk_minutes"] == experiment.update.chunk_minutes
        values = self.checkpoint.raw if same_chunk else self.checkpoint.human
        known = {name for one in experiment.layout for name in (one.raw_name, one.human_name)}
        return experiment.initial_parameters({name: value for name, value in values.items() if name in known})

    def describe(self) -> str:
        """One line: which one, of which run, and why."""
        copy = "" if self.origin is None else f" (the same parameters as {self.origin}, which is earlier)"
        prices = f"; its prices were {self.run.notes['prices']}" if "prices" in self.run.notes else ""
        return f"{self.checkpoint.key} of run {self.run.name!r} ({self.run.driver}), {self.reason}{copy}{prices}"


def is_method(text: str) -> bool:
    """Whether ``--from`` names a selection method; a checkpoint's key has colons in it."""
    return ":" not in text


def default_method(experiment: Experiment) -> str:
    """How to pick where nothing is said: by validation where there is any."""
    return "best_train" if not experiment.periods.has_validation else "best_validation"


def method_named(name: str | None, experiment: Experiment) -> str:
    """The selection method of that name; ``best``, or None, for the default one of the study."""
    if name is None or name == BEST:
        return "balanced" if experiment.search.objectives else default_method(experiment)
    return name


def _check_method(name: str) -> None:
    """Raises SelectionError where there is no such selection method."""
    if name not in (BEST, *METHODS):
        remedy = nearest(name, (BEST, *METHODS))
        raise SelectionError(f"{name!r} is neither a checkpoint such as 3f9c01ab:120:0 nor a method; {remedy}")


def follow(text: str, wanted: Wanted, store: str) -> tuple[Experiment, Start]:
    """The one stored parameter set that ``text`` names, and the study that it is wanted for: that of its run.

    A study or changes that the user gives may say how results are shown, and not what decides them, unless ``as_study``.

    Args:
        text: a checkpoint's key, or a selection method.
        wanted: of the user.
        store: where checkpoints are.

    Raises:
        ConfigError: the method picks several, or the study given differs; the message names every difference.
        CheckpointError: there is no such checkpoint.
        SelectionError: the method is unknown, there is nothing that it could pick, or runs of several studies.
    """
    with open_existing_store(store) as results:
        given = wanted.given()
        starts = _named(results, text, given, wanted, any_study=wanted.as_study)
        if len(starts) != 1:
            keys = ", ".join(start.checkpoint.key for start in starts)
            raise ConfigError(f"{text} names {len(starts)} checkpoints, and one is wanted: give one of {keys}")
        start = replace(starts[0], origin=_origin(results, starts[0]))
    experiment = given or wanted.stored(start.run)
    found = start.differences(experiment)
    if found and not wanted.as_study:
        raise ConfigError(
            f"checkpoint {start.checkpoint.key} is of run {start.run.name!r} ({start.run.driver}), and what is given differs "
            "from that run's study in what decides the figures:\n"
            + "\n".join(f"  {line}" for line in found)
            + "\nLeave --study and "
            "--set out to take the run's own, or add --as-study to take the parameters into the study given"
        )
    return experiment, start


def _origin(store: CheckpointStore, start: Start) -> str | None:
    """The key of the first checkpoint of the same parameters, of an earlier run whose metrics compare; None without one."""
    earlier = [run for run in store.find_runs(data_id=start.run.data_id) if run.started_at < start.run.started_at]
    runs = comparable_runs(earlier, start.run)
    equal = [
        row
        for run in runs
        for row in store.checkpoints(run_id=run.run_id, metrics=())
        if row.created_at < start.checkpoint.created_at and row.has_parameters_of(start.checkpoint)
    ]
    return min(equal, key=lambda row: row.created_at).key if equal else None


def study_and_starts(
    store: CheckpointStore, wanted: Wanted, texts: Sequence[str], from_study: str | None = None, top: int = 1
) -> tuple[Experiment, tuple[Start, ...]]:
    """The stored parameter sets that a new run starts from, and its study: the one given, or that of their runs.

    Unfinished gradient runs take part in no method, so that the same command names the same start when it is given again to go
    on with one.

    Args:
        store: where they are.
        wanted: of the user; of a study that differs from that of the starts, :meth:`Start.differences` tells.
        texts: keys and selection methods.
        from_study: the name of a search whose ``top`` best sets are wanted.
        top: at least 1.

    Raises:
        ConfigError: the starts are of several studies, and none is given.
        CheckpointError: there is no such checkpoint.
        SelectionError: as for :func:`follow`, or there is no such search.
    """
    given = wanted.given()
    if from_study is not None:
        return _best_of_search(store, wanted, given, from_study, top)
    starts = tuple(
        start for text in texts for start in _named(store, text, given, wanted, any_study=True, settled=True)
    )
    contents = [content_of(start.run, Decides.VALUE) for start in starts]
    for other, theirs in zip(starts[1:], contents[1:], strict=True):
        if given is None and (found := differences(contents[0], theirs)):
            raise ConfigError(
                f"{starts[0].checkpoint.key} and {other.checkpoint.key} are of different studies ({'; '.join(found)}): say "
                "with --study which is meant"
            )
    return given or wanted.stored(starts[0].run), starts


def _named(
    store: CheckpointStore,
    text: str,
    given: Experiment | None,
    wanted: Wanted,
    *,
    any_study: bool,
    settled: bool = False,
) -> list[Start]:
    """What a key or a method names."""
    if not is_method(text):
        checkpoint = store.resolve(text)
        if wanted.run is not None and not checkpoint.run_id.startswith(wanted.run.strip().lower()):
            raise ConfigError(
                f"--run {wanted.run} is for methods, and {text} names a checkpoint of another run: leave it out"
            )
        return [Start(checkpoint, store.run(checkpoint.run_id), "as asked for")]
    _check_method(text)
    runs = runs_to_pick_from(store, given, wanted.run, any_study=any_study, settled=settled)
    experiment = given or wanted.stored(runs[0])
    method = method_named(text, experiment)
    if needs_one_run(method):
        runs = runs[:1]
    by_id = {run.run_id: run for run in runs}
    selection = pick(store, experiment, runs, method)
    return [
        Start(store.get(row.checkpoint_id), by_id[row.run_id], _reason(selection, runs), selection)
        for row in selection.checkpoints
    ]


def _best_of_search(
    store: CheckpointStore, wanted: Wanted, given: Experiment | None, name: str, n: int
) -> tuple[Experiment, tuple[Start, ...]]:
    """The ``n`` best distinct parameter sets that a search found, the best first; fewer if there are no more.

    The objective of the study ranks them: on validation where the search has any, else on train; never on test. Of several
    searches of one experiment's name, those count that can be compared with the newest.
    """
    searches = store.find_runs(driver="search")
    named = [run for run in searches if run.notes.get("study") == name] or [run for run in searches if run.name == name]
    if not named:
        known = {str(run.notes["study"]) for run in searches if "study" in run.notes} | {run.name for run in searches}
        raise SelectionError(
            f"{store.location} has no search of the name {name!r}, neither of an Optuna study nor of an experiment: "
            f"{nearest(name, known)}"
        )
    if wanted.run is not None:
        only = store.run(wanted.run)
        if only.run_id not in [run.run_id for run in named]:
            raise SelectionError(f"--run {wanted.run} is no search of the name {name!r}: leave it out")
        named = [only]
    experiment = given or wanted.stored(named[0])
    metric = experiment.objective.name
    alike = comparable_runs(named, named[0])
    by_id = {run.run_id: run for run in _of_same_metrics(alike, experiment, [metric])}
    rows = [row for run_id in by_id for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC])]
    if rows and not _any_has(rows, [metric]):
        maximised = named[0].config["objective"]["metric"]
        raise SelectionError(
            f"the search {name!r} did not store {metric}, by which the objective of study {experiment.name!r} ranks: search "
            f"with it in objective.report, or fine-tune with objective.metric = {maximised!r}"
        )
    split = "validation" if any(row.value("validation", metric) is not None for row in rows) else "train"
    others = len(named) - len(alike)
    which = f", of the newest study of that name; {others} searches of others do not compare" if others else ""
    return experiment, tuple(
        Start(store.get(row.checkpoint_id), by_id[row.run_id], f"number {place} by {split} {metric}{which}")
        for place, row in enumerate(top(rows, n, split, metric), start=1)
    )


def pick(
    store: CheckpointStore,
    experiment: Experiment,
    runs: Iterable[Run],
    method: str,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
) -> Selection:
    """Picks from runs, reading the metrics that decide only.

    Args:
        store: where the runs are.
        experiment: says by what and under which constraints, where nothing is said.
        runs: whose checkpoints compare.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metrics: that decide; unless given, the experiment's objective, for a front those of its search, and for a load method
            its own.
        minimum: as for :func:`~quantsim.checkpoints.select`.

    Raises:
        SelectionError: as there; or the objective decides, and is another in all runs.
    """
    several = method in FRONT_METHODS
    constraints = dict(experiment.objective.constraints) if several else {}
    theirs = () if metrics else default_metrics(method)
    metrics = tuple(metrics) or theirs or (experiment.search.objectives if several else (experiment.objective.name,))
    if not metrics:
        raise SelectionError(
            f"{method} weighs several metrics against each other, and study {experiment.name!r} has one objective: name two or "
            "more, each with --metric, or search with search.objectives"
        )
    names = [*(signed(name)[0] for name in metrics), *constraints]
    given = list(runs)
    runs = _of_same_metrics(given, experiment, names)
    rows = [row for run in runs for row in store.checkpoints(run_id=run.run_id, metrics=[*names, TIE_METRIC])]
    if rows and theirs != (OBJECTIVE,) and not _any_has(rows, names):
        rows = store.checkpoints(run_id=runs[0].run_id)  # so that the message can say what is stored
    selection = select(rows, method, None if theirs else metrics, minimum=minimum, constraints=constraints)
    if len(runs) == len(given):
        return selection
    others = f"{len(given) - len(runs)} of {len(given)} runs left out: of another [objective], so {', '.join(metrics)} is too"
    return replace(selection, notes=(others, *selection.notes))


def _any_has(rows: Iterable[Checkpoint], names: Iterable[str]) -> bool:
    """Whether one of these metrics is stored for any row, on any split."""
    return any(name in table for row in rows for table in row.metrics.values() for name in names)


def _of_same_metrics(runs: Sequence[Run], experiment: Experiment, names: Iterable[str]) -> list[Run]:
    """The runs in which the metrics mean what they do in the experiment: its objective, and those of periods, are its own.

    Raises:
        SelectionError: there are runs, and none of these.
    """
    purpose = functools.reduce(operator.or_, map(_what_decides, names), Decides.NOTHING)
    same = of_same_study(runs, experiment, purpose)
    if runs and not same:
        raise SelectionError(
            f"no stored run has the [objective] of study {experiment.name!r}, and of others {', '.join(names)} is another "
            "number: run the study first, or name a checkpoint by its key or a metric of whole splits with --metric"
        )
    return same


def _what_decides(metric: str) -> Decides:
    """What the meaning of a stored metric rests on, beside the pool."""
    if metric == OBJECTIVE:
        return Decides.OBJECTIVE | Decides.PERIODS
    return Decides.PERIODS if "." in metric else Decides.NOTHING


def _describe(config: Mapping[str, Any]) -> str:
    pool, tokens = config["pool"], strategy_of(config)["tokens"]
    return f"{pool.get('rule') or pool.get('ensemble')} on {', '.join(tokens)}"


def _reason(selection: Selection, runs: Sequence[Run]) -> str:
    count = f"{len(runs)} runs" if len(runs) > 1 else "1 run"
    return "; ".join((f"{selection.describe()} of {count}", *selection.notes))
