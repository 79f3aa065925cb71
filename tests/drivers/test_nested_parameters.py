"""Both drivers on a composite pool whose subsidiary is an ensemble: every parameter of every group, together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, select, simulate
from quantsim.checkpoints.finding import start_from
from quantsim.drivers.search import run_search
from quantsim.drivers.sgd import run_sgd
from quantsim.errors import ConfigError
from quantsim.search_space import load_search_space

SPACE = """
[k_per_day]
low = 0.1
high = 10.0

[swap_fee]
low = 0.001
high = 0.01

[pair.fast.memory_days]
scalar = true

[pair.slow.memory_days]
[pair.slow.k_per_day]
"""


def make_prices() -> Prices:
    generator = np.random.default_rng(3)
    times = np.datetime64("2023-01-01", "s") + np.arange(4 * 120) * np.timedelta64(6 * 3600, "s")
    drift = np.repeat(generator.standard_normal((12, 3)), 40, axis=0) * 0.004
    steps = drift + 0.01 * generator.standard_normal((480, 3))
    return Prices(times, np.exp(np.cumsum(steps, axis=0)), ("A", "B", "C"), 360)


def make_experiment(**tables: Any) -> Experiment:
    values: dict[str, Any] = {
        "data": {"tokens": ["A", "B", "C"]},
        "periods": {"train_start": "2023-01-21", "train_end": "2023-03-31", "validation_end": "2023-04-21"},
        "pool": {"rule": "momentum", "tokens": ["C", "pair"]},
        "subsidiaries": {
            "pair": {"tokens": ["B", "A"], "ensemble": {"fast": "momentum", "slow": "anti_momentum"}},
        },
        "update": {"max_memory_days": 20.0},
        "objective": {"bout_offset_days": 10.0, "report": ["returns_over_hodl"]},
        "parameters": {
            "memory_days": 5.0,
            "k_per_day": 1.0,
            "swap_fee": 0.003,
            "pair": {"fast": {"memory_days": 3.0, "k_per_day": 1.0}, "slow": {"memory_days": 9.0, "k_per_day": 0.5}},
        },
        "sgd": {"steps": 6, "report_every": 3, "batch_size": 2, "n_parameter_sets": 2},
        "search": {"trials": 6, "n_startup_trials": 3},
        **tables,
    }
    return Experiment.from_dict(values)


def test_gradients_move_every_group(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()
    run = run_sgd(experiment, prices, store)
    rows = [row for row in store.checkpoints(run_id=run.run_id) if row.parameter_set == 0]
    first, last = rows[0].params, rows[-1].params
    moved = {name for name in first if (np.asarray(first[name]) != np.asarray(last[name])).any()}
    assert moved == {
        "log_k",
        "logit_lamb",
        "logit_swap_fee",
        *(f"pair.{member}.{name}" for member in ("fast", "slow") for name in ("log_k", "logit_lamb")),
    }
    again = Evaluator(experiment, prices).evaluate(rows[-1].params)
    assert again["validation"]["returns_over_hodl"] == pytest.approx(
        rows[-1].metrics["validation"]["returns_over_hodl"]
    )


def test_a_search_draws_the_parameters_of_its_space(store: CheckpointStore, tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(SPACE)
    experiment = make_experiment(search={"trials": 6, "n_startup_trials": 3, "space": str(file)})
    space = load_search_space(experiment)
    assert [name for dimension in space.dimensions for name in dimension.names] == [
        "pair.fast.memory_days",
        "pair.slow.memory_days[B]",
        "pair.slow.memory_days[A]",
        "pair.slow.k_per_day[B]",
        "pair.slow.k_per_day[A]",
        "k_per_day[C]",
        "k_per_day[pair]",
        "swap_fee",
    ]
    run_search(experiment, make_prices(), store, storage=str(tmp_path / "study.log"), jobs=1)
    rows = store.checkpoints()
    assert len(rows) == 6
    assert len({row.human["pair.fast.memory_days"] for row in rows}) == 6
    assert {row.human["memory_days"] for row in rows} == {tuple(rows[0].human["memory_days"])}
    assert all(0.001 <= row.human["swap_fee"][0] <= 0.01 for row in rows)
    best = select(rows, "best_validation", experiment.objective.metric).checkpoint
    result = simulate(experiment, best.params, make_prices(), split="validation")
    assert result.metrics["returns_over_hodl"] == pytest.approx(best.metrics["validation"]["returns_over_hodl"])


def test_without_a_file_all_that_can_be_searched_is() -> None:
    names = [dimension.name for dimension in load_search_space(make_experiment()).dimensions]
    groups = ("", "pair.fast.", "pair.slow.")
    assert set(names) == {"swap_fee", *(f"{group}{name}" for group in groups for name in ("memory_days", "k_per_day"))}


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text("[pair.fest.memory_days]\nlow = 1.0\n")
    with pytest.raises(ConfigError, match=r"'pair\.fest\.memory_days'.*did you mean 'pair\.fast\.memory_days'"):
        load_search_space(make_experiment(search={"space": str(file)}))


def test_a_start_fits_the_same_pools_only(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()
    run_sgd(experiment, prices, store)
    start = start_from(store, "best")
    assert start.experiment.identity == experiment.identity
    assert start.differences() == ()
    assert start.run.config["data"]["source"] == "memory"
    raw = start.params
    np.testing.assert_array_equal(raw["pair.fast.log_k"], start.checkpoint.params["pair.fast.log_k"])
    other = {"pair": {"tokens": ["B", "A"], "ensemble": {"fast": "momentum", "slow": "momentum"}}}
    with pytest.raises(ConfigError, match="rule, tokens and their order must agree"):
        start.differences(make_experiment(subsidiaries=other))
