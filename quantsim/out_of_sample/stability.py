"""The stability of the selected parameters over the folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quantsim.config import Experiment
from quantsim.parameters import to_human

__all__ = ["Stability", "stability_of"]


@dataclass(frozen=True)
class Stability:
    """One number of the parameters over F folds, in human units.

    Attributes:
        name: name of the parameter, with its token in brackets if it has one value for each.
        unit: unit; empty if it has none.
        values: (F,) in the order of the folds.
        lower_quartile: 25 % of the folds are below.
        median: the median.
        upper_quartile: 25 % of the folds are above.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    lower_quartile: float
    median: float
    upper_quartile: float

    @property
    def relative_spread(self) -> float:
        """The distance of the quartiles divided by the median's magnitude; nan for a median of 0."""
        if self.median == 0.0:
            return float("nan")
        return (self.upper_quartile - self.lower_quartile) / abs(self.median)


def stability_of(experiment: Experiment, sets: Sequence[Mapping[str, np.ndarray]]) -> tuple[Stability, ...]:
    """Returns the stability of every parameter that a driver may change.

    Args:
        experiment: the study.
        sets: raw parameters of each fold, name → (m,).
    """
    human = [to_human(experiment.layout, dict(params)) for params in sets]
    found = []
    for parameter in experiment.layout:
        if not (parameter.trainable or parameter.searchable):
            continue
        for index, label in enumerate(parameter.labels):
            values = tuple(float(one[parameter.human_name][index]) for one in human)
            lower, median, upper = (float(value) for value in np.quantile(values, [0.25, 0.5, 0.75]))
            name = parameter.human_name if parameter.size == 1 else f"{parameter.human_name}[{label}]"
            found.append(Stability(name, parameter.spec.unit, values, lower, median, upper))
    return tuple(found)
