"""Walk-forward and combinatorial cross-validation of a study: trains on every fold, and reports the out-of-sample result."""

from quantsim.out_of_sample.comparison import Comparison, compare_outcomes
from quantsim.out_of_sample.cross_validation import (
    CrossValidation,
    Grouping,
    check_cross_validation,
    run_cross_validation,
)
from quantsim.out_of_sample.curves import Curve, Difference, Resampling
from quantsim.out_of_sample.fold_result import FoldResult
from quantsim.out_of_sample.outcome import WalkForwardOutcome, walk_forward_outcome
from quantsim.out_of_sample.paths import PathsOutcome, paths_outcome
from quantsim.out_of_sample.run import WalkForward, check_walk_forward, compare_trainers, run_walk_forward
from quantsim.out_of_sample.schedule import Schedule
from quantsim.out_of_sample.trainers import TRAINERS, Resources
from quantsim.out_of_sample.training import FoldProgress

__all__ = [
    "TRAINERS",
    "Comparison",
    "CrossValidation",
    "Curve",
    "Difference",
    "FoldProgress",
    "FoldResult",
    "Grouping",
    "PathsOutcome",
    "Resampling",
    "Resources",
    "Schedule",
    "WalkForward",
    "WalkForwardOutcome",
    "check_cross_validation",
    "check_walk_forward",
    "compare_outcomes",
    "compare_trainers",
    "paths_outcome",
    "run_cross_validation",
    "run_walk_forward",
    "walk_forward_outcome",
]
