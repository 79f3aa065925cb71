"""The search space: which parameters a search moves, in which ranges, in the units people read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Strict, ValidationError

from quantsim.config import Experiment
from quantsim.config.base import Section, describe
from quantsim.config.locate import bundled_names, find_search_space
from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.parameters import Parameter
from quantsim.parameters.parameter import in_group
from quantsim.rules import get_rule

if TYPE_CHECKING:
    from optuna.distributions import FloatDistribution
    from optuna.trial import BaseTrial

__all__ = ["Dimension", "SearchSpace", "load_search_space"]

HumanParams = dict[str, float | list[float]]

# A value that went to raw form and back differs from what was drawn by rounding; that far it may lie outside its range.
_ROUNDING = 1e-9


class _Table(Section):
    """One parameter's table in a search-space file; what is left out is taken from the rule."""

    low: Annotated[float, Strict()] | None = None
    high: Annotated[float, Strict()] | None = None
    log: Annotated[bool, Strict()] | None = None
    scalar: Annotated[bool, Strict()] | None = None


@dataclass(frozen=True)
class Dimension:
    """The range of one parameter.

    Attributes:
        name: human-readable name, e.g. ``memory_days``.
        low: lower end, in human units.
        high: upper end.
        log: whether values are drawn evenly in their logarithm.
        scalar: whether all tokens share one value.
        labels: what each value belongs to where they do not: the pool's tokens.
    """

    name: str
    low: float
    high: float
    log: bool
    scalar: bool
    labels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Its trial parameters: a single one, or one for each label."""
        return (self.name,) if self.scalar else tuple(f"{self.name}[{label}]" for label in self.labels)


@dataclass(frozen=True)
class SearchSpace:
    """What a search draws from: one number per trial parameter, in human units.

    A parameter with one value per token is drawn under the names ``memory_days[BTC]``, ``memory_days[ETH]``, …, in the order
    of the tokens; a scalar one under its own name. Those of a group bear its name first, as in ``fast.memory_days[BTC]``.

    Attributes:
        dimensions: in the order of the experiment's parameters.
        known: human-readable names of all its parameters, searched or not.
    """

    dimensions: tuple[Dimension, ...]
    known: tuple[str, ...]

    def distributions(self) -> dict[str, FloatDistribution]:
        """Trial parameter → Optuna distribution."""
        from optuna.distributions import FloatDistribution

        return {
            name: FloatDistribution(dimension.low, dimension.high, log=dimension.log)
            for dimension in self.dimensions
            for name in dimension.names
        }

    def describe(self) -> dict[str, list[float | bool]]:
        """Trial parameter → ``[low, high, log]``, as JSON values; equal spaces have equal descriptions."""
        return {
            name: [dimension.low, dimension.high, dimension.log]
            for dimension in self.dimensions
            for name in dimension.names
        }

    def suggest(self, trial: BaseTrial) -> HumanParams:
        """Draws all parameters of a trial; returns them as :meth:`to_params` does."""
        drawn = {
            name: trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
            for dimension in self.dimensions
            for name in dimension.names
        }
        return self.to_params(drawn)

    def to_params(self, trial_params: Mapping[str, float]) -> HumanParams:
        """Trial parameters → human-readable parameters: a number where scalar, else one number per token.

        Raises:
            ParameterError: a trial parameter is missing: the trial is of another search.
        """
        params: HumanParams = {}
        for dimension in self.dimensions:
            names = dimension.names
            for name in names:
                if name not in trial_params:
                    raise ParameterError(f"the trial has no parameter {name!r}: {nearest(name, trial_params)}")
            values = [float(trial_params[name]) for name in names]
            params[dimension.name] = values[0] if dimension.scalar else values
        return params

    def from_human(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Human-readable parameters, such as a checkpoint's, → trial parameters. Nothing is clipped.

        Args:
            params: human-readable name → number or one number per token; parameters that are not searched are passed over.

        Raises:
            ParameterError: a name is unknown, a searched parameter is missing, a value lies outside its range, or differs
                between tokens where the search has one value for all.
        """
        for name in params:
            if name not in self.known:
                raise ParameterError(f"unknown parameter {name!r}: {nearest(name, self.known)}")
        drawn: dict[str, float] = {}
        for dimension in self.dimensions:
            if dimension.name not in params:
                raise ParameterError(f"{dimension.name} is missing: a trial needs a value for every searched parameter")
            values = self._values(dimension, params[dimension.name])
            for name, value in zip(dimension.names, values, strict=True):
                drawn[name] = _inside(dimension, name, value)
        return drawn

    def _values(self, dimension: Dimension, given: Any) -> list[float]:
        try:
            array: NDArray[np.float64] = np.asarray(given, np.float64)
            values = np.broadcast_to(array, (len(dimension.labels),))
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"{dimension.name} = {given!r} must be a number or {len(dimension.labels)} numbers, one for each of "
                f"{', '.join(dimension.labels)}"
            ) from error
        if not dimension.scalar:
            return [float(value) for value in values]
        if np.ptp(values) > _ROUNDING * np.abs(values).max():
            raise ParameterError(
                f"{dimension.name} = {values.tolist()} differs between tokens, and this search has one value for all; "
                "set scalar = false in the search space"
            )
        return [float(values[0])]


def load_search_space(experiment: Experiment) -> SearchSpace:
    """The space that ``search.space`` names; unless it names one, the rules' own, and all else that can be searched.

    A file has one table per searched parameter; keys left out are the rule's. Parameters whose setting is off in the
    experiment are left out.

    Raises:
        ConfigError: the file is not there or not valid, or nothing is left to search.
    """
    known = {parameter.human_name: parameter for parameter in experiment.layout}
    strategy = f"rule {experiment.pool.strategy_name!r}"
    if experiment.search.space is None:
        source, tables = strategy, _own_tables(experiment)
    else:
        path = find_search_space(experiment.search.space)
        source, tables = f"search space {path}", _by_parameter(_read(path))
    for name in tables:
        if name not in known:
            raise ConfigError(f"{source}: unknown parameter {name!r} of {strategy}; {nearest(name, known)}")
    found = {name: _dimension(known[name], table, source) for name, table in tables.items()}
    dimensions = tuple(found[name] for name, parameter in known.items() if name in found and parameter.active)
    if not dimensions:
        raise ConfigError(
            f"{strategy} has nothing to search under these settings; its parameters are "
            f"{', '.join(known)}, none of which {source} moves. Use simulate, or another rule"
        )
    return SearchSpace(dimensions, tuple(known))


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
            tables |= _by_parameter(_read(find_search_space(rule)), group)
    return tables


def _by_parameter(tables: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """The tables of parameters, those of groups under dotted names: a table that holds none but tables is a group."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        key = in_group(group, name)
        if isinstance(table, Mapping) and table and all(isinstance(value, Mapping) for value in table.values()):
            found |= _by_parameter(table, key)
        else:
            found[key] = table
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"search space {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"search space {path} is not TOML: {error}") from error


def _dimension(parameter: Parameter, given: Any, source: str) -> Dimension:
    """One parameter's range, from its table and its spec."""
    spec = parameter.spec
    where = f"{source}: {parameter.human_name}"
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} = {given!r} must be a table with low, high, log, scalar")
    if not spec.searchable:
        raise ConfigError(f"{where} cannot be searched: take it out here, and set it under [parameters]")
    try:
        table = _Table.model_validate(dict(given))
    except ValidationError as error:
        raise describe(error, where) from error
    low = spec.low if table.low is None else table.low
    high = spec.high if table.high is None else table.high
    log = spec.log if table.log is None else table.log
    if not low < high:
        raise ConfigError(f"{where}: low < high must hold, but got low = {low}, high = {high}")
    if log and not low > 0:
        raise ConfigError(f"{where}: low > 0 must hold for log = true, but got low = {low}")
    if not spec.transform.admits(np.array([low, high])).all():
        raise ConfigError(f"{where}: low = {low} and high = {high} must both be {spec.transform.domain}")
    scalar = spec.scalar if table.scalar is None else table.scalar
    return Dimension(parameter.human_name, low, high, log, scalar or parameter.size == 1, parameter.labels)


def _inside(dimension: Dimension, name: str, value: float) -> float:
    slack = _ROUNDING * max(abs(dimension.low), abs(dimension.high))
    low_slack = _ROUNDING * abs(dimension.low)
    if not dimension.low - low_slack <= value <= dimension.high + slack:
        raise ParameterError(
            f"{name} = {value:g} lies outside the search space, [{dimension.low:g}, {dimension.high:g}]; widen the range "
            "there, or leave the set out"
        )
    return min(max(value, dimension.low), dimension.high)
