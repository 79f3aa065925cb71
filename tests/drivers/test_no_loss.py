"""Parameter sets without a loss, on bundled and on rising prices: the drivers and the selection take them for what they are."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, load_prices
from quantsim.checkpoints import select
from quantsim.drivers.search import run_search
from quantsim.drivers.sgd import run_sgd
from quantsim.objective.short import warn_once
from quantsim.simulator import evaluate_grid
from quantsim.simulator.grid import Axis

N_PERIODS = 15


@pytest.fixture(autouse=True)
def _warned_of_nothing() -> None:
    warn_once.cache_clear()


def test_periods_without_a_loss_neither_fail_nor_decide(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    experiment = Experiment.from_dict(
        {
            "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 60},
            "periods": {"train_start": "2019-03-28", "train_end": "2019-06-26"},
            "pool": {"rule": "momentum"},
            "objective": {"metric": "daily_sortino", "n_periods": N_PERIODS, "bout_offset_days": 20.0, "report": []},
            "search": {"trials": 25},
        }
    )
    with CheckpointStore(tmp_path / "a.db") as store, caplog.at_level(logging.WARNING, "quantsim"):
        run = run_search(experiment, load_prices(["BTC", "ETH"], bar_minutes=60), store)
        rows = store.checkpoints(run_id=run.run_id)
    assert (run.n_trials, run.n_failed, len(rows)) == (25, 0, 25)
    of_periods = np.array(
        [[row.value("train", f"daily_sortino.period_{index + 1}") for index in range(N_PERIODS)] for row in rows]
    )
    assert np.isinf(of_periods).any(axis=1).sum() > 10, "these failed"
    by_hand = np.clip(of_periods, -100.0, 100.0).mean(axis=1)
    np.testing.assert_allclose([row.objective for row in rows], by_hand, rtol=1e-12)
    assert run.best_trial == select(rows, "best_train", "objective").checkpoint.step == rows[int(by_hand.argmax())].step
    assert run.best_value == pytest.approx(max(by_hand), rel=1e-12)
    (warning,) = [record.message for record in caplog.records if "daily_sortino" in record.message]
    assert warning.startswith("objective.n_periods = 15: daily_sortino of a period of 6 days rests on 5 returns, often")


@pytest.fixture(scope="module")
def rising() -> tuple[Experiment, Prices]:
    """Two tokens that only rise, each faster in turns: a pool whose weights move slowly has no losing day."""
    hours = np.arange(4 * 150)
    times = np.datetime64("2024-01-01", "s") + hours * np.timedelta64(6 * 3600, "s")
    turns = np.sin(hours / 40.0)
    moves = 1e-3 * np.stack([20.0 + turns, 20.0 - turns], axis=1)
    prices = Prices(times, np.exp(np.cumsum(moves, axis=0)), ("A", "B"), 360)
    study = {
        "data": {"tokens": ["A", "B"]},
        "periods": {"train_start": "2024-02-10", "train_end": "2024-04-20", "validation_end": "2024-05-20"},
        "pool": {"rule": "momentum"},
        "update": {"max_memory_days": 30.0},
        "objective": {"metric": "daily_sortino", "bout_offset_days": 20.0, "report": []},
        "parameters": {"memory_days": 10.0, "k_per_day": 0.5},
        "sgd": {"steps": 2, "report_every": 1, "n_parameter_sets": 2, "batch_size": 2, "early_stopping_reports": 2},
    }
    return Experiment.from_dict(study), prices


def test_of_sets_without_a_loss_the_one_of_the_highest_return_is_the_best(
    rising: tuple[Experiment, Prices], tmp_path: Path
) -> None:
    experiment, prices = rising
    evaluator = Evaluator(experiment, prices)
    with CheckpointStore(tmp_path / "b.db") as store:
        run = run_search(experiment, prices, store, trials=8, make_evaluator=lambda *_: evaluator)
        rows = store.checkpoints(run_id=run.run_id)
    assert run.n_failed == 0
    returns = {row.step: row.value("train", "returns") or math.nan for row in rows if row.objective == math.inf}
    assert run.best_value == math.inf
    assert len(returns) > 2
    assert run.best_trial == max(returns, key=returns.__getitem__)
    assert select(rows, "best_train", "daily_sortino").checkpoint.step == run.best_trial
    grid = evaluate_grid(experiment, [Axis("memory_days", 2.0, 20.0, 4), Axis("k_per_day", 1.0, 50.0, 2)], prices)
    best = grid.best()
    assert best.metrics["train"]["daily_sortino"] == math.inf
    infinite = grid.metrics["train"]["daily_sortino"] == math.inf
    one = evaluate_grid(experiment, grid.axes, prices, metrics=["daily_sortino"])
    assert [*one.metrics["train"]] == ["daily_sortino"]
    assert one.best().index == best.index
    assert best.metrics["train"]["returns"] == grid.metrics["train"]["returns"][infinite].max()


def test_training_goes_through_where_nothing_is_lost(rising: tuple[Experiment, Prices], tmp_path: Path) -> None:
    experiment, prices = rising
    seen = []
    with CheckpointStore(tmp_path / "c.db") as store:
        run = run_sgd(experiment, prices, store, progress=seen.append)
        rows, reports = store.checkpoints(run_id=run.run_id), store.reports(run.run_id)
    assert (run.skipped, run.restarts) == (0, 0), "the gradient is finite"
    assert all(now.best == now.objective == now.median == math.inf and now.gradient_norm == 0.0 for now in seen[1:])
    assert [report.content["progress"]["best"] for report in reports] == [math.inf] * len(seen)
    picked = select(rows, "best_validation", "daily_sortino").checkpoint
    assert picked.value("validation", "returns") == max(row.value("validation", "returns") for row in rows)


@pytest.mark.filterwarnings("ignore:overflow encountered in exp2:RuntimeWarning")
def test_the_error_explains_why_the_objective_is_nan(
    rising: tuple[Experiment, Prices], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    experiment, prices = rising
    sound = {"memory_days": 10.0, "k_per_day": 0.5}
    overflows = {"memory_days": 10.0, "log_k": [1023.5, 1023.9]}
    with CheckpointStore(tmp_path / "e.db") as store, caplog.at_level(logging.WARNING, "quantsim"):
        run = run_sgd(experiment, prices, store, start=[sound, overflows])
        picked = select(store.checkpoints(run_id=run.run_id), "best_validation", "daily_sortino")
    assert run.skipped == 2
    said = [record.message for record in caplog.records if "parameter set" in record.message]
    assert said == [
        "step 0, parameter set 1: validation daily_sortino is nan; the pool's return is nan: with these parameters its value "
        "is not a finite number"
    ]
    assert picked.checkpoint.parameter_set == 0
    assert picked.notes == ("3 of 6 rows left out: validation daily_sortino is nan",)


def test_json_output_has_infinity(rising: tuple[Experiment, Prices], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from quantsim.checkpoints import Checkpoint
    from quantsim.commands.app import app

    experiment, _ = rising
    with CheckpointStore(tmp_path / "d.db") as store:
        run_id = store.begin_run(
            experiment_id=experiment.identity, data_id="x", name="rising", driver="sgd",
            config=experiment.model_dump(mode="json"), seed=0,
        )  # fmt: skip
        raw = {name: values.tolist() for name, values in experiment.initial_parameters().items()}
        metrics = {
            "train": {"daily_sortino": math.inf, "returns": math.nan},
            "validation": {"daily_sortino": -math.inf},
        }
        store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", raw, metrics=metrics, objective=math.inf)])
    found = CliRunner().invoke(app, ["select", "--json", "--store", str(tmp_path / "d.db")])
    assert found.exit_code == 0, found.output
    (row,) = json.loads(found.stdout)["checkpoints"]
    assert row["objective"] == row["metrics"]["train"]["daily_sortino"] == "inf"
    assert row["metrics"]["train"]["returns"] is None
    assert row["metrics"]["validation"]["daily_sortino"] == "-inf"
