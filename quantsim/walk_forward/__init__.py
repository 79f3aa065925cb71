"""Walk-forward and combinatorial cross-validation of a study: trains on every fold, and reports what comes after."""

from quantsim.walk_forward.fold_result import FoldResult

__all__ = ["FoldResult"]
