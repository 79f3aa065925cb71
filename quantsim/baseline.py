"""Baselines: what a result is compared with, evaluated like a parameter set of the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BASELINES", "Baseline"]

FloatArray = NDArray[np.float64]

BASELINES = ("study", "constant_weights", "hodl")
"""Names of the baselines: the study's own parameters, the same pool with constant weights, and holding the initial reserves."""


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
