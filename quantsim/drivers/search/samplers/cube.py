"""Trial parameters as points of the unit cube, one side each, and what samplers that draw there have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

__all__ = ["CubeSampler", "from_unit", "to_unit"]


class CubeSampler(BaseSampler):
    """A sampler that draws all parameters of a trial at once, as a point of the unit cube. Whoever asks knows the space."""

    def __init__(self, seed: int) -> None:
        """``seed`` is of parameters that are asked for one by one, and drawn at random."""
        self._independent = RandomSampler(seed=seed)

    @abstractmethod
    def place(
        self, study: Study, trial: FrozenTrial, names: Sequence[str], space: Mapping[str, BaseDistribution]
    ) -> NDArray[np.float64] | None:
        """The point, one coordinate for each of the sorted names; None where these are too few."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: whoever asks knows the space."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values at the point."""
        names = sorted(search_space)
        place = self.place(study, trial, names, search_space)
        if place is None:
            return {}
        return {name: from_unit(search_space[name], float(x)) for name, x in zip(names, place, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def from_unit(distribution: BaseDistribution, place: float) -> Any:
    """The value at a place between 0 and 1: even in the range or its logarithm; of steps and choices each has equal room."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_cell(place, len(distribution.choices))]
    span = _range(distribution)
    low, high = span.low, span.high
    if span.step is not None:
        return low + span.step * _cell(place, _n_steps(span, span.step))
    value = low * (high / low) ** place if span.log else low + place * (high - low)
    return min(max(value, low), high)  # rounding


def to_unit(distribution: BaseDistribution, value: Any) -> float:
    """A place that :func:`from_unit` takes to the value: of steps and choices the middle of their room."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value) + 0.5) / len(distribution.choices)
    span = _range(distribution)
    low, high = span.low, span.high
    if span.step is not None:
        return float(round((value - low) / span.step) + 0.5) / _n_steps(span, span.step)
    if span.log:
        return float(math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return float((value - low) / (high - low))


def _range(distribution: BaseDistribution) -> FloatDistribution:
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"{distribution!r} is neither a range nor a choice")
    return distribution


def _n_steps(span: FloatDistribution, step: float) -> int:
    return 1 + round((span.high - span.low) / step)  # Optuna cuts high to a whole step


def _cell(place: float, n_cells: int) -> int:
    return min(int(place * n_cells), n_cells - 1)
