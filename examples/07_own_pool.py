"""Simulates a pool from a file of one's own with bands of several widths, beside the same reserves held."""

from __future__ import annotations

from pathlib import Path

from quantsim import Axis, Experiment, evaluate_grid

OWN = Path(__file__).with_name("own_pool.py")

study = Experiment.from_dict(
    {
        "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 60},
        "periods": {"train_start": "2018-04-01", "train_end": "2018-10-01", "test_end": "2019-04-01"},
        "pool": {"type": f"{OWN}:band_pool"},
        "fees": {"swap_fee": 0.003},
    }
)
axis = Axis("band", 0.05, 0.8, 5, log=True)
grid = evaluate_grid(study, [axis], metrics=["returns_over_hodl"])
for band, train, test in zip(
    axis.values, *(grid.metrics[split]["returns_over_hodl"] for split in grid.metrics), strict=True
):
    print(f"band {band:.3f}: {100 * train:+.1f} % over HODL in training, {100 * test:+.1f} % in test")
