"""Search-space files: one table per searched parameter, checked against what the experiment's parameters can take."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from quantsim.config import Experiment
from quantsim.config.locate import bundled_names, find_search_space
from quantsim.config.ranges import Range, by_parameter
from quantsim.config.toml_file import read_toml
from quantsim.drivers.search.space import Dimension, Draw, SearchSpace
from quantsim.errors import ConfigError, nearest
from quantsim.limits import LARGEST_VALUE
from quantsim.parameters import Parameter, scoped
from quantsim.parameters.parameter import in_group
from quantsim.rules import get_rule
from quantsim.settings.base import describe

__all__ = ["load_search_space"]

FloatArray = NDArray[np.float64]


def load_search_space(experiment: Experiment) -> SearchSpace:
    """The space that ``search.space`` names; unless it names one, the rules' own, and all else that can be searched.

    A file has one table per searched parameter; keys left out are the rule's. Parameters whose setting is off in the
    experiment are left out. Tables of ``search.ranges`` stand for those of the file, or of the rule, as a whole; what
    ``search.fixed`` names is fixed, whatever these say.

    Raises:
        ConfigError: the file is not there or not valid, or nothing is left to search.
    """
    known = {parameter.human_name: parameter for parameter in experiment.layout}
    strategy = f"rule {experiment.pool.strategy_name!r}"
    if experiment.search.space is None:
        source, tables = strategy, _own_tables(experiment)
    else:
        path = find_search_space(experiment.search.space)
        source, tables = f"search space {path}", by_parameter(read_toml(path, "search space"))
    ranges = {name: table.model_dump(exclude_none=True) for name, table in experiment.search.ranges}
    sources = dict.fromkeys(tables, source) | dict.fromkeys(ranges, "search.ranges")
    sources |= dict.fromkeys(dict(experiment.search.fixed), "search.fixed")
    for name, where in sources.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown parameter {name!r} of {strategy}; {_remedy(name, known)}")
    tables = {name: _checked(known[name], given, sources[name]) for name, given in (tables | ranges).items()}
    tables |= {name: Range(value=value) for name, value in experiment.search.fixed}
    active = {name: parameter for name, parameter in known.items() if name in tables and parameter.active}
    centre = experiment.initial_parameters()
    fixed = {
        name: _fixed(one, tables[name], centre, sources[name])
        for name, one in active.items()
        if tables[name].value is not None
    }
    dimensions = tuple(
        _dimension(parameter, tables[name], centre, sources[name])
        for name, parameter in active.items()
        if name not in fixed
    )
    if not dimensions:
        raise ConfigError(
            f"{strategy} has nothing to search under these settings; its parameters are "
            f"{', '.join(known)}, none of which {source} moves. Use simulate, or another rule"
        )
    return SearchSpace(dimensions, tuple(known), fixed)


def _own_tables(experiment: Experiment) -> dict[str, Any]:
    """What moves where no space is named: the bundled space of every rule, in its group, and all that rules do not own."""
    tables: dict[str, Any] = {one.human_name: {} for one in experiment.layout if one.spec.searchable}
    for view in experiment.pools:
        rules = {"": view.pool.rule} if view.pool.rule is not None else dict(view.pool.ensemble)
        for member, rule in rules.items():
            if rule not in bundled_names("search_spaces"):
                continue
            group = in_group(view.group, member) if member else view.group
            own = {in_group(group, spec.human_name) for spec in get_rule(rule).parameters}
            tables = {name: table for name, table in tables.items() if name not in own}
            tables |= by_parameter(read_toml(find_search_space(rule), "search space"), group)
    return tables


def _remedy(name: str, known: Mapping[str, Parameter]) -> str:
    """The human-readable name of a raw one, or what is nearest."""
    for parameter in known.values():
        if name == parameter.raw_name:
            return f"that is the raw form of {parameter.human_name}: name that, with units = 'raw' in its table"
    return nearest(name, known)


def _checked(parameter: Parameter, given: Any, source: str) -> Range:
    """A parameter's table; raises where keys are unknown or contradict each other."""
    where = f"{source}: {parameter.human_name}"
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} = {given!r} must be a table with low, high, log, scalar")
    if not parameter.spec.searchable:
        raise ConfigError(f"{where} cannot be searched: take it out here, and set it under [parameters]")
    try:
        table = Range.model_validate(dict(given))
    except ValidationError as error:
        raise describe(error, where, given) from error
    ends = [name for name in ("low", "high") if getattr(table, name) is not None]
    ways = [name for name in ("choices", "value", "expand_around") if getattr(table, name) is not None]
    if len(ways) > 1 or (ends and ways):
        raise ConfigError(f"{where}: {' and '.join([*ends, *ways])} contradict each other: give one of them")
    if table.choices is not None and len(set(table.choices)) < max(len(table.choices), 2):
        raise ConfigError(
            f"{where}: choices = {list(table.choices)} must be two values or more, each once; fix one with value"
        )
    for name in ("step", "log") if ways and ways != ["expand_around"] else ():
        if getattr(table, name) is not None:
            raise ConfigError(f"{where}: {name} is for ranges, not for {ways[0]}: take it out")
    return table


def _fixed(parameter: Parameter, table: Range, centre: Mapping[str, FloatArray], source: str) -> float | list[float]:
    value, where = np.asarray(table.value, np.float64), f"{source}: {parameter.human_name} = {table.value!r}"
    fits = value.shape in ((), (parameter.size,))
    if fits and table.units == "raw":
        value = _human(parameter, np.broadcast_to(value, (parameter.size,)), centre)
    if not fits or not parameter.spec.transform.admits(np.atleast_1d(value)).all():
        raise ConfigError(
            f"{where} must be {parameter.spec.transform.domain}: one number, or one for each of {', '.join(parameter.labels)}"
        )
    try:
        has_raw_form = _has_raw_form(parameter, np.broadcast_to(value, (parameter.size,)), centre)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    if not has_raw_form:
        raise ConfigError(f"{where} is beyond what numbers can hold: {_nearer(parameter)}")
    return float(value) if value.ndim == 0 else [float(number) for number in value]


def _dimension(parameter: Parameter, table: Range, centre: Mapping[str, FloatArray], source: str) -> Dimension:
    """One parameter's draws, from its table and its spec."""
    spec, where = parameter.spec, f"{source}: {parameter.human_name}"
    log = (spec.log and table.step is None) if table.log is None else table.log
    if log and table.step is not None:
        raise ConfigError(f"{where}: step = {table.step:g} needs log = false: even steps are not even in the logarithm")
    scalar = (spec.scalar if table.scalar is None else table.scalar) or parameter.size == 1
    name, labels = parameter.human_name, parameter.labels
    names = (name,) if scalar else tuple(f"{name}[{label}]" for label in labels)
    if table.choices is not None:
        return Dimension(name, labels, _choices(parameter, names, table, centre, where))
    lows, highs = _ends(parameter, table, centre, where, log=log)
    if scalar:
        lows, highs = lows.min(keepdims=True), highs.max(keepdims=True)
    for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
        if not low < high:
            raise ConfigError(f"{where}: low < high must hold, but got low = {low}, high = {high}")
        if log and not low > 0:
            raise ConfigError(f"{where}: low > 0 must hold for log = true, but got low = {low}")
        if not spec.transform.admits(np.array([low, high])).all():
            raise ConfigError(f"{where}: low = {low} and high = {high} must both be {spec.transform.domain}")
        if not all(_has_raw_form(parameter, np.full(parameter.size, end), centre) for end in (low, high)):
            raise ConfigError(
                f"{where}: low = {low} or high = {high} is beyond what numbers can hold: {_nearer(parameter)}"
            )
    draws = (
        Draw(one, low, high, log) if table.step is None else _stepped(one, low, high, table.step, where)
        for one, low, high in zip(names, lows.tolist(), highs.tolist(), strict=True)
    )
    return Dimension(name, labels, tuple(draws))


def _choices(
    parameter: Parameter, names: tuple[str, ...], table: Range, centre: Mapping[str, FloatArray], where: str
) -> tuple[Draw, ...]:
    """A draw for each name, its choices in human units."""
    given = list(table.choices or ())
    columns = [np.full(parameter.size, choice) for choice in given]
    if table.units == "raw":
        columns = [_human(parameter, column, centre) for column in columns]
    values = np.array(columns)  # (choices, m)
    if not parameter.spec.transform.admits(values).all():
        raise ConfigError(f"{where}: choices = {given} must all be {parameter.spec.transform.domain}")
    if not all(_has_raw_form(parameter, column, centre) for column in columns):
        raise ConfigError(f"{where}: choices = {given} go beyond what numbers can hold: {_nearer(parameter)}")
    if len(names) == 1 and np.ptp(values, axis=1).any():
        raise ConfigError(
            f"{where}: choices = {given} in raw units mean other values for each of {', '.join(parameter.labels)}: give "
            "them in human units, or set scalar = false"
        )
    rows = (tuple(row) for row in values.T.tolist())
    return tuple(Draw(one, min(row), max(row), choices=row) for one, row in zip(names, rows, strict=False))


def _stepped(name: str, low: float, high: float, step: float, where: str) -> Draw:
    """Even steps from ``low`` to the last one that is not above ``high``.

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


def _ends(
    parameter: Parameter, table: Range, centre: Mapping[str, FloatArray], where: str, *, log: bool
) -> tuple[FloatArray, FloatArray]:
    """The ends of every label's range, in human units, (m,) each."""
    spec, ones = parameter.spec, np.ones(parameter.size)
    around = table.expand_around
    if around is None:
        if table.units == "human":
            low, high = (table.low, spec.low), (table.high, spec.high)
            return tuple(ones * (rules if own is None else own) for own, rules in (low, high))  # type: ignore[return-value]
        if table.low is None or table.high is None:
            raise ConfigError(f"{where}: units = 'raw' needs low and high: the rule's own are in human units")
        return _human(parameter, ones * table.low, centre), _human(parameter, ones * table.high, centre)
    raw = centre[parameter.raw_name]
    own = _human(parameter, raw, centre)
    if table.units == "raw":
        lows, highs = _human(parameter, raw - around, centre), _human(parameter, raw + around, centre)
    elif log:
        if around <= 1.0:
            raise ConfigError(f"{where}: expand_around = {around:g} is a factor where log = true, and must be above 1")
        lows, highs = own / around, own * around
    else:
        lows, highs = own - around, own + around
    # Within the rule's range, which the centre itself widens where it lies outside.
    return np.maximum(lows, np.minimum(own, spec.low)), np.minimum(highs, np.maximum(own, spec.high))


def _human(parameter: Parameter, raw: FloatArray, centre: Mapping[str, FloatArray]) -> FloatArray:
    """Raw values, (m,), in human units, the other parameters being the study's own; not finite where they are too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return parameter.spec.transform.to_human(raw, scoped(centre, parameter.group), parameter.chunk_minutes)


def _has_raw_form(parameter: Parameter, value: FloatArray, centre: Mapping[str, FloatArray]) -> bool:
    """Whether human-readable values, (m,), of the parameter's domain can be simulated.

    Raises:
        ValueError: they do not fit one another.
    """
    with np.errstate(all="ignore"):
        raw = parameter.spec.transform.to_raw(value, scoped(centre, parameter.group), parameter.chunk_minutes)
    return bool(np.isfinite(raw).all() and np.abs(value).max() <= LARGEST_VALUE)


def _nearer(parameter: Parameter) -> str:
    return f"the rule's own range is from {parameter.spec.low:g} to {parameter.spec.high:g}"
