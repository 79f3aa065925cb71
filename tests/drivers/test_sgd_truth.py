"""Training finds what is known to be best: a memory that made prices reward, and better parameters on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantsim import Axis, CheckpointStore, Experiment, Prices, evaluate_grid, load_prices, select
from quantsim.drivers.sgd import run_sgd

STUDIES = Path(__file__).parents[2] / "studies"
N_DAYS, BARS_PER_DAY, K_PER_DAY = 2500, 24, 1.0


def switching_prices() -> Prices:
    """Two tokens with opposite drifts of 0.5 % a day, which change sign every 30 days on average, and 1 % daily noise.

    A short memory follows the noise, a long one misses the turns: between them lies one best memory.
    """
    generator = np.random.default_rng(1)
    drift = np.where(np.cumsum(generator.random(N_DAYS) < 1 / 30) % 2 == 0, 0.01, -0.01)
    drift = np.repeat(drift - drift.mean(), BARS_PER_DAY) / BARS_PER_DAY / 2
    noise = 0.01 / np.sqrt(BARS_PER_DAY) * generator.standard_normal((drift.size, 2))
    times = np.datetime64("2015-01-01", "s") + np.arange(drift.size) * np.timedelta64(3600, "s")
    return Prices(times, np.exp(np.cumsum(np.stack([drift, -drift], axis=1) + noise, axis=0)), ("UP", "DOWN"), 60)


def test_training_finds_the_memory_that_prices_reward(tmp_path: Path) -> None:
    study = Experiment.from_dict(
        {
            "data": {"tokens": ["UP", "DOWN"]},
            "periods": {"train_start": "2015-04-11", "train_end": "2020-06-23"},
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": 100.0},
            "objective": {"report": []},
            "parameters": {"memory_days": 10.0, "k_per_day": K_PER_DAY},
            "sgd": {"steps": 200, "report_every": 200, "train": ["memory_days"], "schedule": "cosine"},
        }
    )
    prices = switching_prices()
    scan = evaluate_grid(study, [Axis("memory_days", 1.0, 80.0, 61, log=True)], prices).best()
    truth, best = scan.values["memory_days"], scan.metrics["train"]["daily_log_sharpe"]
    assert 4.0 < truth < 20.0, "well inside, so that there is something to find from both sides"
    starts = [{"memory_days": days, "k_per_day": K_PER_DAY} for days in (1.5, 50.0, [2.0, 30.0])]
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_sgd(study, prices, store, start=starts)
        rows = {(row.step, row.parameter_set): row for row in store.checkpoints(run_id=run.run_id)}
    for index in range(3):
        begun, ended = rows[0, index], rows[200, index]
        assert begun.objective is not None
        assert ended.objective is not None
        assert begun.objective < best - 1.0, "far from the truth"
        assert ended.objective > best - 0.01
        # The scan has one memory for both tokens, in steps of 0.07 of its logarithm; training one for each.
        assert np.abs(np.log(np.array(ended.human["memory_days"]) / truth)).max() < 0.15, ended.human
        assert ended.raw["log_k"] == begun.raw["log_k"], "what is not trained stays, bit for bit"


def test_training_improves_the_pool_of_the_bundled_study(tmp_path: Path) -> None:
    study = Experiment.load(STUDIES / "momentum_zero_fee.toml").override(
        ["sgd.steps=60", "sgd.report_every=60", "objective.report=['returns_over_hodl']"]
    )
    prices = load_prices(study.data.tokens)
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_sgd(study, prices, store)
        rows = store.checkpoints(run_id=run.run_id)
    begun = next(row for row in rows if (row.step, row.parameter_set) == (0, 0))
    ended = select([row for row in rows if row.step == 60], "best_train").checkpoint
    assert begun.human["memory_days"] == pytest.approx((20.0, 20.0)), "the study's own parameters"
    gain = ended.metrics["train"]["daily_log_sharpe"] - begun.metrics["train"]["daily_log_sharpe"]
    assert gain > 0.25, gain
    for row in rows:
        assert set(row.metrics) == {"train", "validation", "test"}
        for split, table in row.metrics.items():
            assert np.isfinite(table["daily_log_sharpe"]), (row.step, split)
            assert np.isfinite(table["returns_over_hodl"])
