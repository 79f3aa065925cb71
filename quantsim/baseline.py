"""Baselines: pools that every result is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quantsim.array_types import FloatArray

__all__ = ["BASELINES", "BENCHMARK", "HODL", "TITLES", "Baseline"]


BENCHMARK, HODL = "constant_weights", "hodl"
BASELINES = ("study", BENCHMARK, HODL)
"""Names of the baselines: the study's own parameters, the same pool with constant weights, and holding the initial reserves.

Skill is measured against :data:`BENCHMARK`, the same pool with constant weights."""

TITLES = {"study": "study's own parameters", BENCHMARK: "constant weights", HODL: "HODL"}
"""Name of a baseline → its name in tables, pictures and sentences."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """The results of a baseline on every split.

    Attributes:
        name: one of :data:`BASELINES`.
        metrics: split → metric → value, with the metrics of the study's evaluator.
        daily_log_returns: split → (D-1,) daily log returns of the pool's value, for a split of ``D`` days.
    """

    name: str
    metrics: Mapping[str, Mapping[str, float]]
    daily_log_returns: Mapping[str, FloatArray]
