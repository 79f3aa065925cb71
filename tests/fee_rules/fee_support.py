"""A small pool with a trained fee, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from quantsim import Evaluator, Experiment, Prices


def experiment_of(**tables: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["BTC", "ETH"]},
            "periods": {"train_start": "2021-03-06", "train_end": "2021-03-10T04:00"},
            "pool": {"rule": "momentum"},
            "update": {"chunk_minutes": 240, "max_memory_days": 5.0},
            "parameters": {"memory_days": 2.0, "k_per_day": 3.0, **tables.pop("parameters", {})},
            **tables,
        }
    )


def outcome(experiment: Experiment, prices: Prices, **given: Any) -> dict[str, float]:
    """What the pool makes of the training period."""
    evaluator = Evaluator(experiment, prices, given.get("series"))
    raw = experiment.initial_parameters(given.get("params"))
    return evaluator.evaluate(raw, ("returns", "daily_log_sharpe", "fee_revenue_over_value"))["train"]
