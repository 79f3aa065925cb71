"""Checks of parameter sets that a caller gives, before anything is computed with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.errors import ParameterError, nearest
from quantsim.parameters import Parameter

__all__ = ["checked_sets"]


def checked_sets(
    layout: Sequence[Parameter], params: Mapping[str, ArrayLike], n_axes: int
) -> dict[str, NDArray[np.float64]]:
    """Returns the parameters as arrays with ``n_axes`` axes, sorted by name. The last axis is that of a parameter's values.

    Args:
        layout: parameters of the pool.
        params: raw name → (m,), (S, m) or more axes.
        n_axes: number of axes.

    Raises:
        ParameterError: a parameter is unknown, missing or of the wrong shape, or the numbers of sets differ.
    """
    sizes = {parameter.raw_name: parameter.size for parameter in layout}
    for name in params:
        if name not in sizes:
            raise ParameterError(f"unknown raw parameter {name!r}: {nearest(name, sizes)}")
    arrays: dict[str, NDArray[np.float64]] = {}
    for name, size in sorted(sizes.items()):
        if name not in params:
            raise ParameterError(f"raw parameter {name!r} is missing: Experiment.initial_parameters completes a set")
        array = np.asarray(params[name], np.float64)
        if array.ndim != n_axes or array.shape[-1] != size:
            expected = f"({size},)" if n_axes == 1 else f"(S, {size})"
            raise ParameterError(f"{name} has shape {array.shape}, but must have shape {expected}")
        first = next(iter(arrays), name)
        if arrays and array.shape[:-1] != arrays[first].shape[:-1]:
            numbers = f"{name} has {len(array)} sets, but {first} has {len(arrays[first])}"
            raise ParameterError(f"{numbers}: give all parameters of each set")
        arrays[name] = array
    return arrays
