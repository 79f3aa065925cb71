"""reCLAMM pools: golden cases, a plain loop, options, a given state, and what is refused."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reclamm_reference as reference
from pool_support import FEES, HALF_HOURS, bar_by_bar, make_experiment, random_prices

import quantsim
from quantsim import Experiment
from quantsim.simulator import result as result_module

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "pools.json"
MINUTES = GOLDEN.parents[1] / "data" / "minute"

CALM = {"price_ratio": 1.4, "centeredness_margin": 0.4, "shift_exponent": 0.5}
"""Parameters with which the range moves now and then in half hours, and never jumps beyond its centre."""


def _cases() -> list[Any]:
    if not GOLDEN.exists():
        return [pytest.param({}, id="absent", marks=pytest.mark.skip(reason=f"no reference data: {GOLDEN}"))]
    cases = json.loads(GOLDEN.read_text())["cases"]
    return [pytest.param(case, id=case["name"]) for case in cases if case["pool"] == "reclamm"]


def golden_study(case: dict[str, Any], **tables: Any) -> Experiment:
    end = date.fromisoformat(case["start"]) + timedelta(days=case["days"])
    return Experiment.from_dict(
        {
            "data": {"tokens": case["tokens"], "source": str(MINUTES)},
            "periods": {"train_start": case["start"], "train_end": end},
            "pool": {"type": "reclamm", "initial_value_usd": case["initial_value"]},
            "fees": {"swap_fee": case["swap_fee"]},
            "parameters": case["params"],
            **tables,
        }
    )


@pytest.mark.parametrize("case", _cases())
def test_golden_case(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_module, "metric_names", lambda: ("returns",))  # others would only be compiled
    result = quantsim.simulate(golden_study(case))
    np.testing.assert_allclose(result.value[::1440], case["value_daily"], rtol=1e-11)
    np.testing.assert_allclose(result.value[-1], case["final_value"], rtol=1e-11)
    np.testing.assert_allclose(result.reserves[-1], case["reserves_final"], rtol=1e-11)
    np.testing.assert_allclose(result.state["virtual"][-1], case["virtual_final"], rtol=1e-11)


OPTIONS: dict[str, dict[str, Any]] = {
    "decay": {},
    "scaled": {"centeredness_scaling": True},
    "arc": {"range_shift": "constant_arc_length"},
    "scaled_arc": {"range_shift": "constant_arc_length", "centeredness_scaling": True},
}
PRICES = random_prices(HALF_HOURS, 2, 5)


def reclamm(fees: str = "zero", pool: dict[str, Any] | None = None, **tables: Any) -> Experiment:
    parameters = tables.pop("parameters", CALM)
    pool = {"type": "reclamm", "rule": None, **(pool or {})}
    return make_experiment("", 2, HALF_HOURS, fees=FEES[fees], pool=pool, parameters=parameters, **tables)


def plain(experiment: Experiment, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same by the plain loop."""
    human = {
        name: float(values[0]) for name, values in experiment.human_parameters(experiment.initial_parameters()).items()
    }
    pool, fees = experiment.pool, experiment.fees
    if pool.real_balances is None:
        real, virtual = reference.centred(pool.initial_value_usd, prices[0], human["price_ratio"])
    else:
        scale = pool.initial_value_usd / (prices[0] @ pool.real_balances)
        real, virtual = ([scale * one for one in pair] for pair in (pool.real_balances, pool.virtual_balances))
    one = reference.Pool(
        real,
        virtual,
        human["centeredness_margin"],
        human["shift_exponent"],
        60.0 * HALF_HOURS.bar_minutes * pool.arb_frequency,
        fees.swap_fee,
        fees.arb_fee,
        fees.gas_cost_usd,
        fees.noise_trader_ratio,
        fees.protocol_fee_split,
        pool.range_shift == "constant_arc_length",
        pool.centeredness_scaling,
    )
    return reference.run(one, prices, pool.arb_frequency)


@pytest.mark.parametrize(
    ("fees", "pool"),
    [
        *((fees, {}) for fees in FEES),
        *(("fee", options) for options in list(OPTIONS.values())[1:]),
        ("noise", {"arb_frequency": 3}),
        ("fee", {"real_balances": [1.0, 2.0], "virtual_balances": [40.0, 5000.0]}),
    ],
    ids=str,
)
def test_balances_agree_with_a_plain_loop(fees: str, pool: dict[str, Any]) -> None:
    experiment = reclamm(fees, pool)
    found = bar_by_bar(experiment, {}, PRICES)
    wanted, earned = plain(experiment, found.prices)
    assert (np.diff(wanted[:, 2]) != 0.0).sum() > 3, "the range must move"
    np.testing.assert_allclose(found.reserves, wanted[:, :2], rtol=1e-9)
    np.testing.assert_allclose(found.state["virtual"], wanted[:, 2:], rtol=1e-9)
    np.testing.assert_allclose(found.value, (wanted[:, :2] * found.prices).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(found.fees, earned, rtol=1e-6, atol=1e-9)
