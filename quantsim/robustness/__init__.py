"""How a result changes if what it rests on changes a little."""

from quantsim.robustness.neighbours import neighbours, raw_bounds

__all__ = ["neighbours", "raw_bounds"]
