"""Grids of parameters: each cell is what one set gives, in one call or in several; wrong axes are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pool_support import HALF_HOURS, make_experiment, random_prices

from quantsim import Axis, Evaluator, Experiment, evaluate_grid
from quantsim.errors import ConfigError, ParameterError
from quantsim.simulator.grid import Grid, grid_sets

LAYOUT = replace(HALF_HOURS, test_bars=60)
METRICS = ("returns", "returns_over_hodl")
OWN = {"memory_days": [0.5, 2.0], "k_per_day": [3.0, 1.0]}
MEMORY = Axis("memory_days", 0.2, 4.0, 3, log=True)
K_OF_ETH = Axis("k_per_day[ETH]", 1.0, 9.0, 5)


def study(rule: str = "momentum", **tables: Mapping[str, Any]) -> Experiment:
    return make_experiment(rule, 2, LAYOUT, **{"parameters": OWN, **tables})


def ensemble(**tables: Mapping[str, Any]) -> Experiment:
    pool = {"rule": None, "ensemble": {"fast": "momentum", "slow": "anti_momentum"}}
    return make_experiment("momentum", 2, LAYOUT, **{"pool": pool, **tables})


def test_every_cell_equals_the_evaluation_of_its_parameters() -> None:
    experiment, prices = study(), random_prices(LAYOUT, 2, 1)
    grid = evaluate_grid(experiment, [MEMORY, K_OF_ETH], prices, metrics=METRICS)
    assert list(grid.metrics) == ["train", "test"]
    assert all(table[name].shape == (3, 5) for table in grid.metrics.values() for name in METRICS)
    evaluator = Evaluator(experiment, prices)
    for i, memory in enumerate([0.2, np.sqrt(0.2 * 4.0), 4.0]):
        for j, k in enumerate([1.0, 3.0, 5.0, 7.0, 9.0]):
            raw = experiment.initial_parameters({"memory_days": memory, "k_per_day": [3.0, k]})
            for split, table in evaluator.evaluate(raw, METRICS).items():
                for name, value in table.items():
                    assert grid.metrics[split][name][i, j] == pytest.approx(value, rel=1e-10, abs=1e-13)


def test_cells_of_several_calls_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, prices = study(), random_prices(LAYOUT, 2, 1)
    whole = evaluate_grid(experiment, [MEMORY, K_OF_ETH], prices, metrics=METRICS)
    monkeypatch.setattr("quantsim.simulator.calls._MOST_LANES", 4)
    cut = evaluate_grid(experiment, [MEMORY, K_OF_ETH], prices, metrics=METRICS)
    for split, table in whole.metrics.items():
        for name, values in table.items():
            np.testing.assert_allclose(cut.metrics[split][name], values, rtol=1e-12, atol=1e-14)


def test_parameters_without_an_axis_keep_their_values() -> None:
    experiment = study(update={"use_alt_lamb": True}, parameters={**OWN, "alt_memory_days": 1.5})
    own = experiment.initial_parameters()
    sets = grid_sets(experiment, [MEMORY])
    for name in ("log_k", "initial_weights_logits"):
        np.testing.assert_array_equal(sets[name], np.tile(own[name], (3, 1)))
    human = [experiment.human_parameters({name: rows[i] for name, rows in sets.items()}) for i in range(3)]
    # The second memory is an offset from the first in raw form; people state it in days, and so does the grid.
    np.testing.assert_allclose([one["alt_memory_days"] for one in human], 1.5, rtol=1e-12)
    np.testing.assert_allclose(
        [one["memory_days"] for one in human], np.tile(MEMORY.values[:, None], (1, 2)), rtol=1e-12
    )
    still = grid_sets(experiment, [K_OF_ETH])
    np.testing.assert_array_equal(still["logit_delta_lamb"], np.tile(own["logit_delta_lamb"], (5, 1)))
    given = grid_sets(experiment, [K_OF_ETH], {"memory_days": 3.0})
    np.testing.assert_array_equal(
        given["logit_lamb"], np.tile(experiment.initial_parameters({"memory_days": 3.0})["logit_lamb"], (5, 1))
    )


def test_axes_of_groups_and_of_tuned_settings() -> None:
    experiment = ensemble(parameters={"swap_fee": 0.002})
    axes = [
        Axis("fast.memory_days", 0.5, 2.0, 2),
        Axis("slow.k_per_day[ETH]", 1.0, 2.0, 2),
        Axis("swap_fee", 0.001, 0.01, 2),
    ]
    sets = grid_sets(experiment, axes)
    own = experiment.initial_parameters()
    assert sets["logit_swap_fee"].shape == (8, 1)
    np.testing.assert_array_equal(sets["slow.logit_lamb"], np.tile(own["slow.logit_lamb"], (8, 1)))
    np.testing.assert_array_equal(
        sets["slow.log_k"][:, 1], np.tile([0.0, 0.0, 1.0, 1.0], 2)
    )  # the last axis runs fastest
    np.testing.assert_allclose(1 / (1 + np.exp(-sets["logit_swap_fee"][:, 0])), np.tile([0.001, 0.01], 4), rtol=1e-12)
    assert (sets["fast.logit_lamb"][:4] < sets["fast.logit_lamb"][4:]).all()


def test_both_tokens_may_have_an_axis_each() -> None:
    sets = grid_sets(study(), [Axis("k_per_day[BTC]", 1.0, 2.0, 2), Axis("k_per_day[ETH]", 4.0, 8.0, 2)])
    np.testing.assert_array_equal(sets["log_k"], [[0, 2], [0, 3], [1, 2], [1, 3]])


BAD: dict[str, tuple[list[Axis], str]] = {
    "no axis": ([], "at least one axis"),
    "misspelt": ([Axis("memory_day", 1, 2, 2)], "axis memory_day: .* did you mean 'memory_days'?"),
    "raw": ([Axis("log_k", 1, 2, 2)], "axis log_k: log_k is a raw name; give k_per_day"),
    "no such token": ([Axis("k_per_day[SUI]", 1, 2, 2)], r"axis k_per_day\[SUI\]: .*\[BTC\], k_per_day\[ETH\], or k_per_day"),
    "a bracket left open": ([Axis("k_per_day[BTC", 1, 2, 2)], r"axis k_per_day\[BTC: k_per_day has no such value"),
    "without effect": ([Axis("alt_memory_days", 1, 2, 2)], "axis alt_memory_days: .* set update.use_alt_lamb = true"),
    "not in the study": ([Axis("swap_fee", 0.1, 0.2, 2)], "axis swap_fee: .* set parameters.swap_fee"),
    "weights": ([Axis("initial_weights[BTC]", 0.1, 0.9, 3)], r"axis initial_weights\[BTC\]: .* sum to 1"),
    "outside the domain": ([Axis("memory_days", -1, 2, 4)], "axis memory_days: -1 is outside .* positive number of days"),
    "twice": ([MEMORY, MEMORY], "axes memory_days and memory_days both set memory_days of BTC: leave one out"),
    "a token twice": ([Axis("k_per_day", 1, 2, 2), K_OF_ETH], r"axes k_per_day and k_per_day\[ETH\] both set k_per_day of ETH"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_wrong_axes_are_refused_before_anything_is_evaluated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    axes, said = BAD[name]
    monkeypatch.setattr("quantsim.simulator.grid.Evaluator", None)
    with pytest.raises(ParameterError, match=said):
        evaluate_grid(study(), axes, random_prices(LAYOUT, 2, 1))


def test_an_unknown_metric_is_refused_before_anything_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantsim.simulator.grid.Evaluator", None)
    with pytest.raises(ConfigError, match="did you mean 'returns'"):
        evaluate_grid(study(), [MEMORY], random_prices(LAYOUT, 2, 1), metrics=["return"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((2.0, 1.0, 4), "low = 2, high = 1: give finite ends with low < high"),
        ((1.0, 1.0, 4), "low < high"),
        ((1.0, float("inf"), 4), "finite"),
        ((float("nan"), 1.0, 4), "finite"),
        ((0.0, 1.0, 4, True), "a logarithmic axis needs low > 0"),
        ((1.0, 2.0, 1), "1 points are too few"),
    ],
)
def test_ranges_that_are_none_are_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ParameterError, match=f"axis memory_days: .*{re.escape(said)}"):
        Axis("memory_days", *arguments)


def made(train: list[list[float]], test: list[list[float]]) -> Grid:
    axes = (Axis("memory_days", 1.0, 4.0, 3, log=True), Axis("k_per_day", 0.0, 1.0, 2))
    metrics = {"train": {"returns": np.array(train)}, "test": {"returns": np.array(test)}}
    return Grid(axes, metrics, {"log_k": np.arange(12.0).reshape(6, 2)}, {})


def test_the_best_cell_is_chosen_on_train_unless_another_split_is_named() -> None:
    grid = made([[1, 2], [np.nan, 9], [-np.inf, 4]], [[5, 1], [1, 1], [1, 1]])
    best = grid.best()
    assert (best.index, best.chosen_by, best.metric) == ((1, 1), "train", "returns")
    assert best.values == {"memory_days": pytest.approx(2.0), "k_per_day": 1.0}
    np.testing.assert_array_equal(best.raw["log_k"], [6.0, 7.0])
    assert best.metrics == {"train": {"returns": 9.0}, "test": {"returns": 1.0}}
    assert best.at_end_of == ("k_per_day",)
    assert grid.best(split="test").index == (0, 0)
    with pytest.raises(ConfigError, match="'validation'"):
        grid.best(split="validation")
    with pytest.raises(ConfigError, match="'sharpe' was not evaluated"):
        grid.best("sharpe")
    with pytest.raises(ConfigError, match="train returns is nan in the whole grid"):
        made([[np.nan] * 2] * 3, [[1.0] * 2] * 3).best()


def test_an_infinite_cell_is_the_best_and_of_several_that_of_the_highest_return() -> None:
    grid = made([[0.1, 0.2], [0.4, 0.3], [0.2, 0.9]], [[1.0] * 2] * 3)
    grid.metrics["train"]["sortino"] = np.array([[np.inf, 3.0], [np.nan, np.inf], [np.inf, -np.inf]])
    assert grid.best("sortino").index == (1, 1)
    del grid.metrics["train"]["returns"]
    assert grid.best("sortino").index == (0, 0)
