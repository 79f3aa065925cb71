"""The experiments that pools are checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantsim.config import Experiment
from quantsim.pools import Pool

__all__ = ["BAR_MINUTES", "CHARGES", "CHUNK_MINUTES", "conformance_experiment", "fixed_curve_experiment"]

BAR_MINUTES, CHUNK_MINUTES, MEMORY_DAYS = 240, 1440, 3.0

CHARGES = {
    "swap_fee": 0.003,
    "arb_fee": 0.0005,
    "gas_cost_usd": 1.0,
    "noise_trader_ratio": 0.5,
    "protocol_fee_split": 0.25,
}


def fixed_curve_experiment(
    pool: Pool | str,
    tables: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    fees: Mapping[str, float],
    experiment: Experiment,
) -> Experiment:
    """Returns the experiment with the settings and parameters of ``Pool.fixed_curve``."""
    own = tables.get("pool", {})
    kept = {key: value for key, value in settings.items() if "rule" not in own or key != "ensemble"}
    return conformance_experiment(pool, {**kept, **own}, fees, len(experiment.tokens), tables.get("parameters", {}))


def conformance_experiment(
    pool: Pool | str,
    settings: Mapping[str, Any],
    fees: Mapping[str, float],
    n_tokens: int,
    parameters: Mapping[str, Any] | None = None,
) -> Experiment:
    """Returns the experiment that a pool is checked with; arguments as of :func:`quantsim.testing.check_pool`."""
    return Experiment.from_dict(
        {
            "data": {"tokens": [f"token {at}" for at in range(n_tokens)]},
            "periods": {"train_start": "2021-01-01", "train_end": "2021-02-01"},
            "pool": {"type": pool, **settings},
            "update": {"chunk_minutes": CHUNK_MINUTES, "max_memory_days": MEMORY_DAYS},
            "fees": dict(fees),
            "parameters": dict(parameters or {}),
        }
    )
