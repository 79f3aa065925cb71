"""The static shape of an objective: everything a compiled program is specialised to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from quantsim.metrics import get_metric, metric_names
from quantsim.objective.aggregate import Aggregate
from quantsim.objective.periods import Period, dated_periods, even_periods, period_bars, random_periods

if TYPE_CHECKING:
    from quantsim.config.driver_sections import Objective

__all__ = ["OBJECTIVE", "ObjectiveShape", "is_cost", "objective_shape", "shown_value", "superlative", "unit_of"]

OBJECTIVE = "objective"
"""What the combined number is called among the metrics, where it is not simply one of them."""


@dataclass(frozen=True)
class ObjectiveShape:
    """An objective over windows of one length; hashable.

    Attributes:
        terms: (metric, weight) of what is summed.
        periods: parts of the window over which the terms are taken.
        aggregate: how the periods' sums become one number; see :func:`quantsim.objective.aggregate`.
        softmin_temperature: of ``softmin``, in units of the sum.
        quantile: of ``quantile``.
        constraints: (metric, minimum) over the whole window.
        constraint_penalty: what a violation of 100 % costs, in units of the sum.
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
        """Metrics needed of every period."""
        return tuple(name for name, _ in self.terms)

    @property
    def constraint_metrics(self) -> tuple[str, ...]:
        """Metrics needed of the whole window."""
        return tuple(name for name, _ in self.constraints)

    @property
    def period_names(self) -> dict[str, tuple[str, ...]]:
        """Term → names of its values of every period, and of their mean, standard deviation and worst; none of one period."""
        if len(self.periods) == 1:
            return {}
        suffixes = ("mean", "std", "worst", *(f"period_{index}" for index in range(1, len(self.periods) + 1)))
        return {name: tuple(f"{name}.{suffix}" for suffix in suffixes) for name in self.term_metrics}


def unit_of(name: str) -> str:
    """The unit of what is stored under a name: a metric, the objective, or a metric of a period; "" for none."""
    return "" if name == OBJECTIVE else get_metric(name.partition(".")[0]).unit


def is_cost(name: str) -> bool:
    """Whether what is stored under a name has the minus of a cost: a metric, or a metric of a period."""
    metric, _, part = name.partition(".")
    return metric in metric_names() and part != "std" and get_metric(metric).cost


def shown_value(name: str, value: float) -> float:
    """What is stored under a name as people are shown it: a cost without its minus, else the value itself."""
    return 0.0 - value if is_cost(name) else value  # 0 - 0 has no sign


def superlative(name: str) -> str:
    """What the best value under a name is called: ``highest``, or ``lowest`` of costs."""
    return "lowest" if is_cost(name) else "highest"


def objective_shape(
    objective: Objective,
    n_bars: int,
    *,
    seed: int,
    whole: bool = False,
    bar_of: Callable[[datetime], int] | None = None,
) -> ObjectiveShape:
    """The objective of an experiment over windows of ``n_bars`` bars.

    Args:
        objective: of the study.
        n_bars: length of the windows.
        seed: of the random periods.
        whole: whether the window is its own only period, as on validation and test data.
        bar_of: as :func:`quantsim.objective.dated_periods` wants it; needed for periods by date.

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
