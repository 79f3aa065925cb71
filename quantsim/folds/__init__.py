"""Splits of a time range into training and test data. Pure: knows dates and counts, but no experiments and no prices."""

from quantsim.folds.combinatorial import Combinatorial, PurgedSplit, combinatorial
from quantsim.folds.walk_forward import SCHEMES, Fold, Scheme, Span, walk_forward

__all__ = ["SCHEMES", "Combinatorial", "Fold", "PurgedSplit", "Scheme", "Span", "combinatorial", "walk_forward"]
