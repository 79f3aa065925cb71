"""Search spaces: which parameters a search moves, and in which ranges."""

from quantsim.search_space.space import Dimension, Draw, HumanParams, SearchSpace
from quantsim.search_space.space_file import load_search_space

__all__ = ["Dimension", "Draw", "HumanParams", "SearchSpace", "load_search_space"]
