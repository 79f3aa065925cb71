"""The runs whose trials count: the given runs, and the sources of their starting sets."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantsim.checkpoints.checkpoint import GIVEN, ROUNDING, Checkpoint, Run
from quantsim.checkpoints.comparable import comparable_runs, same_prices
from quantsim.checkpoints.stored import study_of_run
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["Sources", "check_comparable", "given_trials", "uncounted", "with_sources"]

_MOST_TRACED = 64  # given sets of a run; each is a query


def check_comparable(runs: Sequence[Run]) -> None:
    """Raises SelectionError unless all runs are of one study on the same prices."""
    alike = same_prices(comparable_runs(runs, runs[0]))
    for run in runs:
        if run not in alike:
            raise SelectionError(
                f"run {run.key} is of another study or other prices than run {runs[0].key}, so their trials are "
                "not comparable: validate each alone"
            )


def with_sources(store: CheckpointStore, runs: Sequence[Run]) -> list[Run]:
    """Returns the runs, followed by the comparable ones that their given trials and starting sets came from.

    A search that tried out the best of an earlier one, or gradients that started from it, chose among its trials, too. Of a
    hybrid run, the gradient runs between its searches count.
    """
    found = {run.run_id: run for run in runs}
    todo = list(runs)
    while todo:
        run = todo.pop()
        sources = Sources(store, run)
        for row in itertools.islice(_given_rows(store, run), _MOST_TRACED):
            source = sources.of(row)
            if source is None or source.run_id in found:
                continue
            other = store.run(source.run_id)
            if other.data_id == runs[0].data_id and comparable_runs([other], runs[0]):
                found[other.run_id] = other
                todo.append(other)
    return list(found.values())


def uncounted(store: CheckpointStore, runs: Sequence[Run]) -> list[Run]:
    """Returns the stored runs of the same study on the same prices whose trials do not count, the newest first.

    Runs with the task of a counted one, such as gradient training that was repeated, have its trials. Parts of counted runs and
    folds of a walk-forward are no further attempts.
    """
    known = {run.run_id for run in runs} | {part.run_id for run in runs for part in store.parts(run.run_id)}
    tasks = {_task(run) for run in runs}
    stored = comparable_runs(store.find_runs(data_id=runs[0].data_id, in_groups=False), runs[0])
    return [run for run in stored if run.run_id not in known and _task(run) not in tasks]


def _task(run: Run) -> tuple[str, str, object]:
    return run.driver, run.experiment_id, run.notes.get("start")


def given_trials(store: CheckpointStore, run: Run) -> frozenset[int]:
    """Returns the numbers of the trials that were given to a search; empty for a search of an older version."""
    reports = store.reports(run.run_id) if run.driver == "search" else ()
    return frozenset(number for report in reports for number in report.content.get(GIVEN, ()))


@dataclass(frozen=True)
class Sources:
    """Finds the sources of the given sets of a run: the checkpoints that they copy.

    Attributes:
        store: store of the run.
        run: the run.
    """

    store: CheckpointStore
    run: Run

    def of(self, given: Checkpoint) -> Checkpoint | None:
        """Returns the first earlier checkpoint of another run with the parameters of a given set; None if there is none.

        A trial is made from human-readable values of the active parameters, so a gradient step that it copies may have other
        raw values of the others.

        Args:
            given: a given trial of a search, or a starting set of gradient training.
        """
        alike = self.store.equal_checkpoints(given, data_id=self.run.data_id)
        alike += [row for row in self._gradient_steps if _has_values_of(row, given, self._active)]
        if self.run.driver == "sgd":  # two trainings may start from the parameters of the study
            alike = [row for row in alike if row.driver != "sgd" or row.step > 0]
        earlier = (row for row in alike if row.run_id != self.run.run_id and row.created_at < given.created_at)
        return min(earlier, key=lambda row: row.created_at, default=None)

    @functools.cached_property
    def _gradient_steps(self) -> list[Checkpoint]:
        """The checkpoints of comparable gradient runs, for a search."""
        if self.run.driver != "search" or not self._active:
            return []
        runs = comparable_runs(self.store.find_runs(driver="sgd", data_id=self.run.data_id), self.run)
        return [row for run in runs for row in self.store.checkpoints(run_id=run.run_id, metrics=())]

    @functools.cached_property
    def _active(self) -> tuple[str, ...]:
        """Human-readable names of the parameters that affect the pool; none if a user's file defines them."""
        study = study_of_run(self.run)
        return () if study.is_only_read else tuple(parameter.human_name for parameter in study.active_parameters)


def _given_rows(store: CheckpointStore, run: Run) -> Iterable[Checkpoint]:
    given = given_trials(store, run)
    if run.driver != "sgd" and not given:
        return ()
    rows = store.checkpoints(run_id=run.run_id, metrics=())
    return (row for row in rows if (row.step == 0 if run.driver == "sgd" else row.step in given))


def _has_values_of(row: Checkpoint, other: Checkpoint, names: Sequence[str]) -> bool:
    return all(
        name in row.human
        and name in other.human
        and np.allclose(row.human[name], other.human[name], ROUNDING, ROUNDING)
        for name in names
    )
