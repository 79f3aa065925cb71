"""Metrics over a grid of parameters, the product of ranges, evaluated in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.limits import LARGEST_VALUE, MOST_CELLS
from quantsim.metrics import get_metric
from quantsim.objective import SHORT, warn_once
from quantsim.parameters import Parameter, common, scoped, to_human
from quantsim.parameters.spec import SIMPLEX
from quantsim.prices import PriceData
from quantsim.ranking import TIE_METRIC, best_index
from quantsim.simulator.evaluator import Evaluator

__all__ = ["Axis", "Cell", "Grid", "evaluate_grid", "grid_sets"]

Table = dict[str, dict[str, FloatArray]]

_OPT_IN = {spec.human_name for spec in (common.swap_fee, common.minimum_weights, common.maximum_weights)}


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: a parameter and its values.

    Attributes:
        name: human-readable name, for all labels (``memory_days``) or one (``memory_days[BTC]``), with the group if it has one
            (``fast.memory_days``).
        low: first value, in human units.
        high: last value, in human units.
        n_points: number of values, including both ends.
        log: whether the values are evenly spaced on a logarithmic scale.

    Raises:
        ParameterError: ``low`` is not less than ``high``, an end is not finite, or not positive on a logarithmic axis, or there
            are fewer than two points, or more than :data:`~quantsim.limits.MOST_CELLS`.
    """

    name: str
    low: float
    high: float
    n_points: int
    log: bool = False

    def __post_init__(self) -> None:
        ends = f"axis {self.name}: low = {self.low:g}, high = {self.high:g}"
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ParameterError(f"{ends}: give finite ends with low < high")
        if self.log and self.low <= 0:
            raise ParameterError(f"{ends}: a logarithmic axis needs low > 0; raise low, or make the axis linear")
        if self.n_points < 2:
            raise ParameterError(f"axis {self.name}: {self.n_points} points are too few: give 2 or more")
        if self.n_points > MOST_CELLS:
            raise ParameterError(f"axis {self.name}: {self.n_points:,} points are too many: at most {MOST_CELLS:,}")

    @property
    def values(self) -> FloatArray:
        """The values, (n_points,), in human units."""
        space = np.geomspace if self.log else np.linspace
        return np.asarray(space(self.low, self.high, self.n_points), np.float64)

    @property
    def parameter(self) -> str:
        """The parameter's name without a label."""
        return self.name.partition("[")[0]

    @property
    def label(self) -> str | None:
        """The label of the parameter that the axis varies; None for all."""
        _, bracket, label = self.name.partition("[")
        return label.removesuffix("]") if bracket else None


@dataclass(frozen=True)
class Cell:
    """One cell of a grid, with the metric and split that selected it.

    Attributes:
        index: position in the grid, one number per axis.
        values: axis name → value, in human units.
        raw: whole parameter set, raw name → (m,).
        metrics: split → metric → value.
        metric: metric that was maximised.
        chosen_by: split that it was maximised on.
        at_end_of: names of the axes at whose end the cell is; values beyond might be better.
    """

    index: tuple[int, ...]
    values: dict[str, float]
    raw: dict[str, FloatArray]
    metrics: dict[str, dict[str, float]]
    metric: str
    chosen_by: str
    at_end_of: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """Metrics over a grid.

    Attributes:
        axes: axes of the grid.
        metrics: split → metric → array of the grid's shape.
        sets: raw name → (number of cells, m), with the last axis varying fastest.
        notes: notes for readers of the results: warm-up, filled gaps.
        ties: split → the metric that breaks ties (the return), with the grid's shape.
    """

    axes: tuple[Axis, ...]
    metrics: Table
    sets: dict[str, FloatArray]
    notes: dict[str, Any]
    ties: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of points per axis."""
        return tuple(axis.n_points for axis in self.axes)

    def best(self, metric: str | None = None, split: str = "train") -> Cell:
        """Returns the cell with the highest value of a metric on a split, ignoring nan.

        The highest return on that split breaks ties; among equal returns, the first cell is returned.

        Args:
            metric: name of an evaluated metric; by default, the first.
            split: split that selects; test data only select if you name them here.

        Raises:
            ConfigError: there is no such split or metric, or all its values are nan.
        """
        if split not in self.metrics:
            raise ConfigError(f"split = {split!r}: {nearest(split, self.metrics)}")
        table = self.metrics[split]
        metric = next(iter(table)) if metric is None else metric
        if metric not in table:
            raise ConfigError(f"metric {metric!r} was not evaluated; {nearest(metric, table)}")
        ties = self.ties.get(split, table.get(TIE_METRIC))
        flat = best_index(table[metric].ravel().tolist(), None if ties is None else ties.ravel().tolist())
        if flat is None:
            raise ConfigError(f"{split} {metric} is nan in the whole grid: choose another metric, or other ranges")
        index = tuple(int(place) for place in np.unravel_index(flat, self.shape))
        ends = [axis.name for axis, place in zip(self.axes, index, strict=True) if place in (0, axis.n_points - 1)]
        return Cell(
            index=index,
            values={axis.name: float(axis.values[place]) for axis, place in zip(self.axes, index, strict=True)},
            raw={name: rows[flat] for name, rows in self.sets.items()},
            metrics={
                name: {key: float(array[index]) for key, array in arrays.items()}
                for name, arrays in self.metrics.items()
            },
            metric=metric,
            chosen_by=split,
            at_end_of=tuple(ends),
        )


def evaluate_grid(
    experiment: Experiment,
    axes: Sequence[Axis],
    prices: PriceData | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Sequence[str] | None = None,
    series: Mapping[str, Any] | None = None,
) -> Grid:
    """Evaluates the product of ranges of parameters on every split, as :meth:`Evaluator.evaluate_many` does.

    Args:
        experiment: the experiment.
        axes: one or more axes; ``memory_days`` and ``memory_days[BTC]`` exclude each other.
        prices: prices for all periods; by default, those that ``experiment.data`` names.
        params: values of other parameters, as for :meth:`Experiment.initial_parameters`; by default, the experiment's own.
        metrics: names of metrics; by default, the experiment's objective and reported metrics.
        series: replacements for series, as for :class:`~quantsim.simulator.Evaluator`.

    Raises:
        ParameterError: an axis names no parameter that has an effect, two axes name the same one, or a value is invalid.
        ConfigError: a metric is unknown.
        PriceError: the prices do not cover the periods.

    Example:
        >>> axes = [Axis("memory_days", 1.0, 100.0, 16, log=True), Axis("k_per_day", 1.0, 50.0, 16, log=True)]
        >>> grid = evaluate_grid(experiment, axes)  # doctest: +SKIP
        >>> grid.metrics["train"]["daily_log_sharpe"].shape  # doctest: +SKIP
        (16, 16)
    """
    sets = grid_sets(experiment, axes, params)
    for name in metrics or ():
        get_metric(name)
    evaluator = Evaluator(experiment, prices, series)
    if metrics is None and SHORT in evaluator.notes:
        warn_once(evaluator.notes[SHORT])
    names = None if metrics is None else tuple(dict.fromkeys((*metrics, TIE_METRIC)))
    shape = tuple(axis.n_points for axis in axes)
    found = {
        split: {name: values.reshape(shape) for name, values in table.items()}
        for split, table in evaluator.evaluate_many(sets, names).items()
    }
    ties = {split: values[TIE_METRIC] for split, values in found.items()}
    if metrics is not None:
        found = {split: {name: values[name] for name in metrics} for split, values in found.items()}
    return Grid(tuple(axes), found, sets, evaluator.notes, ties)


def grid_sets(
    experiment: Experiment, axes: Sequence[Axis], params: Mapping[str, Any] | None = None
) -> dict[str, FloatArray]:
    """Returns the parameter sets of a grid, raw name → (number of cells, m), with the last axis varying fastest.

    A parameter without an axis keeps its human-readable value, even if its raw value depends on another parameter.

    Raises:
        ParameterError: as in :func:`evaluate_grid`.
    """
    of_axes = _resolve(experiment, axes)
    centre = experiment.initial_parameters(params)
    human = to_human(experiment.layout, centre)
    columns = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    n_cells = columns[0].size
    sets: dict[str, FloatArray] = {}
    for parameter in experiment.layout:
        values = np.tile(human[parameter.human_name], (n_cells, 1))
        mine = [(axis, column) for axis, column, of in zip(axes, columns, of_axes, strict=True) if of is parameter]
        for axis, column in mine:
            label = slice(None) if axis.label is None else [parameter.labels.index(axis.label)]
            values[:, label] = column.reshape(-1, 1)
        sets[parameter.raw_name] = _to_raw(parameter, values, centre, sets, moved=bool(mine))
    return sets


def _to_raw(
    parameter: Parameter,
    human: FloatArray,
    centre: Mapping[str, FloatArray],
    sets: Mapping[str, FloatArray],
    *,
    moved: bool,
) -> FloatArray:
    """Returns raw values of all cells, (S, m); exactly those of the centre, unless they depend on a parameter with an axis."""
    own = np.tile(centre[parameter.raw_name], (human.shape[0], 1))
    transform, group = parameter.spec.transform, parameter.group
    if not moved and transform is SIMPLEX:
        return own
    raw = transform.to_raw(human, scoped(sets, group), parameter.chunk_minutes)
    if moved:
        return raw
    unmoved = transform.to_raw(human, scoped(centre, group), parameter.chunk_minutes)
    return np.where(raw == unmoved, own, raw)


def _resolve(experiment: Experiment, axes: Sequence[Axis]) -> list[Parameter]:
    """Returns the parameter of each axis."""
    if not axes:
        raise ParameterError("a grid needs at least one axis, such as Axis('memory_days', 1.0, 100.0, 16, log=True)")
    n_cells = math.prod(axis.n_points for axis in axes)
    if n_cells > MOST_CELLS:
        shape = " x ".join(f"{axis.n_points:,} of {axis.name}" for axis in axes)
        raise ParameterError(f"a grid of {n_cells:,} cells ({shape}) is too large: at most {MOST_CELLS:,}")
    found = [_parameter_of(experiment, axis) for axis in axes]
    taken: dict[tuple[str, str], str] = {}
    for axis, parameter in zip(axes, found, strict=True):
        for label in parameter.labels if axis.label is None else (axis.label,):
            value = (parameter.human_name, label)
            if value in taken:
                both = f"axes {taken[value]} and {axis.name} both set {parameter.human_name} of {label}"
                raise ParameterError(f"{both}: leave one out")
            taken[value] = axis.name
    return found


def _parameter_of(experiment: Experiment, axis: Axis) -> Parameter:
    layout = {parameter.human_name: parameter for parameter in experiment.layout}
    raw = {parameter.raw_name: parameter.human_name for parameter in experiment.layout}
    name = axis.parameter
    if name not in layout:
        raise ParameterError(f"axis {axis.name}: {_remedy(experiment, name, layout, raw)}")
    parameter = layout[name]
    spec = parameter.spec
    if not parameter.active:
        remedy = (
            "take the axis out" if spec.setting is None else f"set update.{spec.setting[0]} = {_toml(spec.setting[1])}"
        )
        raise ParameterError(f"axis {axis.name}: {name} has no effect under the study's settings: {remedy}")
    if spec.transform is SIMPLEX:
        raise ParameterError(
            f"axis {axis.name}: {name} must sum to 1, so one value cannot vary alone: set [parameters]"
        )
    if axis.label is not None and (axis.label not in parameter.labels or not axis.name.endswith("]")):
        known = ", ".join(f"{name}[{label}]" for label in parameter.labels)
        raise ParameterError(f"axis {axis.name}: {name} has no such value; use one of {known}, or {name} for all")
    if max(abs(axis.low), abs(axis.high)) > LARGEST_VALUE:
        raise ParameterError(
            f"axis {axis.name}: low = {axis.low:g} or high = {axis.high:g} is too large to compute with; the usual range "
            f"is {spec.low:g} to {spec.high:g}"
        )
    outside = axis.values[~spec.transform.admits(axis.values)]
    if outside.size:
        raise ParameterError(
            f"axis {axis.name}: {outside[0]:g} is outside its range: it must be {spec.transform.domain}"
        )
    return parameter


def _remedy(experiment: Experiment, name: str, layout: Mapping[str, Parameter], raw: Mapping[str, str]) -> str:
    if name in raw:
        return f"{name} is a raw name; give {raw[name]}, in human units"
    if name.rpartition(".")[2] in _OPT_IN:
        return f"{name} is only a parameter if the study sets it: set parameters.{name}"
    matters = [key for key, parameter in layout.items() if parameter.active and parameter.spec.transform is not SIMPLEX]
    return f"{experiment.pool.strategy_name!r} has no such parameter; {nearest(name, matters)}"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
