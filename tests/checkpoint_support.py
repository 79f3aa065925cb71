"""What several tests of the store use."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from quantsim.checkpoints import Checkpoint, CheckpointStore

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
