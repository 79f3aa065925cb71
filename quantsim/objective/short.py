"""Checks for periods and splits that are too short for a metric of the objective.

It is an error if the metric is undefined. There is a warning if it is likely to be extreme: few returns often have no loss,
so a ratio has no risk to divide by, and the return of a few days, compounded to a year, may be any number.
"""

from __future__ import annotations

import functools
import logging
import math
from typing import TYPE_CHECKING

from quantsim.errors import WindowError
from quantsim.metrics import Need, SampleShape, get_metric
from quantsim.objective.shape import ObjectiveShape

if TYPE_CHECKING:
    from quantsim.objective.settings import Objective

__all__ = ["FEWEST_DAYS", "FEWEST_RETURNS", "SHORT", "check_defined", "short_periods", "short_split", "warn_once"]

logger = logging.getLogger(__name__)

SHORT = "short_periods"
"""Key of an evaluator's notes for the warning."""

FEWEST_RETURNS = 10
"""If gains and losses are equally likely, one in a thousand periods of ten returns has no loss; in a rising market, one in a
hundred."""


FEWEST_DAYS = 30.0
"""Shortest period of a ratio with a return compounded to a year: 10 % in a month are 219 % in a year, 10 % in three days are
eleven million percent."""


def check_defined(objective: Objective, shape: ObjectiveShape, bars_per_day: int) -> None:
    """Checks that every metric of the objective is defined over its periods. Otherwise every parameter set would be nan.

    Args:
        objective: objective of the study.
        shape: shape of the objective over its windows.
        bars_per_day: number of price bars in a day.

    Raises:
        WindowError: a metric is undefined; the message names the key.
    """
    for n_bars in sorted({period.n_bars for period in shape.periods}):
        length = SampleShape(n_bars, bars_per_day)
        for name in shape.term_metrics:
            if not get_metric(name).least.is_met(length):
                raise WindowError(
                    f"{_key(objective, shape)}: {name} is undefined over {length.days:.3g} days, so the objective would be nan "
                    "for every parameter set. Take a longer period or another metric"
                )


def short_periods(
    objective: Objective, shape: ObjectiveShape, bars_per_day: int, *, several_windows: bool = False
) -> str | None:
    """Returns a warning if a term of the objective is a ratio of few returns in some period; else None.

    Args:
        objective: objective of the study.
        shape: shape of the objective over its windows.
        bars_per_day: number of price bars in a day.
        several_windows: whether the mean over several windows is used, so that values are combined even with one period.
    """
    if len(shape.periods) == 1 and not several_windows:
        return None
    length = SampleShape(min(period.n_bars for period in shape.periods), bars_per_day)
    for name in shape.term_metrics:
        reason = _few_returns(name, length) or _compounds(name, length)
        if reason is not None:
            return (
                f"{_key(objective, shape)}: {name} of a period of {length.days:.3g} days {reason}. It then counts as its "
                f"bound, {get_metric(name).bound:g}. Take longer periods or another metric"
            )
    return None


def short_split(objective: Objective, split: str, n_bars: int, bars_per_day: int) -> str | None:
    """Returns a warning if a term is a ratio of few returns on a split, or undefined on validation or test data; else None."""
    names, length = [name for name, _ in objective.terms], SampleShape(n_bars, bars_per_day)
    where = f"{length.days:.3g} days of {split} data"
    for name in names:
        if split != "train" and not get_metric(name).least.is_met(length):
            return f"periods.{split}_end: {name} is undefined on {where}, so it is nan. Take a longer period or another metric"
        reason = _few_returns(name, length)
        if reason is not None:
            return (
                f"periods.{split}_end: {name} on {where} {reason}. It is then infinite. Take a longer period or another "
                "metric"
            )
    return None


@functools.cache
def warn_once(text: str) -> None:
    """Logs a warning once per process and text, because a run makes several evaluators."""
    logger.warning(text)


def _key(objective: Objective, shape: ObjectiveShape) -> str:
    """Names the key that sets the length of the periods."""
    if objective.periods:
        return "objective.periods"
    if len(shape.periods) > 1:
        return f"objective.n_periods = {objective.n_periods}"
    return "periods.train_end, less objective.bout_offset_days" if objective.bout_offset_days else "periods.train_end"


def _few_returns(name: str, length: SampleShape) -> str | None:
    """Says that a ratio has so few returns that often none is a loss; None if it has enough, or is not a ratio."""
    metric = get_metric(name)
    returns = (length.n_daily if Need.DAILY in metric.needs else length.n_bars) - 1
    if math.isinf(metric.bound) or not metric.least.is_met(length) or returns >= FEWEST_RETURNS:
        return None
    return f"rests on {returns} returns, often without a loss among them"


def _compounds(name: str, length: SampleShape) -> str | None:
    """Says that a ratio compounds the return of a short sample to a year; None if it does not."""
    metric = get_metric(name)
    if math.isinf(metric.bound) or Need.ENDS not in metric.needs or length.days >= FEWEST_DAYS:
        return None
    return f"compounds the return to a year, to the power of {length.samples_per_year:.3g}, which often gives extreme values"
