"""Walk-forward and combinatorial cross-validation of a study: trains on every fold, and reports the out-of-sample result."""

from quantsim.walk_forward.comparison import Comparison, compare_outcomes
from quantsim.walk_forward.cross_validation import (
    CrossValidation,
    Grouping,
    check_cross_validation,
    run_cross_validation,
)
from quantsim.walk_forward.curves import Curve, Difference, Resampling
from quantsim.walk_forward.fold_result import FoldResult
from quantsim.walk_forward.outcome import WalkForwardOutcome, walk_forward_outcome
from quantsim.walk_forward.paths import PathsOutcome, paths_outcome
from quantsim.walk_forward.run import WalkForward, check_walk_forward, compare_trainers, run_walk_forward
from quantsim.walk_forward.schedule import Schedule
from quantsim.walk_forward.trainers import TRAINERS, Resources
from quantsim.walk_forward.training import FoldProgress

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
