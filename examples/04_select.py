"""Picks from a store in several ways, and shows how much looking at test data flatters."""

from __future__ import annotations

import tempfile

from quantsim import CheckpointStore, Experiment, search, select

experiment = Experiment.load("momentum_zero_fee").override(["data.bar_minutes=60", "search.n_startup_trials=10"])

with tempfile.TemporaryDirectory() as folder, CheckpointStore(f"{folder}/checkpoints.db") as store:
    found = search(experiment, store=store, trials=20)
    rows = store.checkpoints(run_id=found.run_id)

for method in ("best_train", "best_validation", "best_test"):
    picked = select(rows, method, "daily_log_sharpe")
    values = [picked.checkpoint.value(split, "daily_log_sharpe") for split in ("train", "validation", "test")]
    print("train {:.2f}, validation {:.2f}, test {:.2f}".format(*values), f"- {picked.describe()}")

guarded = select(rows, "best_test_min_train", "returns_over_hodl", minimum=0.0)
print(f"{guarded.describe()}: trial {guarded.checkpoint.step}")
