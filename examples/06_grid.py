"""Maps what memory and aggressiveness are worth, and prints the best pair in on-chain form."""

from __future__ import annotations

import json

from quantsim import Axis, Experiment, evaluate_grid
from quantsim.report.deployment import deployment

experiment = Experiment.load("momentum_zero_fee")

axes = [Axis("memory_days", 5.0, 80.0, 5, log=True), Axis("k_per_day", 1.0, 100.0, 5, log=True)]
grid = evaluate_grid(experiment, axes, metrics=["daily_log_sharpe", "returns_over_hodl"])
print("train daily_log_sharpe; down: memory_days, across: k_per_day")
for memory_days, row in zip(axes[0].values, grid.metrics["train"]["daily_log_sharpe"], strict=True):
    print(f"{memory_days:6.1f}", *(f"{value:7.2f}" for value in row))

best = grid.best()  # of train; test data choose only when asked for by name
print(f"best on {best.chosen_by}: {best.values}, test {best.metric} {best.metrics['test'][best.metric]:.2f}")

(pool,) = deployment(experiment, best.raw)["pools"]
for parameter in pool["parameters"]:
    print(json.dumps({key: parameter[key] for key in ("name", "fixed")}))
