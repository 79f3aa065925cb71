"""Picks from the runs of a store that compare: which runs take part, which method is the default, which metrics decide.

:mod:`quantsim.checkpoints.selection` picks among rows at hand; this module decides which rows these are.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quantsim.checkpoints.checkpoint import Checkpoint, Run
from quantsim.checkpoints.comparable import comparable_runs, same_prices
from quantsim.checkpoints.methods import FRONT_METHODS, METHODS, default_metrics, needs_one_run
from quantsim.checkpoints.pareto import signed
from quantsim.checkpoints.selection import Selection, select
from quantsim.checkpoints.stored import content_of, of_same_study, study_of_run
from quantsim.config import Experiment
from quantsim.config.identity import Decides, differences
from quantsim.errors import SelectionError, nearest
from quantsim.objective import OBJECTIVE
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = [
    "BEST",
    "Pick",
    "any_has",
    "best_of_run",
    "check_method",
    "default_method",
    "method_named",
    "of_same_metrics",
    "pick",
    "pick_among",
]

BEST = "best"
"""Stands for ``balanced`` where the search has several objectives, else for :func:`default_method`."""


@dataclass(frozen=True)
class Pick:
    """What was picked from a store, and from where.

    Attributes:
        experiment: the study of the runs.
        runs: that took part, the newest first.
        selection: what was picked, with all its metrics, and by what.
        n_others: how many runs took no part, since they do not compare with the newest of these.
    """

    experiment: Experiment
    runs: tuple[Run, ...]
    selection: Selection
    n_others: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        """The one checkpoint; raises SelectionError where there are several."""
        return self.selection.checkpoint

    @property
    def prices_notes(self) -> tuple[str, ...]:
        """That the runs, all on the same prices, had others than their study names; empty where they had not."""
        return tuple(f"the prices were {run.notes['prices']}" for run in self.runs if "prices" in run.notes)[:1]


def default_method(experiment: Experiment) -> str:
    """The method that picks unless one is named: by validation data where the study has any, else by train data."""
    return "best_validation" if experiment.periods.has_validation else "best_train"


def method_named(name: str | None, experiment: Experiment) -> str:
    """The selection method of that name; for ``best`` or None the default one of the study."""
    if name is None or name == BEST:
        return "balanced" if experiment.search.objectives else default_method(experiment)
    return name


def check_method(name: str) -> None:
    """Raises SelectionError where there is no such selection method."""
    if name not in (BEST, *METHODS):
        remedy = nearest(name, (BEST, *METHODS))
        raise SelectionError(f"{name!r} is neither a checkpoint such as 3f9c01ab:120:0 nor a method; {remedy}")


def pick(
    store: CheckpointStore,
    method: str | None = None,
    *,
    study: Experiment | None = None,
    run: str | None = None,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
    rule_files: Iterable[str | Path] = (),
) -> Pick:
    """Picks among the runs of one study on the same prices, whichever driver wrote them.

    Args:
        store: where the runs are.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``, or "best". By default ``best_validation``, ``best_train``
            without validation, or ``balanced`` where the search has several objectives and no metric is named.
        study: whose runs take part; by default that of the newest run.
        run: id of the only run that takes part; its first characters suffice.
        metrics: that decide, maximised; for ``balanced`` and ``pareto_front`` two or more, and a minus before a name has it
            minimised. By default the study's objective, or ``search.objectives``.
        minimum: as for :func:`~quantsim.checkpoints.select`.
        rule_files: files of users' rules in a stored study.

    Raises:
        CheckpointError: there is no such run.
        ConfigError: the stored study is not valid in this version, or a rule file is not the one that was stored.
        SelectionError: no run takes part, the run is not of the study, or as :func:`~quantsim.checkpoints.select`.

    Example:
        >>> picked = quantsim.pick(store, "best_validation", study=study)  # doctest: +SKIP
        >>> picked.checkpoint.human  # doctest: +SKIP
        {'memory_days': (21.4, 21.4), ...}
    """
    runs, n_others = _runs(store, study, run)
    experiment = study or study_of_run(runs[0], rule_files)
    if metrics and method in (None, BEST):
        method = default_method(experiment)
    method = method_named(method, experiment)
    selection = pick_among(store, experiment, runs[:1] if needs_one_run(method) else runs, method, metrics, minimum)
    whole = tuple(store.get(row.checkpoint_id) for row in selection.checkpoints)
    return Pick(experiment, tuple(runs), replace(selection, checkpoints=whole), n_others)


def best_of_run(
    store: CheckpointStore, experiment: Experiment, run_id: str, also: Sequence[Checkpoint] = ()
) -> Selection:
    """Picks from one run by the study's objective, on validation where there is any; :func:`pick` weighs several objectives.

    Args:
        store: where the run is.
        experiment: of the run.
        run_id: of the run.
        also: checkpoints of other runs that compare, such as what the run started from. A copy of one counts as the one it is
            of.

    Raises:
        SelectionError: no checkpoint of the run can be picked.
    """
    rows = [*store.checkpoints(run_id=run_id), *also]
    return select(rows, default_method(experiment), experiment.objective.name)


def pick_among(
    store: CheckpointStore,
    experiment: Experiment,
    runs: Iterable[Run],
    method: str,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
) -> Selection:
    """Picks from runs that compare; reads only the metrics that decide.

    Args:
        store: where the runs are.
        experiment: whose objective and constraints decide, where no metric is named.
        runs: whose checkpoints compare.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metrics: that decide; by default the experiment's objective, for a front those of its search, and for a load method
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
            "more metrics (--metric), or search with search.objectives"
        )
    names = [*(signed(name)[0] for name in metrics), *constraints]
    given = list(runs)
    runs = of_same_metrics(given, experiment, names)
    rows = [row for run in runs for row in store.checkpoints(run_id=run.run_id, metrics=[*names, TIE_METRIC])]
    if rows and theirs != (OBJECTIVE,) and not any_has(rows, names):
        rows = store.checkpoints(run_id=runs[0].run_id)  # so that the message can say what is stored
    selection = select(rows, method, None if theirs else metrics, minimum=minimum, constraints=constraints)
    if len(runs) == len(given):
        return selection
    others = f"{len(given) - len(runs)} of {len(given)} runs left out: of another [objective], so {', '.join(metrics)} is too"
    return replace(selection, notes=(others, *selection.notes))


def any_has(rows: Iterable[Checkpoint], names: Iterable[str]) -> bool:
    """Whether one of these metrics is stored for any row, on any split."""
    return any(name in table for row in rows for table in row.metrics.values() for name in names)


def of_same_metrics(runs: Sequence[Run], experiment: Experiment, names: Iterable[str]) -> list[Run]:
    """The runs in which the metrics mean what they do in the experiment: its objective, and those of periods, are its own.

    Raises:
        SelectionError: there are runs, and none of these.
    """
    purpose = functools.reduce(operator.or_, map(_what_decides, names), Decides.NOTHING)
    same = of_same_study(runs, experiment, purpose)
    if runs and not same:
        raise SelectionError(
            f"no stored run has the [objective] of study {experiment.name!r}, and of others {', '.join(names)} is another "
            "number: run the study first, or name a checkpoint by its key or a metric of whole splits (--metric)"
        )
    return same


def _what_decides(metric: str) -> Decides:
    """What the meaning of a stored metric rests on, beside the pool."""
    if metric == OBJECTIVE:
        return Decides.OBJECTIVE | Decides.PERIODS
    return Decides.PERIODS if "." in metric else Decides.NOTHING


def _runs(store: CheckpointStore, study: Experiment | None, run: str | None) -> tuple[list[Run], int]:
    """The runs that take part, the newest first, and how many others there are."""
    if run is not None:
        only = store.run(run)
        if study is not None and (
            changed := differences(content_of(only, Decides.VALUE), study.content(Decides.VALUE))
        ):
            lines = "\n".join(f"  {line}" for line in changed)
            raise SelectionError(
                f"run {only.run_id[:8]} is not of study {study.name!r}, which differs in what decides the figures:\n{lines}\n"
                "Leave the study out (--study), or the run (--run)"
            )
        return [only], 0
    runs = store.find_runs()
    if not runs:
        raise SelectionError("no run is stored yet: run `quantsim sgd` or `quantsim optuna` first")
    comparable = comparable_runs(runs, study or runs[0])
    if study is not None and not comparable:
        raise SelectionError(
            f"no run of study {study.name!r} is stored: run it first, with `quantsim optuna` or `quantsim sgd` and the "
            "same changes (--set)"
        )
    found = same_prices(comparable)
    return found, len(runs if study is None else comparable) - len(found)
