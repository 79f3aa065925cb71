"""Runs as users count them: the folds of a walk-forward, or the phases of a hybrid run, are one entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, overload

from quantsim.checkpoints.checkpoint import Run
from quantsim.checkpoints.database.summaries import Facts, objective_metric
from quantsim.checkpoints.liveness import is_live
from quantsim.checkpoints.methods import BARE_OBJECTIVE
from quantsim.json_values import json_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunEntry", "RunList", "RunSummary", "entries_of"]

Kind = Literal["run", "folds", "hybrid"]

_OF_A_FOLD = re.compile(r"-(fold|split)-\d+$")


@dataclass(frozen=True)
class RunSummary:
    """A run and the number of its results.

    Attributes:
        run: the run.
        position: its position in a group, such as the number of a fold; None for no group.
        parent: id of the run that it is a part of; None for none.
        checkpoints: number of stored parameter sets.
        last_step: the last step or trial with one; None if there is none.
        objective: name of the objective among the metrics; None if it is not known.
        best: split → the best stored value of the objective, on train and validation data. It is the best of many, and
            therefore too good.
    """

    run: Run
    position: int | None = None
    parent: str | None = None
    checkpoints: int = 0
    last_step: int | None = None
    objective: str | None = None
    best: Mapping[str, float] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The status of the run; "interrupted" instead of "running" if its process has ended."""
        return "interrupted" if self.run.status == "running" and not is_live(self.run) else self.run.status

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as JSON values, without the study."""
        run = self.run
        return {
            "key": run.key,
            "id": run.run_id,
            "name": run.name,
            "driver": run.driver,
            "status": self.status,
            "reason": run.reason,
            "position": self.position,
            "part_of": self.parent,
            "started_at": run.started_at.isoformat(),
            "updated_at": run.updated_at.isoformat(),
            "finished_at": None if run.finished_at is None else run.finished_at.isoformat(),
            "version": run.version,
            "seed": run.seed,
            "data_id": run.data_id,
            "checkpoints": self.checkpoints,
            "last_step": self.last_step,
            "objective": self.objective,
            "best": {split: json_number(value) for split, value in self.best.items()},
        }


@dataclass(frozen=True)
class RunEntry:
    """A run, or several runs that belong together: the folds of a walk-forward, or a hybrid run with its phases.

    Attributes:
        members: its runs: folds by position, a hybrid run's search before its gradient runs.
        title: the name that a user gave it; empty for none.
        note: a user's note; empty for none.
        tags: sorted.
    """

    members: tuple[RunSummary, ...]
    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    @property
    def head(self) -> RunSummary:
        """The first run: the only one, the first fold, or the search of a hybrid run."""
        return self.members[0]

    @property
    def run_id(self) -> str:
        """The id of the first run."""
        return self.head.run.run_id

    @property
    def key(self) -> str:
        """The first characters of this id."""
        return self.head.run.key

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of all its runs."""
        return tuple(one.run.run_id for one in self.members)

    @property
    def folds(self) -> tuple[RunSummary, ...]:
        """The runs of a group, without their parts; empty for no group."""
        return tuple(one for one in self.members if one.position is not None)

    @property
    def kind(self) -> Kind:
        """What it is: "folds" for a group, "hybrid" for a search with gradient runs, or "run"."""
        return "folds" if self.folds else "hybrid" if len(self.members) > 1 else "run"

    @property
    def study(self) -> str:
        """The name of the study."""
        name = self.head.run.config.get("name") or self.head.run.name
        return _OF_A_FOLD.sub("", str(name)) if self.folds else str(name)

    @property
    def name(self) -> str:
        """The title, or the name of the study."""
        return self.title or self.study

    @property
    def driver(self) -> str:
        """The driver; "hybrid" for the phases of a hybrid run, also in folds."""
        return "hybrid" if any(one.parent is not None for one in self.members) else self.head.run.driver

    @property
    def status(self) -> str:
        """The status: "running" if one of its runs is; else "failed" or "interrupted" if one is; else "finished"."""
        found = {one.status for one in self.members}
        return next((status for status in ("running", "failed", "interrupted") if status in found), "finished")

    @property
    def started_at(self) -> datetime:
        """When the first of its runs started."""
        return min(one.run.started_at for one in self.members)

    @property
    def updated_at(self) -> datetime:
        """When one of its runs was last written."""
        return max(one.run.updated_at for one in self.members)

    @property
    def checkpoints(self) -> int:
        """The number of stored parameter sets of all its runs."""
        return sum(one.checkpoints for one in self.members)

    def to_json(self) -> dict[str, Any]:
        """Returns the entry as JSON values."""
        return {
            "key": self.key,
            "name": self.name,
            "study": self.study,
            "kind": self.kind,
            "driver": self.driver,
            "status": self.status,
            "tags": list(self.tags),
            "note": self.note,
            "started_at": self.started_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "checkpoints": self.checkpoints,
            "runs": [one.to_json() for one in self.members],
        }


class RunList(Sequence[RunEntry]):
    """The entries of a store, the newest first."""

    def __init__(self, entries: Iterable[RunEntry]) -> None:
        self._entries = tuple(entries)

    @overload
    def __getitem__(self, index: int) -> RunEntry: ...

    @overload
    def __getitem__(self, index: slice) -> RunList: ...

    def __getitem__(self, index: int | slice) -> RunEntry | RunList:
        return RunList(self._entries[index]) if isinstance(index, slice) else self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        lines = (f"  {one.key} {one.name} ({one.driver}, {one.status})" for one in self)
        return "\n".join([f"RunList of {len(self)}", *lines])

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html())

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per entry, indexed by its key; ``best_train`` and ``best_validation`` are of its first run.

        The best value of folds is not given, because the folds have different data.
        """
        import pandas as pd

        table = {}
        for one in self:
            best = {} if one.folds else one.head.best
            table[one.key] = {
                "name": one.name,
                "study": one.study,
                "driver": one.driver,
                "status": one.status,
                "started_at": one.started_at,
                "updated_at": one.updated_at,
                "runs": len(one.members),
                "checkpoints": one.checkpoints,
                "objective": one.head.objective,
                "best_train": best.get("train"),
                "best_validation": best.get("validation"),
                "tags": ", ".join(one.tags),
                "note": one.note,
            }
        return pd.DataFrame.from_dict(table, "index").rename_axis("key")

    def to_json(self) -> list[dict[str, Any]]:
        """Returns the entries as JSON values."""
        return [one.to_json() for one in self]


def entries_of(facts: Facts) -> list[RunEntry]:
    """Returns the entries that runs make, the newest first."""
    summaries = {run.run_id: _summary(run, facts) for run in facts.runs}
    wholes: dict[str, list[RunSummary]] = {}
    for run_id, one in summaries.items():
        wholes.setdefault(_root(run_id, facts), []).append(one)
    entries = [_entry(members, facts) for members in wholes.values()]
    return sorted(entries, key=lambda entry: (entry.started_at, entry.run_id), reverse=True)


def _root(run_id: str, facts: Facts) -> str:
    """Returns what identifies the entry of a run: its group, or the first run of its line of parents."""
    seen = {run_id}
    while (parent := facts.parents.get(run_id)) is not None and parent not in seen:
        seen.add(parent)
        run_id = parent
    group = facts.groups.get(run_id)
    return run_id if group is None else f"group {group[0]}"


def _summary(run: Run, facts: Facts) -> RunSummary:
    found = facts.best.get(run.run_id, {})
    name = BARE_OBJECTIVE if BARE_OBJECTIVE in found else objective_metric(run)
    count, last = facts.counts.get(run.run_id, (0, None))
    group = facts.groups.get(run.run_id)
    position = None if group is None else group[1]
    best = found.get(name, {}) if name is not None else {}
    return RunSummary(run, position, facts.parents.get(run.run_id), count, last, name, best)


def _entry(members: Iterable[RunSummary], facts: Facts) -> RunEntry:
    ordered = tuple(sorted(members, key=_place))
    ids = [one.run.run_id for one in ordered]
    return RunEntry(
        ordered,
        next(_given(facts.titles, ids), ""),
        next(_given(facts.notes, ids), ""),
        tuple(sorted({tag for run_id in ids for tag in facts.tags.get(run_id, ())})),
    )


def _place(one: RunSummary) -> tuple[bool, int, datetime, str]:
    return one.parent is not None, one.position or 0, one.run.started_at, one.run.run_id


def _given(texts: Mapping[str, str], ids: Iterable[str]) -> Iterator[str]:
    return (texts[run_id] for run_id in ids if run_id in texts)
