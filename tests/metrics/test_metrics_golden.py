"""Metrics against the reference vectors, on value paths with a closed form, and from daily values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from quantsim.metrics import Need, Sample, SampleShape, compute, needs_of

SHARED = Path(__file__).parents[3] / "shared"
VECTORS = SHARED / "golden" / "reference_vectors.json"
PRICES = SHARED / "data" / "minute"
SHAPE = SampleShape(n_bars=64_800, bars_per_day=1440)

pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="the reference vectors (../shared) are not here")

compute_jit = jax.jit(compute, static_argnums=(0, 2))


def load_cases() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        return []
    cases: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
    return cases


def has_closed_form(case: dict[str, Any]) -> bool:
    return case["fingerprint"]["rule"] in ("hodl", "balancer") and case["fingerprint"]["fees"] == 0.0


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


CASES = load_cases()


def minute_prices(tokens: list[str], start: str, end: str) -> np.ndarray:
    first, beyond = pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC")
    columns = []
    for token in tokens:
        frame = pd.read_parquet(PRICES / f"{token}.parquet")
        inside = (frame["timestamp"] >= first) & (frame["timestamp"] < beyond)
        columns.append(frame.loc[inside, "close"].to_numpy())
    return np.stack(columns, axis=1)


def assert_agree(computed: dict[str, jax.Array], expected: dict[str, float | None]) -> None:
    for name, value in computed.items():
        wanted = math.nan if expected[name] is None else expected[name]
        # An absolute term, since some metrics are differences from 1 and all but vanish.
        assert float(value) == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True), name


@pytest.mark.skipif(not PRICES.exists(), reason="the minute prices (../shared) are not here")
@pytest.mark.parametrize("case", [case for case in CASES if has_closed_form(case)], ids=by_name)
def test_every_metric_on_paths_with_a_closed_form(case: dict[str, Any]) -> None:
    setup = case["fingerprint"]
    prices = minute_prices(setup["tokens"], setup["startDateString"], setup["endDateString"])
    growth = prices / prices[0]
    logits = np.asarray(case["params"]["initial_weights_logits"])
    weights = np.exp(logits) / np.exp(logits).sum()
    path = growth @ weights if setup["rule"] == "hodl" else np.prod(growth**weights, axis=1)
    values = setup["initial_pool_value"] * path
    assert values.shape == (SHAPE.n_bars,)
    np.testing.assert_allclose(values[::1440], case["value_daily"], rtol=1e-12)
    sample = Sample.from_bars(
        jnp.asarray(values),
        SHAPE.bars_per_day,
        hodl_end_value=jnp.asarray(values[0] * growth[-1] @ weights),
        uniform_hodl_end_value=jnp.asarray(values[0] * growth[-1].mean()),
        weight_change=jnp.asarray(0.0),
        fee_revenue=jnp.asarray(0.0),
    )
    assert_agree(compute_jit(tuple(case["metrics"]), sample, SHAPE), case["metrics"])


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_metrics_of_daily_values_and_ends(case: dict[str, Any]) -> None:
    unknown = jnp.asarray(jnp.nan)
    sample = Sample(
        start_value=jnp.asarray(case["value_daily"][0]),
        end_value=jnp.asarray(case["final_value"]),
        hodl_end_value=unknown,
        uniform_hodl_end_value=unknown,
        daily_values=jnp.asarray(case["value_daily"]),
        bar_values=None,
        weight_change=unknown,
        fee_revenue=unknown,
    )
    names = ("returns", "annualised_returns", "daily_sharpe", "daily_log_sharpe")
    assert needs_of(names) == Need.ENDS | Need.DAILY
    assert_agree(compute_jit(names, sample, SHAPE), case["metrics"])
