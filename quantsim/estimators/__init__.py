"""Causal estimators on chunk-boundary prices, from which rules compute their decisions."""

from quantsim.estimators.memory import capped_logit, capped_memory_days
from quantsim.estimators.moving_average import moving_average
from quantsim.estimators.recurrence import linear_recurrence
from quantsim.estimators.slope import proportional_slope
from quantsim.estimators.variance import return_variance

__all__ = [
    "capped_logit",
    "capped_memory_days",
    "linear_recurrence",
    "moving_average",
    "proportional_slope",
    "return_variance",
]
