"""Checkpoints as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Checkpoint, chronological

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["checkpoints_frame"]


def checkpoints_frame(rows: Iterable[Checkpoint], labels: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """Returns a row per checkpoint, indexed by its key.

    Columns: ``run_id``, ``step``, ``parameter_set``, ``driver``, ``created_at``, ``objective``; the parameters in human units,
    such as ``memory_days[ETH]``; and the metrics, such as ``test.returns``.

    Args:
        rows: the checkpoints.
        labels: human-readable parameter name → its labels; numbers from 0 where they are unknown.
    """
    import pandas as pd

    known, table = labels or {}, {}
    for row in rows:
        values: dict[str, Any] = {
            "run_id": row.run_id,
            "step": row.step,
            "parameter_set": row.parameter_set,
            "driver": row.driver,
            "created_at": row.created_at,
            "objective": row.objective,
        }
        for name, numbers in row.human.items():
            own = known.get(name, range(len(numbers)))
            if len(numbers) == 1:
                values[name] = numbers[0]
            else:
                values |= {f"{name}[{label}]": number for label, number in zip(own, numbers, strict=True)}
        for split in chronological(row.metrics):
            values |= {f"{split}.{name}": number for name, number in row.metrics[split].items()}
        table[row.key] = values
    return pd.DataFrame.from_dict(table, "index").rename_axis("key")
