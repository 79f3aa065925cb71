"""Strategy parameters: names, transforms, checks, and random starting points."""

from quantsim.parameters.initial import gaussian_sets, range_sets
from quantsim.parameters.parameter import Parameter, bind, scoped
from quantsim.parameters.resolve import replaced, to_human, to_raw
from quantsim.parameters.spec import ParameterSpec, Transform

__all__ = [
    "Parameter",
    "ParameterSpec",
    "Transform",
    "bind",
    "gaussian_sets",
    "range_sets",
    "replaced",
    "scoped",
    "to_human",
    "to_raw",
]
