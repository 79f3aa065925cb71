"""Periods and splits that are too short for a metric of the objective: refused where it is undefined, else warned of.

Among few returns there is often no loss, and then a ratio has no risk to divide by.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quantsim.errors import WindowError
from quantsim.metrics import Need, SampleShape, get_metric
from quantsim.objective.shape import ObjectiveShape

if TYPE_CHECKING:
    from quantsim.config.driver_sections import Objective

__all__ = ["FEWEST_RETURNS", "SHORT", "check_defined", "short_periods", "short_split", "warn_once"]

logger = logging.getLogger(__name__)

SHORT = "short_periods"
"""Key of an evaluator's notes: what to warn of."""

FEWEST_RETURNS = 10
"""With as many gains as losses, one of a thousand periods of ten returns has no loss; of a rising market, one of a hundred."""


def check_defined(objective: Objective, shape: ObjectiveShape, bars_per_day: int) -> None:
    """Checks that every metric of the objective is defined over its periods: a nan for every parameter set helps nobody.

    Args:
        objective: of the study.
        shape: of the objective over its windows.
        bars_per_day: of the prices.

    Raises:
        WindowError: one is not; the message names the key.
    """
    for n_bars in sorted({period.n_bars for period in shape.periods}):
        length = SampleShape(n_bars, bars_per_day)
        for name in shape.term_metrics:
            if not get_metric(name).least.is_met(length):
                raise WindowError(
                    f"{_key(objective, shape)}: {name} is undefined over {length.days:.3g} days, so the objective would be nan "
                    "for every parameter set. Take a longer period or another metric"
                )


def short_periods(objective: Objective, shape: ObjectiveShape, bars_per_day: int) -> str | None:
    """What to warn of where a term of the objective is a ratio of few returns in some period; None where none is.

    Args:
        objective: of the study.
        shape: of the objective over its windows.
        bars_per_day: of the prices.
    """
    if len(shape.periods) == 1:
        return None
    length = SampleShape(min(period.n_bars for period in shape.periods), bars_per_day)
    found = _few(shape.term_metrics, length)
    if found is None:
        return None
    name, returns = found
    return (
        f"{_key(objective, shape)}: {name} of a period of {length.days:.3g} days rests on {returns} returns, often without a "
        f"loss among them, and then counts as its bound, {get_metric(name).bound:g}. Take longer periods or another metric"
    )


def short_split(objective: Objective, split: str, n_bars: int, bars_per_day: int) -> str | None:
    """The same for a whole split, on which the terms are not divided into periods; also where one of them is undefined."""
    names, length = [name for name, _ in objective.terms], SampleShape(n_bars, bars_per_day)
    where = f"{length.days:.3g} days of {split} data"
    for name in names:
        if split != "train" and not get_metric(name).least.is_met(length):
            return f"periods.{split}_end: {name} is undefined on {where}, and nan there. Take a longer period or another metric"
    found = _few(names, length)
    if found is None:
        return None
    name, returns = found
    return (
        f"periods.{split}_end: {name} on {where} rests on {returns} returns, often without a loss among them, and then is "
        "infinite. Take a longer period or another metric"
    )


@functools.cache
def warn_once(text: str) -> None:
    """Logs a warning, each text once in a process: a run makes several evaluators."""
    logger.warning(text)


def _key(objective: Objective, shape: ObjectiveShape) -> str:
    """The key that decides how long the periods are."""
    if objective.periods:
        return "objective.periods"
    if len(shape.periods) > 1:
        return f"objective.n_periods = {objective.n_periods}"
    return "periods.train_end, less objective.bout_offset_days" if objective.bout_offset_days else "periods.train_end"


def _few(names: Iterable[str], length: SampleShape) -> tuple[str, int] | None:
    """The first ratio with fewer returns than it needs, and how many it has."""
    for name in names:
        metric = get_metric(name)
        returns = (length.n_daily if Need.DAILY in metric.needs else length.n_bars) - 1
        if not math.isinf(metric.bound) and metric.least.is_met(length) and returns < FEWEST_RETURNS:
            return name, returns
    return None
