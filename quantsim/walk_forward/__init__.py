"""Walk-forward and combinatorial cross-validation of a study: trains on every fold, and reports what comes after."""

from quantsim.walk_forward.cross_validation import CrossValidation, Grouping, run_cross_validation
from quantsim.walk_forward.fold_result import FoldResult
from quantsim.walk_forward.run import WalkForward, compare_trainers, run_walk_forward
from quantsim.walk_forward.schedule import Schedule
from quantsim.walk_forward.trainers import TRAINERS
from quantsim.walk_forward.training import FoldProgress

__all__ = [
    "TRAINERS",
    "CrossValidation",
    "FoldProgress",
    "FoldResult",
    "Grouping",
    "Schedule",
    "WalkForward",
    "compare_trainers",
    "run_cross_validation",
    "run_walk_forward",
]
