"""Daily log returns of many checkpoints: as one table, and as parts of checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK

if TYPE_CHECKING:
    from quantsim.checkpoints.checkpoint import Checkpoint, Run
    from quantsim.checkpoints.store import CheckpointStore

__all__ = ["ReturnsTable", "constant_weights_of", "with_returns"]


@dataclass(frozen=True, eq=False)
class ReturnsTable:
    """The daily log returns of ``N`` checkpoints on one split of ``D`` days.

    Attributes:
        split: name of the split.
        checkpoint_ids: ids of the checkpoints, by run in the order asked for, then by step and parameter set.
        values: (N, D-1) daily log returns, ``log V[t+1] - log V[t]``.
        missing: number of checkpoints of these runs without stored returns on the split, such as those of older versions.
    """

    split: str
    checkpoint_ids: tuple[str, ...]
    values: FloatArray
    missing: int = 0


def with_returns(
    store: CheckpointStore, runs: Sequence[Run], rows: Iterable[Checkpoint], splits: Iterable[str]
) -> list[Checkpoint]:
    """Returns the rows of the runs with their stored daily log returns on these splits."""
    run_ids = [run.run_id for run in runs]
    found: dict[str, dict[str, FloatArray]] = {}
    for split in splits:
        table = store.daily_log_returns(run_ids, split)
        for checkpoint_id, values in zip(table.checkpoint_ids, table.values, strict=True):
            found.setdefault(checkpoint_id, {})[split] = values
    return [replace(row, daily_log_returns=found.get(row.checkpoint_id, {})) for row in rows]


def constant_weights_of(store: CheckpointStore, runs: Iterable[Run]) -> Mapping[str, FloatArray] | None:
    """Returns the stored daily log returns of constant weights, split → (D-1,), of the first run that has them; or None."""
    stored = (store.baselines(run.run_id).get(BENCHMARK) for run in runs)
    return next((baseline.daily_log_returns for baseline in stored if baseline is not None), None)
