"""Statements on the baselines of runs. Each runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from quantsim.baseline import Baseline
from quantsim.checkpoints.database.returns import bytes_of, values_of
from quantsim.checkpoints.database.rows import numbers_from_json, plain_json
from quantsim.checkpoints.database.runs import load
from quantsim.checkpoints.database.schema import baselines, is_stored

__all__ = ["baseline_rows", "load_baselines", "replace_baselines"]


def baseline_rows(run_id: str, found: Mapping[str, Baseline]) -> list[dict[str, Any]]:
    """Returns the rows of baselines, one for each split."""
    return [
        {
            "run_id": run_id,
            "name": name,
            "split": split,
            "metrics": plain_json(dict(metrics), f"metrics of baseline {name!r}"),
            "log_returns": bytes_of(baseline.daily_log_returns[split]),
        }
        for name, baseline in found.items()
        for split, metrics in baseline.metrics.items()
    ]


def replace_baselines(connection: Connection, run_id: str, rows: list[dict[str, Any]]) -> None:
    """Replaces all baselines of a run; raises CheckpointError if there is no such run."""
    load(connection, run_id)
    connection.execute(delete(baselines).where(baselines.c.run_id == run_id))
    if rows:
        connection.execute(insert(baselines), rows)


def load_baselines(connection: Connection, run_id: str) -> dict[str, Baseline]:
    """Returns the baselines of a run by name; empty if none are stored. Raises CheckpointError if there is no such run."""
    load(connection, run_id)
    if not is_stored(connection, baselines):
        return {}
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for row in connection.execute(select(baselines).where(baselines.c.run_id == run_id)):
        metrics, returns = found.setdefault(row.name, ({}, {}))
        metrics[row.split] = numbers_from_json(row.metrics)
        returns[row.split] = values_of(row.log_returns)
    return {name: Baseline(name, *parts) for name, parts in found.items()}
