"""Simulates a rule from a file of one's own, beside the rule it was made from."""

from __future__ import annotations

from pathlib import Path

from quantsim import Experiment, simulate

OWN = Path(__file__).with_name("own_rule.py")

study = Experiment.load("momentum_zero_fee").override(["data.bar_minutes=60"])
prices = study.load_prices()
for rule in ("momentum", f"{OWN}:calm_momentum"):
    experiment = study.override([f"pool.rule={rule}"])
    metrics = simulate(experiment, {"memory_days": 20.0, "k_per_day": 20.0}, prices, split="test").metrics
    print(f"{experiment.rule.name}: {100 * metrics['returns_over_hodl']:+.1f} % over HODL in test")
