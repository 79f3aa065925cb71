"""Warns of periods too short for a ratio: among few returns there is often no loss, and then the ratio has no denominator."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quantsim.metrics import Need, SampleShape, get_metric
from quantsim.objective.shape import ObjectiveShape

if TYPE_CHECKING:
    from quantsim.config.driver_sections import Objective

__all__ = ["FEWEST_RETURNS", "SHORT", "short_periods", "short_split", "warn_once"]

logger = logging.getLogger(__name__)

SHORT = "short_periods"
"""Key of an evaluator's notes: what to warn of."""

FEWEST_RETURNS = 10
"""With as many gains as losses, one of a thousand periods of ten returns has no loss; of a rising market, one of a hundred."""


def short_periods(objective: Objective, shape: ObjectiveShape, bars_per_day: int) -> str | None:
    """What to warn of where a term of the objective is a ratio of few returns in some period; None where none is.

    Args:
        objective: of the study.
        shape: of the objective over its windows.
        bars_per_day: of the prices.
    """
    if len(shape.periods) == 1:
        return None
    shortest = min(period.n_bars for period in shape.periods)
    found = _few(shape.term_metrics, SampleShape(shortest, bars_per_day))
    if found is None:
        return None
    key = "objective.periods" if objective.periods else f"objective.n_periods = {objective.n_periods}"
    name, returns = found
    return (
        f"{key}: {name} of a period of {shortest / bars_per_day:.3g} days rests on {returns} returns, often without a loss "
        f"among them, and then counts as its bound, {get_metric(name).bound:g}. Take longer periods or another metric"
    )


def short_split(objective: Objective, split: str, n_bars: int, bars_per_day: int) -> str | None:
    """The same for a whole split, on which the terms are not divided into periods."""
    found = _few([name for name, _ in objective.terms], SampleShape(n_bars, bars_per_day))
    if found is None:
        return None
    name, returns = found
    return (
        f"periods.{split}_end: {name} on {n_bars / bars_per_day:.3g} days of {split} data rests on {returns} returns, often "
        "without a loss among them, and then is infinite. Take a longer period or another metric"
    )


@functools.cache
def warn_once(text: str) -> None:
    """Logs a warning, each text once in a process: a run makes several evaluators."""
    logger.warning(text)


def _few(names: Iterable[str], shape: SampleShape) -> tuple[str, int] | None:
    """The first ratio with fewer returns than it needs, and how many it has; one without any is nan, and fails."""
    for name in names:
        metric = get_metric(name)
        returns = (shape.n_daily if Need.DAILY in metric.needs else shape.n_bars) - 1
        if not math.isinf(metric.bound) and 0 < returns < FEWEST_RETURNS:
            return name, returns
    return None
