"""Everything about one run that can be read without opening its study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quantsim.baseline import BASELINES, Baseline
from quantsim.checkpoints.as_json import metrics_json, set_json
from quantsim.checkpoints.checkpoint import Checkpoint
from quantsim.checkpoints.runs.chosen import chosen_of_run
from quantsim.checkpoints.runs.entries import RunEntry, RunSummary
from quantsim.errors import SelectionError

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["Result", "RunDetails", "details_of"]


@dataclass(frozen=True)
class Result:
    """The selected set of a run.

    Attributes:
        summary: the run.
        checkpoint: the set; None if nothing can be selected.
        method: how it was selected, such as "best_validation"; or why nothing can be selected.
    """

    summary: RunSummary
    checkpoint: Checkpoint | None
    method: str

    def to_json(self) -> dict[str, Any]:
        """Returns the result as JSON values."""
        found = None if self.checkpoint is None else set_json(self.checkpoint)
        return {"run": self.summary.run.run_id, "method": self.method, "selected": found}


@dataclass(frozen=True)
class RunDetails:
    """A run with its study, its results and its baselines.

    Attributes:
        entry: the run.
        results: its selected set; one for each fold of a walk-forward.
        baselines: name → baseline; empty for folds, and for runs that have none.
    """

    entry: RunEntry
    results: tuple[Result, ...]
    baselines: Mapping[str, Baseline]

    @property
    def config(self) -> Mapping[str, Any]:
        """The study as JSON values; of folds, that of the first one."""
        return self.entry.head.run.config

    def to_json(self) -> dict[str, Any]:
        """Returns the details as JSON values."""
        return {
            **self.entry.to_json(),
            "study_config": dict(self.config),
            "run_notes": dict(self.entry.head.run.notes),
            "results": [result.to_json() for result in self.results],
            "baselines": {name: metrics_json(one.metrics) for name, one in self.baselines.items()},
        }


def details_of(store: CheckpointStore, entry: RunEntry) -> RunDetails:
    """Returns the details of an entry of a store."""
    summaries = entry.folds or (entry.head,)
    results = tuple(_result(store, summary) for summary in summaries)
    stored = {} if entry.folds else store.baselines(entry.run_id)
    return RunDetails(entry, results, {name: stored[name] for name in (*BASELINES, *stored) if name in stored})


def _result(store: CheckpointStore, summary: RunSummary) -> Result:
    try:
        return Result(summary, *chosen_of_run(store, summary))
    except SelectionError as error:
        return Result(summary, None, str(error))
