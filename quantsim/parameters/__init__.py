"""Strategy parameters: names, transforms, checks, and random starting points.

A parameter has a constrained value, in units such as days, and an unconstrained one, any real number, which training changes.
The API calls constrained values ``human`` and unconstrained ones ``raw``, as quantammsim's files do the latter.
"""

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
