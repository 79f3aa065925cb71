"""Starting points: several parameter sets, the first of them given."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import ParameterError
from quantsim.parameters.parameter import Parameter, scoped
from quantsim.parameters.spec import ALT_MEMORY_DAYS, MEMORY_DAYS, SIMPLEX

__all__ = ["InitialKind", "InitialScale", "gaussian_sets", "grid_sizes", "range_sets"]

FloatArray = NDArray[np.float64]
Points = Callable[[int, int, int], FloatArray]

InitialKind = Literal["gaussian", "latin_hypercube", "centered_latin_hypercube", "sobol", "grid"]
InitialScale = Literal["human", "raw"]


def gaussian_sets(
    raw: Mapping[str, FloatArray], n_sets: int, *, moved: Collection[str], spread: float, seed: int
) -> dict[str, FloatArray]:
    """Draws parameter sets around a centre; the first one is the centre itself.

    Args:
        raw: raw name → ``(n,)``, the centre.
        n_sets: number of sets.
        moved: raw names that get noise; the others are repeated unchanged.
        spread: standard deviation of the noise, which is added to raw values (dimensionless: logits and log2s).
        seed: seed of the draw; the same seed gives the same sets, and set ``i`` does not depend on ``n_sets``.

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
    """Fills the ranges that the specs state, ``low`` to ``high``; the first set is the centre itself.

    The other ``n_sets - 1`` are points of the unit cube with one side per value moved: one for a parameter whose spec is
    scalar, which all its labels then share, else one per label; in the order of ``parameters``, then of their labels.

    * ``latin_hypercube``: each side is cut into ``n_sets - 1`` equal parts, and each part holds one point.
    * ``centered_latin_hypercube``: the same, each point in the middle of its part.
    * ``sobol``: the first points of a scrambled Sobol sequence. Set ``i`` does not depend on ``n_sets``.
    * ``grid``: midpoints of the cells of :func:`grid_sizes`, the last side running fastest. The seed changes nothing.

    Args:
        kind: one of these.
        parameters: of the experiment, in dependency order.
        raw: raw name → ``(m,)``, the centre.
        n_sets: number of sets.
        moved: raw names that are drawn; the others keep the centre's raw values, bit for bit.
        seed: the same seed and arguments give the same sets.
        scale: ``human`` draws evenly in human units, in their logarithm where the spec is logarithmic; ``raw`` evenly
            between the raw forms of the ends.
        max_memory_days: memories are drawn up to it; beyond an experiment's cap they would have no gradient.

    Returns:
        raw name → ``(n_sets, m)``.

    Raises:
        ParameterError: initial weights are to be drawn, the cap leaves a memory no range, or no grid has ``n_sets - 1``
            points; the message says which numbers fit.
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
    """Points per side of the grid of ``n_points``: all sides alike, or the first ones with one point more than the rest.

    Raises:
        ParameterError: no product of such sizes is ``n_points``; the message gives the nearest that are.

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
        f"a grid over {n_sides} values cannot have {n_points} points beside the centre: the sides of a grid differ by one "
        f"point at most; {fits} sets fit (sgd.n_parameter_sets)"
    )


def _n_sides(parameter: Parameter) -> int:
    return 1 if parameter.spec.scalar else parameter.size


def _range(parameter: Parameter, max_memory_days: float) -> tuple[float, float]:
    """The ends of a parameter's range, in human units."""
    spec, name = parameter.spec, parameter.human_name
    if spec.transform is SIMPLEX:
        raise ParameterError(
            f"{name} must sum to 1 and cannot be drawn from ranges: leave it where it is, or use gaussian sets"
        )
    if spec.transform not in (MEMORY_DAYS, ALT_MEMORY_DAYS):
        return spec.low, spec.high
    if max_memory_days <= spec.low:
        raise ParameterError(
            f"{name} is drawn from {spec.low:g} to {spec.high:g} days, and update.max_memory_days = {max_memory_days:g} "
            "leaves nothing of that: use gaussian sets (sgd.initial)"
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
    """Raw values, (S, m), at the places ``unit`` of a range; ``others`` are the raw values of the group so far."""
    spec, chunk_minutes = parameter.spec, parameter.chunk_minutes
    if scale == "raw":
        first, last = (spec.transform.to_raw(np.full(unit.shape, end), others, chunk_minutes) for end in (low, high))
        raw: FloatArray = first + unit * (last - first)
        return raw
    return spec.transform.to_raw(spec.between(low, high, unit), others, chunk_minutes)


def _latin_hypercube_points(n_points: int, n_sides: int, seed: int, *, centred: bool = False) -> FloatArray:
    from scipy.stats import qmc  # takes long to import

    return np.asarray(
        qmc.LatinHypercube(n_sides, scramble=not centred, rng=np.random.default_rng(seed)).random(n_points)
    )


def _sobol_points(n_points: int, n_sides: int, seed: int) -> FloatArray:
    from scipy.stats import qmc

    # Balanced only in powers of two: the next one is drawn and cut, which also leaves the first points what they are.
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
