"""Strategy parameters: how they are named, transformed, checked, and drawn as starting points."""

from quantsim.parameters.initial import gaussian_sets
from quantsim.parameters.resolve import to_human, to_raw
from quantsim.parameters.spec import ParameterSpec, Transform

__all__ = ["ParameterSpec", "Transform", "gaussian_sets", "to_human", "to_raw"]
