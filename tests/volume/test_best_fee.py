"""With elastic volume the best fee lies inside the range, and search and gradients find the one of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_support import HALF_HOURS, make_experiment, random_prices

import quantsim
from quantsim import Evaluator, Experiment

DRAWS = [[2e6, 0.8, 1.0, 0.3], [1.6e6, 0.9, 1.4, 0.2], [2.2e6, 0.7, 1.8, 0.5]]
MODEL: dict[str, Any] = {"usd_per_day": 2e6, "tvl_elasticity": 0.8, "fee_elasticity": 1.4, "draws": DRAWS}
LOW, HIGH = 0.0005, 0.02


def study(fee: float, **fees: Any) -> Experiment:
    return make_experiment(
        "balancer",
        2,
        HALF_HOURS,
        fees={"volume": "elastic", "volume_model": MODEL, "volume_draws": 3, **fees},
        parameters={"swap_fee": fee},
        objective={"metric": "returns_over_hodl", "bout_offset_days": 0.0},
        search={"trials": 40, "n_startup_trials": 10},
        sgd={"steps": 20, "report_every": 20, "optimiser": "lbfgs", "n_parameter_sets": 1, "batch_size": 1,
             "train": ["swap_fee"]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def prices() -> quantsim.Prices:
    return random_prices(HALF_HOURS, 2, 5)


def grid(experiment: Experiment, prices: quantsim.Prices) -> Iterator[tuple[float, float]]:
    """Fees on a fine grid with the objective of each."""
    fees = np.geomspace(LOW, HIGH, 128)
    raw = experiment.initial_parameters()
    sets = {name: np.repeat(value[None], fees.size, axis=0) for name, value in raw.items()}
    sets["logit_swap_fee"] = np.log(fees / (1 - fees))[:, None]
    found = Evaluator(experiment, prices).evaluate_many(sets, ["returns_over_hodl"])["train"]["returns_over_hodl"]
    return zip(fees.tolist(), found.tolist(), strict=True)


def test_search_and_gradients_find_the_best_fee_of_a_grid(prices: quantsim.Prices, tmp_path: Path) -> None:
    table = dict(grid(study(0.003), prices))
    best = max(table, key=table.__getitem__)
    assert LOW * 2 < best < HIGH / 2
    values = np.array(list(table.values()))
    assert (np.diff(values[: values.argmax()]) > 0).all()  # one optimum, not noise
    finest = np.log(HIGH / LOW) / 127
    for start in (0.0008, 0.012):
        trained = quantsim.train(study(start), prices, store=tmp_path / "store.db")
        fee = float(trained.human["swap_fee"][0])
        assert np.log(fee / best) == pytest.approx(0.0, abs=2 * finest)
    searched = quantsim.search(study(0.012), prices, store=tmp_path / "store.db")
    fee = float(searched.human["swap_fee"][0])
    assert np.log(fee / best) == pytest.approx(0.0, abs=0.1)
    assert searched.metrics["train"]["returns_over_hodl"] == pytest.approx(table[best], rel=1e-2)


def test_without_elasticity_there_is_no_best_fee(prices: quantsim.Prices) -> None:
    model = {**MODEL, "fee_elasticity": 0.0, "draws": []}
    rising = [value for _, value in grid(study(0.003, volume_model=model, volume_draws=0), prices)]
    assert np.argmax(rising) == len(rising) - 1


def test_the_objective_is_the_quantile_over_draws_at_every_fee(prices: quantsim.Prices) -> None:
    """So a search maximises what each draw, simulated alone, says of a fee."""
    names = ("usd_per_day", "tvl_elasticity", "fee_elasticity", "volatility_elasticity")
    alone = []
    for draw in DRAWS:
        model = {**MODEL, **dict(zip(names, draw, strict=True)), "draws": []}
        alone.append([value for _, value in grid(study(0.003, volume_model=model, volume_draws=0), prices)])
    for level in (None, 0.25):
        found = [value for _, value in grid(study(0.003, volume_quantile=level), prices)]
        wanted = np.mean(alone, axis=0) if level is None else np.quantile(alone, level, axis=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
