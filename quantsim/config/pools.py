"""The pools of an experiment, subsidiaries first, and their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from quantsim.config.pool_tables import PoolTable, Subsidiary
from quantsim.config.sections import Series
from quantsim.discovery import SourceName
from quantsim.errors import ConfigError, nearest
from quantsim.fee_rules import get_fee_rule
from quantsim.kernels import Kernel
from quantsim.parameters import Parameter, bind, common
from quantsim.parameters.parameter import in_group
from quantsim.pools.base import ALL_COSTS, Pool
from quantsim.pools.registry import get_pool, pool_names
from quantsim.pools.settings import Fees, PoolView, Update
from quantsim.rules import Output

__all__ = ["FEE_GROUP", "check_groups", "check_pool", "kernels_of", "pool_of", "pool_parameters", "pool_views"]

FEE_GROUP = "fee"
"""The group of a fee rule's parameters, inside the group of its pool."""


def pool_views(
    pool: PoolTable,
    tokens: tuple[str, ...],
    update: Update,
    fees: Fees,
    subsidiaries: Mapping[str, Subsidiary],
    known_tokens: tuple[str, ...],
    parameters: Mapping[str, Any],
) -> tuple[PoolView, ...]:
    """Returns all pools, subsidiaries before the pools that hold them; the main pool is the last.

    Raises:
        ConfigError: a token is unknown, or a subsidiary has the name of a token, holds itself, or is not held by any pool.
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
            raise ConfigError(f"subsidiaries hold each other in a cycle: {' holds '.join((*above, name))}")
        part = subsidiaries[name]
        for token in part.tokens:
            visit(token, (*above, name))
        ordered[name] = PoolView(name, part.tokens, part, part.update or update, part.fees, _given(parameters, name))

    for token in tokens:
        visit(token, ())
    if idle := [name for name in subsidiaries if name not in ordered]:
        raise ConfigError(f"subsidiaries.{idle[0]} is not held by any pool: add it to pool.tokens, or remove it")
    return (*ordered.values(), PoolView("", tokens, pool, update, fees, _given(parameters, "")))


def pool_parameters(view: PoolView) -> tuple[Parameter, ...]:
    """Returns the parameters of one pool, in dependency order."""
    chunk, label, pool = view.update.chunk_minutes, (view.group or "pool",), pool_of(view)
    settings = view.update.model_dump()
    if pool.layout is not None:
        found = [*pool.layout(view)]
    else:
        own = {**settings, **view.pool.model_dump()}
        found = [*bind(pool.parameters, label, chunk, group=view.group, settings=own)]
    if view.tunes_fee:
        found += bind((common.swap_fee,), label, chunk, group=view.group)
    if view.fees.rule is not None:
        fee_group = in_group(view.group, FEE_GROUP)
        found += bind(get_fee_rule(view.fees.rule).parameters, label, chunk, group=fee_group, settings=settings)
    return tuple(found)


def pool_of(view: PoolView) -> Pool:
    """Returns the mechanism of a pool."""
    return get_pool(cast(PoolTable, view.pool).mechanism)


def kernels_of(pools: Sequence[PoolView], *, gradients: bool) -> tuple[Kernel, ...]:
    """Returns the kernels that pools need: of the pass over the bars, and with ``gradients`` of its adjoint."""
    found: list[Kernel] = []
    for view in pools:
        pool = pool_of(view)
        if pool.kernels is not None and (pool.is_sequential or view.fees.any or view.tunes_fee):
            found += pool.kernels(len(view.tokens))[: None if gradients else 1]
    return tuple(dict.fromkeys(found))


def check_groups(pools: Sequence[PoolView]) -> None:
    """Raises ValueError if two groups of parameters have the same name."""
    for view in pools:
        subsidiaries = [other.group for other in pools if other.group] if not view.group else []
        groups = [*(name for name, _ in view.pool.members() if name), *subsidiaries]
        for name in groups:
            if name == FEE_GROUP or groups.count(name) > 1:
                taken = "the group of the fee rule's parameters" if name == FEE_GROUP else "used more than once"
                raise ValueError(f"ensemble member or subsidiary {name!r}: this name is {taken}; choose another")


def check_pool(view: PoolView, human: Mapping[str, NDArray[np.float64]], series: Series) -> None:
    """Raises ValueError where the settings of a pool contradict each other, or its initial weights.

    Args:
        view: the pool.
        human: its initial parameters, in human units.
        series: series of the main pool that vary over time.
    """
    where = f"subsidiaries.{view.group}." if view.group else ""
    rule, pool, called = view.rule, pool_of(view), f"{where or 'pool.'}{_called(view)}"
    if pool.n_tokens not in (None, len(view.tokens)):
        needed = _NUMBERS.get(pool.n_tokens, pool.n_tokens)
        raise ValueError(
            f"{called} is for {needed} tokens, not {len(view.tokens)}: name {needed} in {where or 'pool.'}tokens, or set "
            "another type"
        )
    if rule is not None and rule.needs_oracle and (view.group or series.oracle is None):
        remedy = ": set series.oracle" if not view.group else ", which a subsidiary cannot have: set another rule"
        raise ValueError(f"{called} needs an oracle series{remedy}")
    _check_weights(view, series, called)
    _check_costs(view, pool, series, called)
    if view.update.published_look_ahead and (rule is None or rule.output is not Output.WEIGHTS):
        raise ValueError(
            f"{where}update.published_look_ahead is for rules that output weights, not {view.pool.strategy_name!r}"
        )
    pool.check(view, human)


def _check_weights(view: PoolView, series: Series, called: str) -> None:
    """Raises ValueError if given weights lack their series, or a series of weights is not used."""
    given = view.rule is not None and view.rule.given
    if given and (view.group or series.weights is None):
        remedy = ": set series.weights" if not view.group else ", which a subsidiary cannot have: set another rule"
        raise ValueError(f"{called} needs the weights of a series{remedy}")
    if series.weights is not None and not given and not view.group:
        raise ValueError(
            f"series.weights = {series.weights!r} is for rule = 'given_weights', not for {called}: leave it out"
        )


_NUMBERS = {2: "two", 3: "three"}


def _called(view: PoolView) -> str:
    """Returns the key that decides the mechanism of a pool, and its value."""
    if view.pool.type is None and view.pool.rule_names:
        return f"rule = {view.pool.strategy_name!r}"
    return f"type = {str(view.pool.type)!r}"


def _check_costs(view: PoolView, pool: Pool, series: Series, called: str) -> None:
    """Raises ValueError where there are costs that the pool does not charge, or that are set twice, or swaps it cannot take."""
    if uncharged := [key for key, cost in _given_costs(view, series) if cost not in pool.charges]:
        raise ValueError(
            f"{called} does not charge {', '.join(uncharged)}: leave {'it' if len(uncharged) == 1 else 'them'} out"
        )
    if view.group and view.fees.gas_cost_usd:
        raise ValueError(
            f"subsidiaries.{view.group}.fees.gas_cost_usd = {view.fees.gas_cost_usd:g} is for the main pool: gas is an "
            "amount in USD, and a subsidiary has no size in USD. Leave it out, or set arb_fee, which is a share of the trade"
        )
    if view.fees.volume == "elastic":
        _check_volume(view, pool, series, called)
    if not view.group:
        _check_series(view, pool, series, called)


def _given_costs(view: PoolView, series: Series) -> list[tuple[str, str]]:
    """Returns the keys of a study that set a cost of a pool, with their values, each with the cost."""
    table = f"subsidiaries.{view.group}.fees" if view.group else "fees"
    found = [(f"{table}.{cost} = {value}", cost) for cost in ALL_COSTS if (value := getattr(view.fees, cost))]
    found += [(f"{table}.rule = {view.fees.rule!r}", "swap_fee")] if view.fees.rule is not None else []
    found += [(f"parameters.{in_group(view.group, 'swap_fee')}", "swap_fee")] if view.tunes_fee else []
    if view.group:
        return found
    return [*found, *((f"series.{cost} = {getattr(series, cost)!r}", cost) for cost in series.costs)]


def _check_volume(view: PoolView, pool: Pool, series: Series, called: str) -> None:
    """Raises ValueError where noise traders cannot have elastic volume."""
    elastic, fees = "fees.volume = 'elastic'", view.fees
    if view.group:
        raise ValueError(
            f"subsidiaries.{view.group}.{elastic} is for the main pool, whose value in USD is known: leave it out"
        )
    if not pool.takes_volume:
        raise ValueError(f"{elastic} is for weighted pools, not for {called}: set volume = 'proportional'")
    if not (fees.swap_fee or fees.rule or view.tunes_fee or series.swap_fee):
        raise ValueError(
            f"{elastic} has no effect at a fee of zero, from which noise traders pay nothing: set fees.swap_fee, "
            "parameters.swap_fee, fees.rule or series.swap_fee, or volume = 'proportional'"
        )
    if not view.pool.do_arb:
        raise ValueError(f"{elastic} needs arbitrageurs, who return the pool to its price: set pool.do_arb = true")
    for key in ("gas_cost_usd", "trades", "supply"):
        if value := getattr(series, key):
            raise ValueError(f"{elastic} does not go with series.{key} = {value!r}: remove one of them")
    model, trained = fees.volume_model, view.tunes_fee or fees.rule is not None
    if model is not None and trained and not model.fee_is_identified and not fees.volume_prior_decides:
        what = "parameters.swap_fee" if view.tunes_fee else f"fees.rule = {fees.rule!r}"
        raise ValueError(
            f"{what} would be trained on a guess: the data of fees.volume_model does not tell how volume depends on the fee, "
            "so its prior decides. Fix the fee, fit a history in which the fee changed, or set fees.volume_prior_decides = true"
        )


def _check_series(view: PoolView, pool: Pool, series: Series, called: str) -> None:
    """Raises ValueError if a setting is both a series and a number, or if the pool does not read one."""
    for name in series.costs:
        if number := getattr(view.fees, name):
            raise ValueError(f"fees.{name} = {number} and series.{name} = {getattr(series, name)!r}: give one of them")
    if series.swap_fee is not None and (view.fees.rule is not None or view.tunes_fee):
        other = "parameters.swap_fee" if view.tunes_fee else f"fees.rule = {view.fees.rule!r}"
        raise ValueError(f"{other} and series.swap_fee = {series.swap_fee!r} both set the fee: give one of them")
    if series.trades is not None and not pool.takes_swaps:
        raise ValueError(
            f"series.trades = {series.trades!r} is for pools that execute exogenous swaps, {_swappers()}, not for {called}: "
            "leave it out"
        )
    if series.oracle is not None and not _may_read_oracle(view):
        raise ValueError(
            f"series.oracle = {series.oracle!r} is for rules that read it, such as 'index_supply', not for {called}: leave it "
            "out"
        )


def _swappers() -> str:
    """Returns the types of pools that execute exogenous swaps."""
    return " and ".join(name for name in sorted(pool_names()) if get_pool(name).takes_swaps)


def _may_read_oracle(view: PoolView) -> bool:
    """Whether the rule requires the oracle, or the pool, its rule or its fee rule are in a user's file, and may read it."""
    named = (view.pool.type, view.fees.rule, *view.pool.rule_names)
    return (view.rule is not None and view.rule.needs_oracle) or any(isinstance(name, SourceName) for name in named)


def _given(parameters: Mapping[str, Any], group: str) -> frozenset[str]:
    start = in_group(group, "")
    return frozenset(name.removeprefix(start) for name in parameters if name.startswith(start))
