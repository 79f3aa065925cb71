"""The robustness of a result to small changes of parameters, prices, start and costs."""

from quantsim.robustness.evaluate import check_request, evaluate_robustness, robustness_of
from quantsim.robustness.neighbours import neighbours, raw_bounds
from quantsim.robustness.report import PERCENTILES, Robustness, Spread, Varied
from quantsim.robustness.variations import KINDS, Kind, Variations

__all__ = [
    "KINDS",
    "PERCENTILES",
    "Kind",
    "Robustness",
    "Spread",
    "Variations",
    "Varied",
    "check_request",
    "evaluate_robustness",
    "neighbours",
    "raw_bounds",
    "robustness_of",
]
