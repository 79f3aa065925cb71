"""Splits of a time range into training and test data. Pure: knows dates and counts, but no experiments and no prices."""

from quantsim.folds.chronological import SCHEMES, Fold, Scheme, Span, walk_forward
from quantsim.folds.purged import Combinatorial, PurgedSplit, combinatorial

__all__ = ["SCHEMES", "Combinatorial", "Fold", "PurgedSplit", "Scheme", "Span", "combinatorial", "walk_forward"]
