"""The objective: metrics over the periods of a window, combined into one number. See docs/objectives.md.

Gradient training and search use the same code: :class:`ObjectiveShape` is static, and :func:`combine` is traced.
"""

from quantsim.objective.aggregate import aggregate
from quantsim.objective.combine import combine, violation
from quantsim.objective.periods import Period, dated_periods, even_periods, random_periods
from quantsim.objective.reasons import nan_reason
from quantsim.objective.shape import (
    OBJECTIVE,
    ObjectiveShape,
    is_cost,
    objective_shape,
    shown_value,
    superlative,
    unit_of,
)
from quantsim.objective.short import SHORT, check_defined, short_periods, short_split, warn_once

__all__ = [
    "OBJECTIVE",
    "SHORT",
    "ObjectiveShape",
    "Period",
    "aggregate",
    "check_defined",
    "combine",
    "dated_periods",
    "even_periods",
    "is_cost",
    "nan_reason",
    "objective_shape",
    "random_periods",
    "short_periods",
    "short_split",
    "shown_value",
    "superlative",
    "unit_of",
    "violation",
    "warn_once",
]
