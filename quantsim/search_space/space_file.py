"""Search-space files: one table per searched parameter, checked against what the experiment's parameters can take."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from pydantic import ValidationError

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.config.locate import bundled_names, find_search_space
from quantsim.config.pools import pool_of
from quantsim.config.ranges import Range, by_parameter
from quantsim.config.toml_file import read_toml
from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.limits import LARGEST_VALUE
from quantsim.parameters import Parameter, scoped
from quantsim.parameters.parameter import in_group
from quantsim.search_space.space import Dimension, Draw, SearchSpace
from quantsim.settings.base import describe

__all__ = ["load_search_space"]


def load_search_space(experiment: Experiment) -> SearchSpace:
    """Loads the space that ``search.space`` names or, by default, those of the rules and of all other searchable parameters.

    A file has one table per searched parameter; keys left out are the rule's. Parameters whose setting is off in the
    experiment are left out. Tables of ``search.ranges`` replace those of the file, or of the rule, as a whole.
    ``search.fixed`` fixes parameters in any case.

    Raises:
        ConfigError: the file is not there or not valid, or nothing is left to search.
    """
    known = {parameter.human_name: parameter for parameter in experiment.layout}
    strategy = experiment.pool.called
    if experiment.search.space is None:
        source, tables = strategy, _own_tables(experiment)
    else:
        path = find_search_space(experiment.search.space)
        source, tables = f"search space {path}", by_parameter(read_toml(path, "search space"))
    ranges, fixed = dict(experiment.search.ranges), dict(experiment.search.fixed)
    sources = {**dict.fromkeys(tables, source), **dict.fromkeys(ranges, "search.ranges")}
    for name, where in {**sources, **dict.fromkeys(fixed, "search.fixed")}.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown parameter {name!r} of {strategy}; {_remedy(name, known)}")
    found = {name: _checked(known[name], table, sources[name]) for name, table in {**tables, **ranges}.items()}
    found |= {name: (f"search.fixed: {name}", Range(value=value)) for name, value in fixed.items()}
    centre = experiment.initial_parameters()
    active = {
        name: _Searched(parameter, *found[name], centre)
        for name, parameter in known.items()
        if name in found and parameter.active
    }
    values = {name: one.value() for name, one in active.items() if one.table.value is not None}
    dimensions = tuple(one.dimension() for name, one in active.items() if name not in values)
    if not dimensions:
        raise ConfigError(
            f"{strategy} has nothing to search under these settings; its parameters are "
            f"{', '.join(known)}, none of which {source} moves. Use simulate, or another rule"
        )
    _check_together(experiment, dimensions, values)
    return SearchSpace(dimensions, tuple(known), values)


def _check_together(
    experiment: Experiment, dimensions: Sequence[Dimension], fixed: Mapping[str, float | list[float]]
) -> None:
    """Raises ConfigError if opposite ends of two ranges contradict each other, such as a range of prices that is empty."""
    single = [(dimension.name, dimension.draws[0]) for dimension in dimensions if len(dimension.labels) == 1]
    for (name, draw), (other, beside) in itertools.combinations(single, 2):
        for ends in ((draw.low, beside.high), (draw.high, beside.low)):
            try:
                experiment.initial_parameters({**fixed, name: ends[0], other: ends[1]})
            except ParameterError as error:
                raise ConfigError(
                    f"{name} = {ends[0]:g} and {other} = {ends[1]:g} could be drawn together, and contradict each other: "
                    f"{error}; set search.ranges.{name} and search.ranges.{other} that do not overlap"
                ) from error


def _own_tables(experiment: Experiment) -> dict[str, Any]:
    """Returns the default search space: the bundled spaces of rules and pool types, and all other searchable parameters."""
    tables: dict[str, Any] = {one.human_name: {} for one in experiment.layout if one.spec.searchable}
    for view in experiment.pools:
        for (member, found), rule in zip(view.pool.members(), view.pool.rule_names, strict=True):
            if rule not in bundled_names("search_spaces"):
                continue
            group = in_group(view.group, member) if member else view.group
            own = {in_group(group, spec.human_name) for spec in found.parameters}
            tables = {name: table for name, table in tables.items() if name not in own}
            tables |= by_parameter(read_toml(find_search_space(rule), "search space"), group)
        if (mechanism := pool_of(view)).name in bundled_names("search_spaces"):
            layout = mechanism.layout(view) if mechanism.layout else ()
            own = {one.human_name for one in layout if not one.spec.opt_in}
            tables = {name: table for name, table in tables.items() if name not in own}
            tables |= by_parameter(read_toml(find_search_space(mechanism.name), "search space"), view.group)
    return tables


def _remedy(name: str, known: Mapping[str, Parameter]) -> str:
    """Returns a remedy for an unknown name: its constrained name if it is an unconstrained one, or else the nearest name."""
    for parameter in known.values():
        if name == parameter.raw_name:
            return f"that is the raw form of {parameter.human_name}: name that, with units = 'raw' in its table"
    return nearest(name, known)


def _checked(parameter: Parameter, given: Any, source: str) -> tuple[str, Range]:
    """Returns the name of a parameter's table for messages, and the table; raises ConfigError if it is not valid."""
    where = f"{source}: {parameter.human_name}"
    if not isinstance(given, Mapping | Range):
        raise ConfigError(f"{where} = {given!r} must be a table with low, high, log, scalar")
    if not parameter.spec.searchable:
        raise ConfigError(f"{where} cannot be searched: take it out here, and set it under [parameters]")
    try:
        return where, Range.model_validate(given)
    except ValidationError as error:
        raise describe(error, where, given) from error


@dataclass(frozen=True)
class _Searched:
    """A parameter of ``m`` values, one per label, and the table that says how it is searched.

    Attributes:
        parameter: which.
        where: begins messages.
        table: how.
        centre: unconstrained parameters of the study itself.
    """

    parameter: Parameter
    where: str
    table: Range
    centre: Mapping[str, FloatArray]

    def value(self) -> float | list[float]:
        """Returns the fixed value, in constrained units."""
        given, size = np.asarray(self.table.value, np.float64), self.parameter.size
        if given.shape not in ((), (size,)):
            raise ConfigError(
                f"{self.where} = {self.table.value!r} must be one number, or one for each of {self._labels}"
            )
        row = np.broadcast_to(given, (size,))
        if self.table.units == "raw":
            given = row = self._human(row)
        self._check(row[None], f" = {self.table.value!r}")
        return float(given) if given.ndim == 0 else [float(number) for number in given]

    def dimension(self) -> Dimension:
        """Returns the parameter with the ranges that the table gives it."""
        name, labels = self.parameter.human_name, self.parameter.labels
        scalar = self.parameter.spec.scalar if self.table.scalar is None else self.table.scalar
        names = (name,) if scalar or len(labels) == 1 else tuple(f"{name}[{label}]" for label in labels)
        draws = self._ranges(names) if self.table.choices is None else self._choices(names, self.table.choices)
        return Dimension(name, labels, draws)

    def _ranges(self, names: tuple[str, ...]) -> tuple[Draw, ...]:
        spec, step = self.parameter.spec, self.table.step
        log = (spec.log and step is None) if self.table.log is None else self.table.log
        lows, highs = self._ends(log=log)
        if len(names) == 1:
            lows, highs = lows.min(keepdims=True), highs.max(keepdims=True)
        draws = []
        for name, low, high in zip(names, lows.tolist(), highs.tolist(), strict=True):
            if not low < high:
                raise ConfigError(f"{self.where}: low < high must hold, but got low = {low}, high = {high}")
            if log and not low > 0:
                raise ConfigError(f"{self.where}: low > 0 must hold for log = true, but got low = {low}")
            ends = np.array([[low], [high]]).repeat(self.parameter.size, axis=1)
            self._check(ends, f": low = {low} and high = {high}")
            draws.append(Draw(name, low, high, log) if step is None else _stepped(name, low, high, step, self.where))
        return tuple(draws)

    def _choices(self, names: tuple[str, ...], choices: tuple[float, ...]) -> tuple[Draw, ...]:
        values = np.array(choices)[:, None].repeat(self.parameter.size, axis=1)  # (choices, m)
        if self.table.units == "raw":
            values = np.array([self._human(row) for row in values])
        self._check(values, f": choices = {list(choices)}")
        if len(names) == 1 and np.ptp(values, axis=1).any():
            raise ConfigError(
                f"{self.where}: choices = {list(choices)} in raw units mean other values for each of {self._labels}: give "
                "them in human units, or set scalar = false"
            )
        columns = (tuple(column) for column in values.T.tolist())
        return tuple(Draw(name, min(one), max(one), choices=one) for name, one in zip(names, columns, strict=False))

    def _ends(self, *, log: bool) -> tuple[FloatArray, FloatArray]:
        """Returns the ends of every label's range, in human units, (m,) each."""
        spec, table, around = self.parameter.spec, self.table, self.table.expand_around
        if around is None:
            low, high = (
                np.full(self.parameter.size, own if given is None else given)
                for given, own in ((table.low, spec.low), (table.high, spec.high))
            )
            return (self._human(low), self._human(high)) if table.units == "raw" else (low, high)
        raw = self.centre[self.parameter.raw_name]
        own = self._human(raw)
        if table.units == "raw":
            lows, highs = self._human(raw - around), self._human(raw + around)
        elif not log:
            lows, highs = own - around, own + around
        elif around > 1.0:
            lows, highs = own / around, own * around
        else:
            raise ConfigError(
                f"{self.where}: expand_around = {around:g} is a factor where log = true, and must be above 1"
            )
        # Within the rule's range, which the centre itself widens where it lies outside.
        return np.maximum(lows, np.minimum(own, spec.low)), np.minimum(highs, np.maximum(own, spec.high))

    def _human(self, raw: FloatArray) -> FloatArray:
        """Converts raw values, (m,), to human units, with the study's other parameters; not finite if they are too large."""
        transform, others = self.parameter.spec.transform, scoped(self.centre, self.parameter.group)
        with np.errstate(over="ignore", invalid="ignore"):
            return transform.to_human(raw, others, self.parameter.chunk_minutes)

    def _check(self, values: FloatArray, shown: str) -> None:
        """Raises ConfigError unless each row of values (N, m), in human units, can be simulated."""
        spec, others = self.parameter.spec, scoped(self.centre, self.parameter.group)
        if not spec.transform.admits(values).all():
            be = "be" if len(values) == 1 else "each be"
            raise ConfigError(f"{self.where}{shown} must {be} {spec.transform.domain}")
        try:
            with np.errstate(all="ignore"):
                raw = [spec.transform.to_raw(row, others, self.parameter.chunk_minutes) for row in values]
        except ValueError as error:
            raise ConfigError(f"{self.where}{shown}: {error}") from error
        if not np.isfinite(raw).all() or np.abs(values).max() > LARGEST_VALUE:
            raise ConfigError(
                f"{self.where}{shown} is beyond what numbers can hold: the rule's own range is from {spec.low:g} to "
                f"{spec.high:g}"
            )

    @property
    def _labels(self) -> str:
        return ", ".join(self.parameter.labels)


def _stepped(name: str, low: float, high: float, step: float, where: str) -> Draw:
    """Returns even steps from ``low`` to the last one that is not above ``high``.

    Optuna reckons steps in decimals, and takes a range whose written form they do not divide for one step shorter. So all
    three are rounded to 15 digits of the larger end, as many as a float keeps.

    Raises:
        ConfigError: the step is so long that there is one value only, or too short to be told from none.
    """
    if step > high - low:
        raise ConfigError(f"{where}: step = {step:g} leaves one value between {low:g} and {high:g}: make it smaller")
    digit = Decimal(1).scaleb(Decimal(repr(max(abs(low), abs(high)))).adjusted() - 14)
    first, last, distance = (Decimal(repr(number)).quantize(digit) for number in (low, high, step))
    if not distance:
        raise ConfigError(f"{where}: step = {step:g} is lost beside {high:g}: make it larger, or leave it out")
    last = first + distance * ((last - first) // distance)
    return Draw(name, float(first), float(last), step=float(distance))
