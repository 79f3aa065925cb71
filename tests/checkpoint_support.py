"""What several tests of the store use."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.checkpoints import Baseline, Checkpoint, CheckpointStore

BEGIN = {"experiment_id": "e1", "data_id": "d1", "driver": "sgd", "config": {}}


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement on an SQLite file, past the store."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def check_equal_checkpoints(store: CheckpointStore, **begin: Any) -> None:
    """That a store, in whatever database, finds the rows with the parameters of another one, and these alone."""
    numbers = (1.5, -3e-300, 7e299, 0.1 + 0.2)
    given = {
        "same": {"log_k": numbers, "pair.fast.logit_lamb": (1.0,)},
        "rounded": {"log_k": (1.5, 0.0, 7e299, 0.3), "pair.fast.logit_lamb": (1.0 + 1e-12,)},
        "other": {"log_k": (1.5, -3e-300, 7e299, 0.3001), "pair.fast.logit_lamb": (1.0,)},
        "longer": {"log_k": (*numbers, 1.0), "pair.fast.logit_lamb": (1.0,)},
        "more": {"log_k": numbers, "pair.fast.logit_lamb": (1.0,), "w": (1.0,)},
        "lost": {"log_k": (math.nan, *numbers[1:]), "pair.fast.logit_lamb": (1.0,)},
        "endless": {"log_k": (-math.inf, *numbers[1:]), "pair.fast.logit_lamb": (1.0,)},
        "nothing": {},
    }
    run_id, elsewhere = (store.begin_run(**{**begin, "data_id": data_id}) for data_id in ("equal", "elsewhere"))
    rows = {name: Checkpoint(run_id, step, 0, "sgd", raw) for step, (name, raw) in enumerate(given.items())}
    store.append(run_id, list(rows.values()))
    store.append(elsewhere, [replace(rows["same"], run_id=elsewhere)])
    found = {name: [each.step for each in store.equal_checkpoints(row, data_id="equal")] for name, row in rows.items()}
    alone = {name: [row.step] for name, row in rows.items()}
    assert found == {**alone, "same": [0, 1], "rounded": [0, 1], "lost": []}


def check_returns_baselines_and_groups(store: CheckpointStore, **begin: Any) -> None:
    """That a store, in whatever database, keeps daily returns and baselines bit for bit, and knows groups of runs."""
    odd = np.array([np.nan, -np.inf, -0.0, 5e-324, 0.1])
    second, first = (store.begin_run(**begin, group=("folds", position)) for position in (1, 0))
    for index in range(2):  # the second time they replace the first
        rows = [
            Checkpoint(first, step, 0, "sgd", {}, daily_log_returns={"train": odd * (1.0 + step + index)})
            for step in (1, 0)
        ]
        store.append(first, rows)
        store.set_baselines(first, {"hodl": Baseline("hodl", {"train": {"m": (0.5, -np.inf)[index]}}, {"train": odd})})
    table = store.daily_log_returns([second, first], "train")
    assert table.checkpoint_ids == (f"{first}:0:0", f"{first}:1:0")
    assert table.values.tobytes() == np.stack([2.0 * odd, 3.0 * odd]).tobytes()
    assert store.daily_log_returns([first], "test").missing == 2
    (baseline,) = store.baselines(first).values()
    assert (baseline.metrics, baseline.daily_log_returns["train"].tobytes()) == (
        {"train": {"m": -np.inf}},
        odd.tobytes(),
    )
    assert [run.run_id for run in store.runs_of_group("folds")] == [first, second]
