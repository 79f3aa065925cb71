"""Trains a momentum pool by gradients, and shows what validation data choose."""

from __future__ import annotations

import tempfile

from quantsim import CheckpointStore, Experiment, select, train

# The study of `quantsim sgd`, made small.
settings = [
    "data.bar_minutes=60",
    "sgd.steps=20",
    "sgd.report_every=10",
    "sgd.n_parameter_sets=2",
    "sgd.batch_size=4",
    "sgd.learning_rate=0.1",
]
experiment = Experiment.load("momentum_zero_fee").override(settings)

with tempfile.TemporaryDirectory() as folder, CheckpointStore(f"{folder}/checkpoints.db") as store:
    found = train(
        experiment,
        store=store,
        progress=lambda now: print(f"step {now.step}: {now.objective:.3f}, best in validation {now.best:.3f}"),
    )
    rows = store.checkpoints(run_id=found.run_id)

picked = select(rows, "best_validation", experiment.objective.metric)
print(picked.describe())
print({name: [round(value, 2) for value in values] for name, values in picked.checkpoint.human.items()})
print(f"over HODL in test: {100 * picked.checkpoint.metrics['test']['returns_over_hodl']:+.1f} %")
