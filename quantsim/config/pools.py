"""The pools of an experiment, its subsidiaries first, and the parameters that each of them has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config.sections import Fees, PoolRules, Series, Subsidiary, Update
from quantsim.errors import ConfigError, nearest
from quantsim.fee_rules import get_fee_rule
from quantsim.parameters import Parameter, ParameterSpec, bind, common
from quantsim.parameters.parameter import in_group
from quantsim.rules import Output, Rule, Trading

__all__ = ["FEE_GROUP", "PoolView", "check_groups", "check_pool", "pool_parameters", "pool_views"]

FEE_GROUP = "fee"
"""The group of a fee rule's parameters, inside its pool's."""

SWAP_FEE, BOUNDS = common.swap_fee, (common.minimum_weights, common.maximum_weights)


@dataclass(frozen=True)
class PoolView:
    """One pool of an experiment, with everything that decides how it runs.

    Attributes:
        group: of its parameters; empty for the experiment's own pool, else the subsidiary's name.
        tokens: what it holds, in its order: tokens, and shares of subsidiaries.
        pool: its rules.
        update: when and how fast its weights move.
        fees: what trading with it costs.
        given: names of the pool's own parameters that the experiment gives, inside the group.
    """

    group: str
    tokens: tuple[str, ...]
    pool: PoolRules
    update: Update
    fees: Fees
    given: frozenset[str]

    @property
    def rule(self) -> Rule:
        """What decides its weights."""
        return self.pool.strategy()

    @property
    def published(self) -> tuple[str, ...]:
        """The settings that are only there to reproduce figures of the published implementation, as ``table.key = value``."""
        where = f"subsidiaries.{self.group}" if self.group else ""
        tables = (where or "pool", self.pool), (in_group(where, "update"), self.update)
        return tuple(
            f"{table}.{key} = {json.dumps(value)}"
            for table, section in tables
            for key, value in section
            if (key.startswith("published") and value) or (key == "interpolation" and value.startswith("published"))
        )

    @property
    def tunes_fee(self) -> bool:
        """Whether the swap fee is a parameter."""
        return bool(self.given & {SWAP_FEE.raw_name, SWAP_FEE.human_name})

    @property
    def tuned_bounds(self) -> tuple[ParameterSpec, ...]:
        """Which bounds of the weights are parameters: lower, upper, both or neither."""
        return tuple(spec for spec in BOUNDS if self.given & {spec.raw_name, spec.human_name})

    @property
    def interpolation_minutes(self) -> int:
        """The length of a weight ramp, in minutes: as set, or the chunk."""
        return self.update.interpolation_minutes or self.update.chunk_minutes

    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The lower and the upper bound of each weight: as set; ``0.1/n``, and what the others' lower bounds leave.

        Raises:
            ValueError: there are not as many as tokens, or no weights satisfy them.
        """
        n_tokens = len(self.tokens)
        lower = self._per_token("minimum_weight", 0.1 / n_tokens)
        room = 1.0 - sum(lower)
        if room < -1e-12:
            raise ValueError(
                f"{self._told('minimum_weight')} must be at most 1/{n_tokens} on average for {n_tokens} tokens"
            )
        upper = self._per_token("maximum_weight", 1.0)
        upper = tuple(min(high, low + max(room, 0.0)) for low, high in zip(lower, upper, strict=True))
        if sum(upper) < 1.0 - 1e-12:
            raise ValueError(f"{self._told('maximum_weight')} leaves {sum(upper):g} in all, and must leave at least 1")
        if any(low > high for low, high in zip(lower, upper, strict=True)):
            raise ValueError(f"{self._told('minimum_weight')} must not exceed {self._told('maximum_weight')}")
        return lower, upper

    @property
    def has_token_bounds(self) -> bool:
        """Whether the bounds are more than one lower bound for all."""
        return (
            bool(self.tuned_bounds)
            or isinstance(self.pool.minimum_weight, tuple)
            or self.pool.maximum_weight is not None
        )

    def _per_token(self, key: str, default: float) -> tuple[float, ...]:
        value = getattr(self.pool, key)
        if not isinstance(value, tuple):
            return (default if value is None else value,) * len(self.tokens)
        if len(value) != len(self.tokens):
            raise ValueError(f"{self._told(key)} must be one number, or one for each of {', '.join(self.tokens)}")
        return value

    def _told(self, key: str) -> str:
        value = getattr(self.pool, key)
        table = f"subsidiaries.{self.group}" if self.group else "pool"
        return f"{table}.{key} = {list(value) if isinstance(value, tuple) else value}"


def pool_views(
    pool: PoolRules,
    tokens: tuple[str, ...],
    update: Update,
    fees: Fees,
    subsidiaries: Mapping[str, Subsidiary],
    known_tokens: tuple[str, ...],
    parameters: Mapping[str, Any],
) -> tuple[PoolView, ...]:
    """All pools, each after the subsidiaries that it holds; the experiment's own is the last.

    Raises:
        ConfigError: a token is unknown, a subsidiary bears a token's name, or holds itself, or is held by none.
    """
    for name in subsidiaries:
        if name in known_tokens:
            raise ConfigError(f"subsidiaries.{name}: that is a token of the data; give the subsidiary another name")
    ordered: dict[str, PoolView] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in known_tokens or name in ordered:
            return
        if name not in subsidiaries:
            known = (*known_tokens, *subsidiaries)
            raise ConfigError(f"{name!r} is neither a token of data.tokens nor a subsidiary; {nearest(name, known)}")
        if name in above:
            raise ConfigError(f"subsidiaries hold each other in a circle: {' holds '.join((*above, name))}")
        part = subsidiaries[name]
        for token in part.tokens:
            visit(token, (*above, name))
        ordered[name] = PoolView(name, part.tokens, part, part.update or update, part.fees, _given(parameters, name))

    for token in tokens:
        visit(token, ())
    if idle := [name for name in subsidiaries if name not in ordered]:
        raise ConfigError(f"subsidiaries.{idle[0]} is held by no pool: name it in pool.tokens, or take it out")
    return (*ordered.values(), PoolView("", tokens, pool, update, fees, _given(parameters, "")))


def pool_parameters(view: PoolView) -> tuple[Parameter, ...]:
    """The parameters of one pool, in dependency order."""
    chunk, label = view.update.chunk_minutes, (view.group or "pool",)
    settings = view.update.model_dump()
    starts_at_target = view.rule.output is Output.WEIGHTS
    found = [Parameter(common.initial_weights, view.tokens, chunk, view.group, active=not starts_at_target)]
    for member, rule in view.pool.members():
        group = in_group(view.group, member) if member else view.group
        found += bind(rule.parameters, view.tokens, chunk, group=group, settings=settings)
    found += bind(view.tuned_bounds, view.tokens, chunk, group=view.group)
    if view.tunes_fee:
        found += bind((SWAP_FEE,), label, chunk, group=view.group)
    if view.fees.rule is not None:
        fee_group = in_group(view.group, FEE_GROUP)
        found += bind(get_fee_rule(view.fees.rule).parameters, label, chunk, group=fee_group, settings=settings)
    return tuple(found)


def check_groups(pools: Sequence[PoolView]) -> None:
    """Raises ValueError where two groups of parameters bear one name."""
    for view in pools:
        subsidiaries = [other.group for other in pools if other.group] if not view.group else []
        groups = [*(name for name, _ in view.pool.ensemble), *subsidiaries]
        for name in groups:
            if name == FEE_GROUP or groups.count(name) > 1:
                taken = "the group of the fee rule's parameters" if name == FEE_GROUP else "given more than once"
                raise ValueError(f"ensemble member or subsidiary {name!r}: that name is {taken}; choose another")


def check_pool(view: PoolView, human: Mapping[str, NDArray[np.float64]], series: Series) -> None:
    """Raises ValueError where the settings of a pool contradict each other, or its initial weights.

    Args:
        view: the pool.
        human: its initial parameters, in human units.
        series: what varies in time for the experiment's own pool.
    """
    rule, where = view.rule, f"subsidiaries.{view.group}." if view.group else ""
    lower, upper = view.bounds()
    if rule.trading is Trading.BATCHES and len(view.tokens) != 2:
        raise ValueError(f"{where}pool.rule = {view.pool.strategy_name!r} is for two tokens, not {len(view.tokens)}")
    if rule.trading is Trading.BATCHES and rule.output is not Output.CONSTANT:
        raise ValueError(
            f"{where}pool.rule = {view.pool.strategy_name!r} trades in batches, so its weights must be constant"
        )
    if rule.needs_oracle and (view.group or series.oracle is None):
        remedy = "set series.oracle" if not view.group else "which a subsidiary cannot have"
        raise ValueError(f"{where}pool.rule = {view.pool.strategy_name!r} needs an oracle series: {remedy}")
    if not view.group:
        _check_series(view, series)
    if view.update.published_look_ahead and rule.output is not Output.WEIGHTS:
        raise ValueError(
            f"{where}update.published_look_ahead is for rules that output weights, not {view.pool.strategy_name!r}"
        )
    if rule.output is not Output.CHANGE or view.tuned_bounds:
        return
    weights = human[common.initial_weights.human_name]
    for token, weight, low, high in zip(view.tokens, weights, lower, upper, strict=True):
        if not low * (1 - 1e-12) <= weight <= high * (1 + 1e-12):
            raise ValueError(
                f"parameters.{in_group(view.group, 'initial_weights')}: that of {token} is {weight:.6g}, and must lie within "
                f"pool.minimum_weight = {low:.6g} and pool.maximum_weight = {high:.6g}"
            )


def _check_series(view: PoolView, series: Series) -> None:
    """Raises ValueError where a setting is given as a series and otherwise, too, or the pool cannot take exogenous swaps."""
    for name in series.costs:
        if number := getattr(view.fees, name):
            raise ValueError(f"fees.{name} = {number} and series.{name} = {getattr(series, name)!r}: give one of them")
    if series.swap_fee is not None and (view.fees.rule is not None or view.tunes_fee):
        other = "parameters.swap_fee" if view.tunes_fee else f"fees.rule = {view.fees.rule!r}"
        raise ValueError(f"{other} and series.swap_fee = {series.swap_fee!r} both set the fee: give one of them")
    if series.trades is not None and view.rule.trading is not Trading.SWAPS:
        raise ValueError(
            f"series.trades = {series.trades!r} is for pools that trade by swaps, not for pool.rule = "
            f"{view.pool.strategy_name!r}"
        )


def _given(parameters: Mapping[str, Any], group: str) -> frozenset[str]:
    start = in_group(group, "")
    return frozenset(name.removeprefix(start) for name in parameters if name.startswith(start))
