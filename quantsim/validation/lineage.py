"""The runs whose trials count: those that are named, and those that their starts came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from quantsim.checkpoints.checkpoint import GIVEN, Checkpoint, Run
from quantsim.checkpoints.comparable import comparable_runs, same_prices
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["check_comparable", "given_trials", "source_of", "with_sources"]


def check_comparable(runs: Sequence[Run]) -> None:
    """Raises SelectionError unless all runs are of one study on the same prices."""
    alike = same_prices(comparable_runs(runs, runs[0]))
    for run in runs:
        if run not in alike:
            raise SelectionError(
                f"run {run.run_id[:8]} is of another study or other prices than run {runs[0].run_id[:8]}, so their trials are "
                "not comparable: validate each alone"
            )


def with_sources(store: CheckpointStore, runs: Sequence[Run]) -> list[Run]:
    """Returns the runs, followed by the comparable ones that their given trials and starting sets came from.

    A search that tried out the best of an earlier one, or gradients that started from it, chose among its trials, too.
    """
    found = {run.run_id: run for run in runs}
    todo = list(runs)
    while todo:
        run = todo.pop()
        for row in _given_rows(store, run):
            earlier = source_of(store, row, run)
            if earlier is None or earlier.run_id in found:
                continue
            source = store.run(earlier.run_id)
            if same_prices([runs[0], *comparable_runs([source], runs[0])])[1:]:
                found[source.run_id] = source
                todo.append(source)
    return list(found.values())


def given_trials(store: CheckpointStore, run: Run) -> frozenset[int]:
    """Returns the numbers of the trials that were given to a search; empty for a search of an older version."""
    reports = store.reports(run.run_id) if run.driver == "search" else ()
    return frozenset(number for report in reports for number in report.content.get(GIVEN, ()))


def source_of(store: CheckpointStore, checkpoint: Checkpoint, run: Run) -> Checkpoint | None:
    """Returns the first checkpoint of an earlier run with the same parameters on the same prices; None if there is none."""
    alike = store.equal_checkpoints(checkpoint, data_id=run.data_id)
    return next((row for row in alike if row.run_id != run.run_id and row.created_at < checkpoint.created_at), None)


def _given_rows(store: CheckpointStore, run: Run) -> Iterator[Checkpoint]:
    given = given_trials(store, run)
    if run.driver == "sgd" or given:
        rows = store.checkpoints(run_id=run.run_id, metrics=())
        yield from (row for row in rows if (row.step == 0 if run.driver == "sgd" else row.step in given))
