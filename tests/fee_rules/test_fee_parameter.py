"""The swap fee as a parameter: equal to a fixed fee, differentiable, searched and trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fee_support import experiment_of, outcome

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.drivers.sgd import run_sgd
from quantsim.errors import ConfigError
from quantsim.search_space import load_search_space

HISTORY, N_BARS = 240, 200  # half hours


def prices_of_pool(seed: int = 0) -> Prices:
    steps = 0.006 * np.random.default_rng(seed).standard_normal((HISTORY + N_BARS, 2))
    times = np.datetime64("2021-03-01", "s") + 1800 * np.arange(len(steps)).astype("timedelta64[s]")
    return Prices(times, np.exp(np.cumsum(steps, axis=0)) * [40_000.0, 2_000.0], ("BTC", "ETH"), 30)


@pytest.mark.parametrize("others", [{}, {"arb_fee": 0.001, "gas_cost_usd": 2.0, "noise_trader_ratio": 0.7}])
def test_the_value_is_that_of_the_fixed_fee(others: dict[str, float]) -> None:
    prices = prices_of_pool()
    tuned = experiment_of(parameters={"swap_fee": 0.003}, fees=others)
    found = outcome(tuned, prices)
    assert found == pytest.approx(outcome(experiment_of(fees={"swap_fee": 0.003, **others}), prices), rel=1e-10)
    higher = outcome(tuned, prices, params={**dict(tuned.parameters), "swap_fee": 0.01})
    assert higher == pytest.approx(outcome(experiment_of(fees={"swap_fee": 0.01, **others}), prices), rel=1e-10)
    assert abs(higher["returns"] - found["returns"]) > 1e-5


@pytest.mark.parametrize("others", [{}, {"arb_fee": 0.001, "gas_cost_usd": 2.0, "noise_trader_ratio": 0.7}])
def test_the_gradient_equals_finite_differences(others: dict[str, float]) -> None:
    experiment = experiment_of(parameters={"swap_fee": 0.003}, fees=others)
    assert "logit_swap_fee" in experiment.trainable
    evaluator, raw, step = Evaluator(experiment, prices_of_pool(1)), experiment.initial_parameters(), 1e-6
    moved = [raw, *({**raw, "logit_swap_fee": raw["logit_swap_fee"] + sign * step} for sign in (1, -1))]
    rows = {name: np.stack([one[name] for one in moved]) for name in raw}
    starts = [HISTORY, HISTORY + 3] if others else [HISTORY]
    values, gradients = evaluator.value_and_grad(rows, starts, N_BARS - 8, "returns")
    wanted = (values[1] - values[2]) / (2 * step)
    assert gradients["logit_swap_fee"][0, 0] == pytest.approx(wanted, rel=1e-4)
    assert wanted != 0


def test_it_can_be_searched(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("[swap_fee]\nlow = 0.001\nhigh = 0.02\nlog = true\n")
    search = {"space": str(tmp_path / "space.toml")}
    space = load_search_space(experiment_of(parameters={"swap_fee": 0.003}, search=search))
    assert [(one.name, one.low, one.high) for one in space.draws] == [("swap_fee", 0.001, 0.02)]
    assert "swap_fee" in load_search_space(experiment_of(parameters={"swap_fee": 0.003})).distributions()
    with pytest.raises(ConfigError, match="unknown parameter 'swap_fee'"):
        load_search_space(experiment_of(fees={"swap_fee": 0.003}, search=search))


def test_gradients_move_it(tmp_path: Path) -> None:
    sgd = {"steps": 15, "report_every": 15, "batch_size": 1, "n_parameter_sets": 1, "learning_rate": 0.1}
    objective = {"metric": "returns"}
    experiment = experiment_of(parameters={"swap_fee": 0.003}, sgd=sgd, objective=objective)
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run = run_sgd(experiment, prices_of_pool(2), store)
        first, last = sorted(store.checkpoints(run_id=run.run_id), key=lambda row: row.step)
    assert first.human["swap_fee"] == pytest.approx((0.003,), rel=1e-12)
    assert abs(np.log(last.human["swap_fee"][0] / 0.003)) > 0.1
    assert last.objective > first.objective


def test_the_fee_is_either_a_number_or_a_parameter() -> None:
    with pytest.raises(ConfigError, match=r"fees\.swap_fee = 0\.001 and parameters\.swap_fee both set the fee"):
        experiment_of(parameters={"swap_fee": 0.003}, fees={"swap_fee": 0.001})
    with pytest.raises(ConfigError, match="swap_fee"):
        experiment_of(parameters={"swap_fee": 1.5})
