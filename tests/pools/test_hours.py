"""Weighted pools that trade in the first minutes of each chunk only, against a plain loop, on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    expected,
    make_experiment,
    random_params,
    random_prices,
    stacked,
)

from quantsim import Evaluator
from quantsim.errors import ConfigError

CASES: dict[str, tuple[int, str, dict[str, Any], int]] = {
    "zero": (2, "zero", {"trading_minutes": 90}, 240),  # weights move while the pool is closed
    "seldom": (2, "zero", {"trading_minutes": 120, "arb_frequency": 3}, 60),
    "costs": (3, "noise", {"trading_minutes": 90}, 240),
    "gas": (2, "gas", {"trading_minutes": 60, "arb_frequency": 2}, 60),
}


@pytest.mark.parametrize("case", CASES)
def test_reserves_are_those_of_a_plain_loop(case: str) -> None:
    n_tokens, fees, pool, ramp = CASES[case]
    experiment = make_experiment(
        "momentum", n_tokens, HALF_HOURS, fees=FEES[fees], pool=pool, update={"interpolation_minutes": ramp}
    )
    params, prices = random_params("momentum", HALF_HOURS, n_tokens, 1, 0.5), random_prices(HALF_HOURS, n_tokens, 2)
    found, wanted = bar_by_bar(experiment, params, prices), expected(experiment, params, prices)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-10)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(np.sum(found.fees), wanted.fee_revenue, rtol=1e-9, atol=1e-9)
    moved = np.abs(np.diff(np.log(found.reserves), axis=0)).max(axis=1) > 1e-13
    minutes = HALF_HOURS.bar_minutes * np.arange(1, moved.size + 1) % HALF_HOURS.chunk_minutes
    assert not moved[minutes >= pool["trading_minutes"]].any()
    assert moved[minutes < pool["trading_minutes"]].any()


def test_all_paths_agree_without_fees_and_the_closed_form_serves_whole_ramps() -> None:
    update, pool = {"interpolation_minutes": 60}, {"trading_minutes": 120}
    experiment = make_experiment("momentum", 2, HALF_HOURS, pool=pool, update=update)
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 2))
    raw = experiment.initial_parameters(random_params("momentum", HALF_HOURS, 2, 1, 0.5))
    first, n_bars = evaluator.splits["train"][0], 199  # ends while the pool is closed
    found = {
        path: float(evaluator.evaluate_at(raw, [first], n_bars, ("returns",), path=path)["returns"][0])
        for path in ("closed_form", "per_bar", "fees")
    }
    assert found == pytest.approx(dict.fromkeys(found, found["per_bar"]), rel=1e-10)


def test_gradients_with_fees_are_those_of_finite_differences() -> None:
    experiment = make_experiment("momentum", 2, HALF_HOURS, fees=FEES["fee"], pool={"trading_minutes": 90})
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 2))
    sets = stacked(evaluator, random_params("momentum", HALF_HOURS, 2, 1, 0.5))
    found, wanted = along_coordinates(evaluator, sets, [("logit_lamb", 0), ("log_k", 1)], 1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-10)


def test_hours_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"pool.trading_minutes = 300 must not exceed update.chunk_minutes = 240"):
        make_experiment("momentum", 2, HALF_HOURS, pool={"trading_minutes": 300})
    with pytest.raises(ConfigError, match="trading_minutes = 60 is a setting of pools of type"):
        make_experiment("hodl", 2, HALF_HOURS, pool={"trading_minutes": 60})
    experiment = make_experiment("momentum", 2, HALF_HOURS, pool={"trading_minutes": 45})
    with pytest.raises(ConfigError, match=r"pool.trading_minutes = 45 must be a multiple of the 30-minute bars"):
        Evaluator(experiment, random_prices(HALF_HOURS, 2, 2))
    whole, always = (make_experiment("momentum", 2, HALF_HOURS, pool=pool) for pool in ({"trading_minutes": None}, {}))
    assert whole.identity == always.identity
