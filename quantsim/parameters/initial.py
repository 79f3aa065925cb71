"""Starting points: several parameter sets around a given first one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.errors import ParameterError
from quantsim.parameters.parameter import Parameter, scoped
from quantsim.parameters.spec import ALT_MEMORY_DAYS, MEMORY_DAYS, SIMPLEX

__all__ = ["InitialKind", "InitialScale", "gaussian_sets", "grid_sizes", "range_sets"]

Points = Callable[[int, int, int], FloatArray]

InitialKind = Literal["gaussian", "latin_hypercube", "centered_latin_hypercube", "sobol", "grid"]
InitialScale = Literal["human", "raw"]


def gaussian_sets(
    raw: Mapping[str, FloatArray], n_sets: int, *, moved: Collection[str], spread: float, seed: int
) -> dict[str, FloatArray]:
    """Draws parameter sets around a centre. The first set is the centre.

    Args:
        raw: raw name → ``(n,)``, the centre.
        n_sets: number of sets.
        moved: raw names that get noise; the others are repeated unchanged.
        spread: standard deviation of the noise, which is added to raw values (dimensionless: logits and log2s).
        seed: seed of the noise; the same seed gives the same sets, and set ``i`` does not depend on ``n_sets``.

    Returns:
        raw name → ``(n_sets, n)``.
    """
    sets: dict[str, list[FloatArray]] = {name: [] for name in raw}
    for index in range(n_sets):
        generator = np.random.default_rng([seed, index])
        for name in sorted(raw):
            centre = np.asarray(raw[name], np.float64)
            noise = spread * generator.standard_normal(centre.shape)
            sets[name].append(centre + noise if index > 0 and name in moved else centre)
    return {name: np.stack(rows) for name, rows in sets.items()}


def range_sets(
    kind: InitialKind,
    parameters: Sequence[Parameter],
    raw: Mapping[str, FloatArray],
    n_sets: int,
    *,
    moved: Collection[str],
    seed: int,
    scale: InitialScale = "human",
    max_memory_days: float = math.inf,
) -> dict[str, FloatArray]:
    """Spreads parameter sets over the ranges of the specs, ``low`` to ``high``. The first set is the centre.

    The other ``n_sets - 1`` sets are points of a unit cube. The cube has one dimension per drawn value: one for a parameter
    whose spec is scalar, whose labels share the value, else one per label. Dimensions follow the order of ``parameters`` and
    of their labels.

    * ``latin_hypercube``: each dimension has ``n_sets - 1`` equal parts, and each part holds one point.
    * ``centered_latin_hypercube``: the same, with each point in the middle of its part.
    * ``sobol``: the first points of a scrambled Sobol sequence. Set ``i`` does not depend on ``n_sets``.
    * ``grid``: midpoints of the cells of :func:`grid_sizes`; the last dimension varies fastest. The seed has no effect.

    Args:
        kind: the method, one of the above.
        parameters: parameters of the experiment, in dependency order.
        raw: raw name → ``(m,)``, the centre.
        n_sets: number of sets.
        moved: raw names that are drawn; the others keep the centre's raw values, bit for bit.
        seed: seed of the points; the same seed and arguments give the same sets.
        scale: ``human`` draws uniformly in human units, or in their logarithm if the spec is logarithmic; ``raw`` draws
            uniformly between the raw values of the ends.
        max_memory_days: upper limit of memories, in days. Longer memories have no effect and no gradient.

    Returns:
        raw name → ``(n_sets, m)``.

    Raises:
        ParameterError: ``moved`` has the initial weights, the limit leaves no range for a memory, or no grid has
            ``n_sets - 1`` points; the message gives numbers that fit.
    """
    drawn = [parameter for parameter in parameters if parameter.raw_name in moved]
    sets = {name: np.repeat(np.asarray(value, np.float64)[None], n_sets, axis=0) for name, value in raw.items()}
    n_sides = sum(_n_sides(parameter) for parameter in drawn)
    ranges = [_range(parameter, max_memory_days) for parameter in drawn]
    if n_sets == 1 or n_sides == 0:
        return sets
    points = _POINTS[kind](n_sets - 1, n_sides, seed)
    begin = 0
    for parameter, (low, high) in zip(drawn, ranges, strict=True):
        end = begin + _n_sides(parameter)
        unit = np.broadcast_to(points[:, begin:end], (n_sets - 1, parameter.size))
        others = scoped({name: rows[1:] for name, rows in sets.items()}, parameter.group)
        sets[parameter.raw_name][1:] = _placed(parameter, unit, low, high, scale, others)
        begin = end
    return sets


def grid_sizes(n_points: int, n_sides: int) -> tuple[int, ...]:
    """Returns the points per dimension of a grid of ``n_points``. Sizes are equal, or the first ones are larger by one.

    Raises:
        ParameterError: no product of such sizes is ``n_points``; the message gives the nearest numbers that fit.

    Example:
        >>> grid_sizes(12, 3), grid_sizes(4, 4)
        ((3, 2, 2), (2, 2, 1, 1))
    """
    below, above = 1, math.inf
    for points in range(1, n_points + 1):
        for more in range(n_sides):
            product = points ** (n_sides - more) * (points + 1) ** more
            if product == n_points:
                return (points + 1,) * more + (points,) * (n_sides - more)
            below = max(below, product) if product < n_points else below
            above = min(above, product) if product > n_points else above
        if (points + 1) ** n_sides > n_points:
            above = min(above, (points + 1) ** n_sides)
            break
    fits = f"{below + 1:.0f} or {above + 1:.0f}"
    raise ParameterError(
        f"a grid over {n_sides} values cannot have {n_points} points besides the centre: the dimensions of a grid differ by "
        f"at most one point; {fits} sets fit (sgd.n_parameter_sets)"
    )


def _n_sides(parameter: Parameter) -> int:
    return 1 if parameter.spec.scalar else parameter.size


def _range(parameter: Parameter, max_memory_days: float) -> tuple[float, float]:
    """Returns the ends of a parameter's range, in human units."""
    spec, name = parameter.spec, parameter.human_name
    if spec.transform is SIMPLEX:
        raise ParameterError(
            f"{name} must sum to 1 and cannot be drawn from ranges: do not draw it, or use gaussian sets"
        )
    if spec.transform not in (MEMORY_DAYS, ALT_MEMORY_DAYS):
        return spec.low, spec.high
    if max_memory_days <= spec.low:
        raise ParameterError(
            f"{name} is drawn from {spec.low:g} to {spec.high:g} days, but update.max_memory_days = {max_memory_days:g} "
            "leaves no part of that range: use gaussian sets (sgd.initial)"
        )
    return spec.low, min(spec.high, max_memory_days)


def _placed(
    parameter: Parameter,
    unit: FloatArray,
    low: float,
    high: float,
    scale: InitialScale,
    others: Mapping[str, FloatArray],
) -> FloatArray:
    """Returns raw values, (S, m), at positions ``unit`` in a range; ``others`` are the raw values of the group so far."""
    spec, chunk_minutes = parameter.spec, parameter.chunk_minutes
    if scale == "raw":
        first, last = (spec.transform.to_raw(np.full(unit.shape, end), others, chunk_minutes) for end in (low, high))
        raw: FloatArray = first + unit * (last - first)
        return raw
    return spec.transform.to_raw(spec.between(low, high, unit), others, chunk_minutes)


def _latin_hypercube_points(n_points: int, n_sides: int, seed: int, *, centred: bool = False) -> FloatArray:
    from scipy.stats import qmc  # slow to import

    return np.asarray(
        qmc.LatinHypercube(n_sides, scramble=not centred, rng=np.random.default_rng(seed)).random(n_points)
    )


def _sobol_points(n_points: int, n_sides: int, seed: int) -> FloatArray:
    from scipy.stats import qmc

    # Sobol points are balanced only in powers of two. Drawing the next power and cutting it does not change the first points.
    sampler = qmc.Sobol(n_sides, scramble=True, rng=np.random.default_rng(seed))
    return np.asarray(sampler.random_base2((n_points - 1).bit_length())[:n_points])


def _grid_points(n_points: int, n_sides: int, _: int) -> FloatArray:
    sides = [(np.arange(size) + 0.5) / size for size in grid_sizes(n_points, n_sides)]
    return np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")], axis=-1)


_POINTS: dict[str, Points] = {
    "latin_hypercube": _latin_hypercube_points,
    "centered_latin_hypercube": functools.partial(_latin_hypercube_points, centred=True),
    "sobol": _sobol_points,
    "grid": _grid_points,
}
