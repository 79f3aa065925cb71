"""The static shape of an objective, for which a program is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from quantsim.metrics import get_metric, metric_names
from quantsim.objective.aggregate import Aggregate
from quantsim.objective.periods import Period, dated_periods, even_periods, period_bars, random_periods

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective

__all__ = ["OBJECTIVE", "ObjectiveShape", "is_cost", "objective_shape", "shown_value", "superlative", "unit_of"]

OBJECTIVE = "objective"
"""Name of the combined number among the metrics, if it is not simply one of them."""


@dataclass(frozen=True)
class ObjectiveShape:
    """An objective over windows of one length; hashable.

    Attributes:
        terms: the weighted sum: pairs of metric and weight.
        periods: parts of the window over which the terms are computed.
        aggregate: how the sums of the periods are combined; see :func:`quantsim.objective.aggregate`.
        softmin_temperature: temperature of ``softmin``, in units of the sum.
        quantile: level of ``quantile``.
        constraints: pairs of metric and minimum, over the whole window.
        constraint_penalty: penalty on a violation of 100 %, in units of the sum.
    """

    terms: tuple[tuple[str, float], ...]
    periods: tuple[Period, ...]
    aggregate: Aggregate = "mean"
    softmin_temperature: float = 1.0
    quantile: float = 0.25
    constraints: tuple[tuple[str, float], ...] = ()
    constraint_penalty: float = 10.0

    @property
    def term_metrics(self) -> tuple[str, ...]:
        """Metrics that are computed for every period."""
        return tuple(name for name, _ in self.terms)

    @property
    def constraint_metrics(self) -> tuple[str, ...]:
        """Metrics that are computed for the whole window."""
        return tuple(name for name, _ in self.constraints)

    @property
    def period_names(self) -> dict[str, tuple[str, ...]]:
        """Term → names of its values per period, and of their mean, deviation and worst; empty for a single period."""
        if len(self.periods) == 1:
            return {}
        suffixes = ("mean", "std", "worst", *(f"period_{index}" for index in range(1, len(self.periods) + 1)))
        return {name: tuple(f"{name}.{suffix}" for suffix in suffixes) for name in self.term_metrics}


def unit_of(name: str) -> str:
    """Returns the unit of a stored value by its name: a metric, the objective, or a metric of a period; "" if none."""
    return "" if name == OBJECTIVE else get_metric(name.partition(".")[0]).unit


def is_cost(name: str) -> bool:
    """Whether a stored value, by its name, is a cost: a metric or a metric of a period that is stored negated."""
    metric, _, part = name.partition(".")
    return metric in metric_names() and part != "std" and get_metric(metric).cost


def shown_value(name: str, value: float) -> float:
    """Returns a stored value as it is displayed: costs are negated to be positive."""
    return 0.0 - value if is_cost(name) else value  # not -value, which gives -0.0 for 0.0


def superlative(name: str) -> str:
    """Returns the word for the best value of a name: ``highest``, or ``lowest`` for costs."""
    return "lowest" if is_cost(name) else "highest"


def objective_shape(
    objective: Objective,
    n_bars: int,
    *,
    seed: int,
    whole: bool = False,
    bar_of: Callable[[datetime], int] | None = None,
) -> ObjectiveShape:
    """Returns the shape of an objective over windows of ``n_bars`` bars.

    Args:
        objective: objective of the study.
        n_bars: length of the windows.
        seed: seed of the random periods.
        whole: whether the whole window is the only period, as on validation and test data.
        bar_of: as in :func:`quantsim.objective.dated_periods`; required for periods by date.

    Raises:
        WindowError: periods do not fit into the window.
    """
    n_even, n_random, overlap = objective.n_periods, objective.n_random_periods, objective.period_overlap
    if whole:
        periods: tuple[Period, ...] = (Period(0, n_bars),)
    elif objective.periods:
        if bar_of is None:
            raise ValueError("periods by date need bar_of")
        periods = dated_periods(objective.periods, bar_of, n_bars)
    else:
        periods = even_periods(n_bars, n_even, overlap)
        if n_random:
            periods += random_periods(n_bars, n_random, int(period_bars(n_bars, n_even, overlap)), seed)
    return ObjectiveShape(
        terms=objective.terms,
        periods=periods,
        aggregate=objective.aggregate,
        softmin_temperature=objective.softmin_temperature,
        quantile=objective.quantile,
        constraints=objective.constraints,
        constraint_penalty=objective.constraint_penalty,
    )
