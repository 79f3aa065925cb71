"""The reference vectors, case by case: through the public API, on minute bars."""

from __future__ import annotations

import functools
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quantsim
from quantsim import Experiment, FingerprintWarning, Prices
from quantsim.simulator import result as result_module

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "golden" / "reference_vectors.json"
PRICES = VECTORS.parents[1] / "data" / "minute"

EXACT = 1e-9
PER_BAR = 1e-10
"""What the published speed limit adds to the largest change before it divides by it.

So a bar at the limit moves up to that much less than the limit: never more, as the largest change exceeds the limit. Put into
``weights._speed_limit``, it makes the four cases that reach the limit agree to 1e-11 in weights and 1e-12 in metrics.
"""
ABSENT = "reference vectors absent"


def _cases() -> list[Any]:
    if not VECTORS.exists():
        return [
            pytest.param({}, id=ABSENT, marks=pytest.mark.skip(reason=f"no reference data: {VECTORS} is not there"))
        ]
    return [_param(case) for case in json.loads(VECTORS.read_text())["cases"]]


AS_SHIPPED = ("momentum_2tok_c1440_f0.0", "momentum_3tok_c1440_f0.003", "cow_2tok")
"""Cases that are compiled as for users: one of each way to compute the value of a pool."""


def _param(case: dict[str, Any]) -> Any:
    marks = [pytest.mark.optimized] if case["name"] in AS_SHIPPED else []
    return pytest.param(case, id=case["name"], marks=marks)


@functools.cache
def _prices(tokens: tuple[str, ...]) -> Prices:
    return quantsim.load_prices(tokens, PRICES)


def _tolerance(case: dict[str, Any]) -> float:
    """How far the published figures can be trusted: see the notes that come with them."""
    fingerprint = case["fingerprint"]
    constant = fingerprint["rule"] in ("balancer", "hodl", "cow")
    if fingerprint["fees"] == 0.0 or (constant and len(fingerprint["tokens"]) == 2):
        return EXACT
    return 5e-3 if constant else 2e-3


@pytest.mark.parametrize("case", _cases())
def test_reference_vector(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint, tolerance = case["fingerprint"], _tolerance(case)
    compared = tuple(case["metrics"]) if tolerance == EXACT else ()
    monkeypatch.setattr(result_module, "metric_names", lambda: compared)  # others would only be compiled
    whole = {"val_fraction": 0.0, "early_stopping": False}  # the cases run to endDateString
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FingerprintWarning)  # of min_variance, whose look-ahead these cases have, too
        experiment = Experiment.from_fingerprint(
            {**fingerprint, "optimisation_settings": whole}, data={"source": str(PRICES)}
        )
    prices = _prices(experiment.data.tokens)
    result = quantsim.simulate(experiment, case["params"], prices)

    assert result.value.shape == (case["n_steps"],)
    daily = result.value[::1440]
    np.testing.assert_allclose(daily, case["value_daily"], rtol=tolerance)
    np.testing.assert_allclose(result.value[-1], case["final_value"], rtol=tolerance)
    if "exact_value_daily" in case:
        np.testing.assert_allclose(daily, case["exact_value_daily"], rtol=EXACT)
        # Where the pool is not visited every bar, this figure is of the last visit, and "final_value" of the last bar.
        last_visit = (case["n_steps"] - 1) // fingerprint["arb_frequency"] * fingerprint["arb_frequency"]
        np.testing.assert_allclose(result.value[last_visit], case["exact_final_value"], rtol=EXACT)
    elif fingerprint["rule"] not in ("hodl", "cow"):
        assert fingerprint["fees"] == 0.0, "a case with fees has exact figures"
    fastest = np.abs(np.diff(result.weights, axis=0)).max()
    limit = experiment.update.maximum_change_per_minute
    at_the_limit = experiment.rule.outputs is not None and fastest > (1.0 - 1e-9) * limit
    if "weights_daily" in case:
        slack = _slack_of_weights(experiment, at_the_limit=at_the_limit)
        np.testing.assert_allclose(result.weights[::1440], case["weights_daily"], rtol=EXACT, atol=slack)
    if tolerance == EXACT:
        np.testing.assert_allclose(result.reserves[-1], case["reserves_final"], rtol=EXACT)
        # Published values are then off by up to 5e-10, as their weights are; ratios of small differences show more.
        _assert_metrics(result.metrics, case["metrics"], 5e-8 if at_the_limit else EXACT)


def _slack_of_weights(experiment: Experiment, *, at_the_limit: bool) -> float:
    """How far published weights can be off in shares of 1, beside the relative tolerance.

    Difference momentum takes its decays to memories and back there, through an inverse that loses 5e-13 of a decay. With the
    same detour our weights agree to 2e-11; without it they agree with 80-bit arithmetic to 4e-14.
    """
    if at_the_limit:
        return PER_BAR * experiment.update.chunk_minutes
    return 2e-10 if experiment.pool.rule == "difference_momentum" else 0.0


def _assert_metrics(computed: dict[str, float], expected: dict[str, float | None], tolerance: float) -> None:
    assert set(expected) <= set(computed)
    for name, value in expected.items():
        wanted = math.nan if value is None else value
        # Returns over a benchmark nearly equal vanish but for rounding of two numbers near 1: hence the absolute term.
        assert computed[name] == pytest.approx(wanted, rel=tolerance, abs=1e-11, nan_ok=True), name
