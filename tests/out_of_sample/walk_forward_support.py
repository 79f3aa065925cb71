"""A small study whose gradient and hybrid runs share one compiled program, and prices for it."""

from __future__ import annotations

import numpy as np

from quantsim import Experiment, Prices
from quantsim.out_of_sample import Schedule

SCHEDULE = Schedule(train_days=40, validation_days=12, test_days=15)


def make_prices(after: str | None = None) -> Prices:
    """Two random walks of 12-hour bars; other ones after a date."""
    generator = np.random.default_rng(3)
    times = np.datetime64("2023-01-01", "s") + np.arange(2 * 150) * np.timedelta64(12 * 3600, "s")
    moves = 0.02 * generator.standard_normal((times.size, 2))
    if after is not None:
        moves[times >= np.datetime64(after)] *= -3.0
    return Prices(times, np.exp(np.cumsum(moves, axis=0)), ("A", "B"), 720)


def make_study(*changes: str) -> Experiment:
    study = {
        "name": "small",
        "data": {"tokens": ["A", "B"]},
        "periods": {"train_start": "2023-01-21", "train_end": "2023-03-21", "test_end": "2023-05-25"},
        "pool": {"rule": "momentum"},
        "update": {"chunk_minutes": 1440, "max_memory_days": 20.0},
        "objective": {"report": []},
        "parameters": {"memory_days": 5.0, "k_per_day": 1.0},
        "search": {"trials": 8, "n_startup_trials": 4, "batch": 4},
        "sgd": {
            "steps": 4,
            "report_every": 2,
            "batch_size": 1,
            "n_parameter_sets": 1,
            "train": ["memory_days", "k_per_day"],
        },
        "hybrid": {"trials": 4, "top": 1, "steps": 4, "rounds": 1},
    }
    return Experiment.from_dict(study).override(changes)
