"""Statements that summarise many runs at once: their number does not depend on the number of runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from quantsim.checkpoints.checkpoint import Run
from quantsim.checkpoints.database.runs import BATCH, of_rows
from quantsim.checkpoints.database.schema import (
    checkpoints,
    is_stored,
    metrics,
    run_groups,
    run_labels,
    run_parents,
    run_tags,
    runs,
)
from quantsim.checkpoints.methods import BARE_OBJECTIVE

__all__ = ["Facts", "find_facts", "objective_metric", "of_whole"]


@dataclass
class Facts:
    """What is stored of some runs beside their checkpoints. All but ``runs`` are by run id; what is unknown is left out.

    Attributes:
        runs: the runs, the newest first.
        groups: group and position.
        parents: id of the run that a run is a part of.
        titles: names that users gave.
        notes: notes of users.
        tags: tags, sorted.
        counts: number of checkpoints, and the last step.
        best: metric → split → the best value; of train and validation.
    """

    runs: list[Run]
    groups: dict[str, tuple[str, int]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    best: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)


def objective_metric(run: Run) -> str | None:
    """Returns the metric of a run's objective, as its study names it; None if it does not."""
    table = run.config.get("objective")
    metric = table.get("metric") if isinstance(table, Mapping) else None
    return metric if isinstance(metric, str) else None


def find_facts(connection: Connection, run_ids: Collection[str] | None = None) -> Facts:
    """Returns what is stored of all runs, or of those with these full ids."""
    facts = Facts(of_rows(connection, _of(runs.c.run_id, run_ids)))
    for row in _rows(connection, run_groups, run_ids):
        facts.groups[row.run_id] = (row.group_id, row.position)
    facts.parents = {row.run_id: row.parent_id for row in _rows(connection, run_parents, run_ids)}
    for row in _rows(connection, run_labels, run_ids):
        facts.titles |= {row.run_id: row.title} if row.title else {}
        facts.notes |= {row.run_id: row.note} if row.note else {}
    for row in sorted(_rows(connection, run_tags, run_ids), key=lambda row: str(row.tag)):
        facts.tags[row.run_id] = (*facts.tags.get(row.run_id, ()), row.tag)
    counted = select(checkpoints.c.run_id, func.count(), func.max(checkpoints.c.step)).group_by(checkpoints.c.run_id)
    for run_id, count, last in connection.execute(counted.where(*_of(checkpoints.c.run_id, run_ids))):
        facts.counts[run_id] = (count, last)
    names = sorted({BARE_OBJECTIVE, *filter(None, (objective_metric(run) for run in facts.runs))})
    for run_id, name, split, value in _best(connection, names, run_ids):
        facts.best.setdefault(run_id, {}).setdefault(name, {})[split] = value
    return facts


def of_whole(connection: Connection, run_id: str) -> list[str]:
    """Returns the ids of the runs that belong together with a run: its group, and the parts of these."""
    found, wave = {run_id}, {run_id}
    has_groups, has_parents = (is_stored(connection, table) for table in (run_groups, run_parents))
    while wave:
        near: set[str] = set()
        for batch in _batches(wave):
            if has_groups:
                own = select(run_groups.c.group_id).where(run_groups.c.run_id.in_(batch))
                near |= set(connection.scalars(select(run_groups.c.run_id).where(run_groups.c.group_id.in_(own))))
            if has_parents:
                child, parent = run_parents.c.run_id, run_parents.c.parent_id
                near |= set(connection.scalars(select(parent).where(child.in_(batch))))
                near |= set(connection.scalars(select(child).where(parent.in_(batch))))
        wave = near - found
        found |= wave
    return sorted(found)


def _rows(connection: Connection, table: Table, run_ids: Collection[str] | None) -> Sequence[Any]:
    if not is_stored(connection, table):
        return ()
    return connection.execute(select(table).where(*_of(table.c.run_id, run_ids))).all()


def _of(column: ColumnElement[str], run_ids: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if run_ids is None else [column.in_(sorted(run_ids))]


def _batches(run_ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(run_ids)
    yield from (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def _best(
    connection: Connection, names: Sequence[str], run_ids: Collection[str] | None
) -> Iterator[tuple[str, str, str, float]]:
    """Yields run, metric, split, and the largest value that is not nan."""
    is_infinite = func.max(case((metrics.c.non_finite == "inf", 1), else_=0))
    query = (
        select(checkpoints.c.run_id, metrics.c.name, metrics.c.split, func.max(metrics.c.value), is_infinite)
        .join_from(checkpoints, metrics, metrics.c.checkpoint_id == checkpoints.c.id)
        .where(metrics.c.split.in_(("train", "validation")), metrics.c.name.in_(names))
        .where(*_of(checkpoints.c.run_id, run_ids))
        .group_by(checkpoints.c.run_id, metrics.c.name, metrics.c.split)
    )
    for run_id, name, split, value, infinite in connection.execute(query):
        if infinite or value is not None:
            yield run_id, name, split, float("inf") if infinite else value
