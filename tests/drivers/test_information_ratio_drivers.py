"""Every driver maximises the information ratio, against the baseline that its run stores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sgd_support import PERIODS, make_prices
from test_hybrid import make_experiment

from quantsim import CheckpointStore
from quantsim.drivers.hybrid import run_hybrid

RATIO = "information_ratio"
TABLES: dict[str, Any] = {
    "periods": {name: PERIODS[name] for name in ("train_start", "train_end", "validation_end")},
    "objective": {"metric": RATIO},
}


def check_rows(store: CheckpointStore, run_id: str) -> list[float]:
    """That the ratios of a run are those of its stored returns; returns those on train, step by step."""
    rows, constant = store.checkpoints(run_id=run_id), store.baselines(run_id)["constant_weights"]
    for split in ("train", "validation"):
        table = store.daily_log_returns([run_id], split)
        above = table.values - constant.daily_log_returns[split]
        wanted = np.sqrt(365.0) * above.mean(axis=1) / (above.std(axis=1) + 1e-8)
        assert [row.value(split, RATIO) for row in rows] == pytest.approx(wanted.tolist(), rel=1e-6)
    assert len(rows) > 1
    return [row.objective for row in rows]


def test_search_gradients_and_both_in_turns(store: CheckpointStore) -> None:
    hybrid = {"rounds": 1, "trials": 3, "top": 1, "steps": 4, "gradients": "with_fees"}
    run = run_hybrid(make_experiment(**TABLES, hybrid=hybrid), make_prices(), store)
    searched, tuned = (phase.run_id for phase in run.phases)
    check_rows(store, searched)
    ratios = check_rows(store, tuned)
    assert max(ratios[1:]) > ratios[0]
