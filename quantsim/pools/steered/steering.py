"""From settings to the weights of a window: a rule or an ensemble, bounds and ramps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
from pydantic import model_validator

from quantsim.array_types import FloatArray
from quantsim.discovery import is_loadable, short_name
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.objective import Period
from quantsim.parameters import Parameter, ParameterSpec, bind, common
from quantsim.parameters.parameter import in_group, scoped
from quantsim.pools.base import Params, PoolSetup, Window
from quantsim.pools.settings import PoolSettings, PoolView
from quantsim.pools.steered.interpolation import bar_weights
from quantsim.pools.steered.weights import Bounds, Ramps, Steering, chunk_ramps, token_bounds
from quantsim.rules import Observed, Output, Rule, RuleSettings, ensemble_of, get_rule
from quantsim.settings.kinds import Bound, Members, RuleName

__all__ = [
    "ConstantSettings",
    "SteeredSettings",
    "check_constant",
    "check_steering",
    "has_token_bounds",
    "initial_weights",
    "ramp_change",
    "rule_outputs",
    "steered_parameters",
    "steering_of",
    "tuned_bounds",
    "weight_bounds",
    "window_ramps",
]


class SteeredSettings(PoolSettings):
    """Settings of a pool's weights: a rule or an ensemble of rules, and bounds.

    ``minimum_weight`` is ``0.1/n`` by default. A bound is one number, or one per token.
    """

    rule: RuleName | None = None
    """The rule that moves the weights: a name, or ``file.py:name``."""
    ensemble: Members = ()
    """Several rules instead, whose outputs are averaged: member = rule."""
    minimum_weight: Bound | tuple[Bound, ...] | None = None
    """Smallest weight: one number, or one per token; by default 0.1 divided by the number of tokens."""
    maximum_weight: Bound | tuple[Bound, ...] | None = None
    """Largest weight: one number, or one per token; by default what the minimum leaves."""

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        self._check_strategy_is_given()
        if len(self.ensemble) == 1:
            raise ValueError(f"ensemble has only one member, {self.ensemble[0][0]!r}: set rule instead")
        if self.ensemble and all(is_loadable(name) for name in self.rule_names):
            self.strategy()  # raises where the members do not fit together
        return self

    def _check_strategy_is_given(self) -> None:
        if (self.rule is None) == (not self.ensemble):
            raise ValueError("set either rule or ensemble (a table of member = rule)")

    @property
    def rule_names(self) -> tuple[str, ...]:
        """Returns the names of the rule, or of the ensemble's members."""
        return (self.rule,) if self.rule is not None else tuple(name for _, name in self.ensemble)

    def strategy(self) -> Rule | None:
        """Returns the rule, or the ensemble as one rule."""
        if self.rule is not None:
            return get_rule(self.rule)
        return ensemble_of(tuple((name, get_rule(rule)) for name, rule in self.ensemble)) if self.ensemble else None

    def members(self) -> tuple[tuple[str, Rule], ...]:
        """Returns the rules whose parameters the pool has, each with its group; the group of a single rule is empty."""
        if self.rule is not None:
            return (("", get_rule(self.rule)),)
        return tuple((name, get_rule(rule)) for name, rule in self.ensemble)

    @property
    def strategy_name(self) -> str:
        """The name of the rule, or of an ensemble and its members, for display."""
        if self.rule is not None:
            return short_name(self.rule)
        if not self.ensemble:
            return super().strategy_name
        return "ensemble of " + ", ".join(f"{name} = {short_name(rule)}" for name, rule in self.ensemble)


class ConstantSettings(SteeredSettings):
    """Settings of a pool with constant weights: with a rule that keeps them constant, or without a rule."""

    def _check_strategy_is_given(self) -> None:
        if self.ensemble:
            raise ValueError("ensemble is for pools whose weights move: leave it out, or set type = 'weighted'")


def _settings(view: PoolView) -> SteeredSettings:
    return cast(SteeredSettings, view.pool)


def steering_of(view: PoolView, bar_minutes: int, settings: RuleSettings) -> Steering:
    """Returns the steering of a pool; its chunks and ramps must be whole numbers of bars."""
    lower, upper = weight_bounds(view)
    return Steering(
        rule=view.rule,
        settings=settings,
        n_tokens=len(view.tokens),
        chunk_bars=view.update.chunk_minutes // bar_minutes,
        ramp_bars=view.interpolation_minutes // bar_minutes,
        maximum_change=view.update.maximum_change_per_minute * bar_minutes,
        minimum_weight=min(lower),
        bounds=(lower, upper) if has_token_bounds(view) else None,
        tuned_bounds=tuple(spec.raw_name for spec in tuned_bounds(view)),
        interpolation=view.update.interpolation,
        given=view.rule is not None and view.rule.given,
    )


def tuned_bounds(view: PoolView) -> tuple[ParameterSpec, ...]:
    """Returns the specs of the weight bounds that are parameters: lower, upper, both or neither."""
    bounds = (common.minimum_weights, common.maximum_weights)
    return tuple(spec for spec in bounds if view.given & {spec.raw_name, spec.human_name})


def weight_bounds(view: PoolView) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the lower and the upper bounds of the weights.

    The default lower bound is ``0.1/n``; the default upper bound is 1 minus the lower bounds of the other tokens.

    Raises:
        ValueError: the number of bounds is not the number of tokens, or no weights satisfy the bounds.
    """
    n_tokens = len(view.tokens)
    lower = _per_token(view, "minimum_weight", 0.1 / n_tokens)
    room = 1.0 - sum(lower)
    if room < -1e-12:
        raise ValueError(f"{view.told('minimum_weight')} must be at most 1/{n_tokens} on average for {n_tokens} tokens")
    upper = _per_token(view, "maximum_weight", 1.0)
    upper = tuple(min(high, low + max(room, 0.0)) for low, high in zip(lower, upper, strict=True))
    if sum(upper) < 1.0 - 1e-12:
        raise ValueError(f"{view.told('maximum_weight')} must sum to at least 1, but the sum is {sum(upper):g}")
    if any(low > high for low, high in zip(lower, upper, strict=True)):
        raise ValueError(f"{view.told('minimum_weight')} must not exceed {view.told('maximum_weight')}")
    return lower, upper


def has_token_bounds(view: PoolView) -> bool:
    """Whether the bounds are more than one lower bound for all tokens."""
    settings = _settings(view)
    return bool(tuned_bounds(view)) or isinstance(settings.minimum_weight, tuple) or settings.maximum_weight is not None


def _per_token(view: PoolView, key: str, default: float) -> tuple[float, ...]:
    value = getattr(view.pool, key)
    if not isinstance(value, tuple):
        return (default if value is None else value,) * len(view.tokens)
    if len(value) != len(view.tokens):
        raise ValueError(f"{view.told(key)} must be one number, or one for each of {', '.join(view.tokens)}")
    return value


def steered_parameters(view: PoolView) -> tuple[Parameter, ...]:
    """Returns initial weights, the parameters of the rules, and the bounds that are parameters, in dependency order."""
    chunk, settings = view.update.chunk_minutes, view.update.model_dump()
    others = view.rule is not None and (view.rule.output is Output.WEIGHTS or view.rule.given)
    found = [Parameter(common.initial_weights, view.tokens, chunk, view.group, active=not others)]
    for member, rule in view.pool.members():
        group = in_group(view.group, member) if member else view.group
        found += bind(_asked_for(view, member, rule), view.tokens, chunk, group=group, settings=settings)
    return (*found, *bind(tuned_bounds(view), view.tokens, chunk, group=view.group))


def _asked_for(view: PoolView, member: str, rule: Rule) -> tuple[ParameterSpec, ...]:
    """Returns a rule's parameters, and of those that a study opts into the ones that it gives."""
    return tuple(
        spec
        for spec in rule.parameters
        if not spec.opt_in or view.given & {in_group(member, name) for name in (spec.raw_name, spec.human_name)}
    )


def check_steering(view: PoolView, human: Mapping[str, FloatArray]) -> None:
    """Raises ValueError if bounds contradict each other or the initial weights, or parameters of a rule each other."""
    lower, upper = weight_bounds(view)
    for member, rule in view.pool.members():
        if rule.check is not None:
            rule.check(scoped(human, member))
    if view.rule is not None and view.rule.output is Output.CONSTANT:
        _check_constant_weights(view, human)
    elif view.rule is not None and view.rule.output is Output.CHANGE and not tuned_bounds(view):
        _check_inside(view, human, lower, upper)


def _check_constant_weights(view: PoolView, human: Mapping[str, FloatArray]) -> None:
    """Raises ValueError if bounds are given for weights that no rule moves, unless constant weights satisfy them."""
    settings, given = _settings(view), view.rule is not None and view.rule.given
    if tuned := tuned_bounds(view):
        name = in_group(view.group, tuned[0].human_name)
        raise ValueError(f"parameters.{name} has no effect: no rule moves the weights of this pool; leave it out")
    for key in ("minimum_weight", "maximum_weight"):
        if given and getattr(settings, key) is not None:
            raise ValueError(f"{view.told(key)} has no effect on given weights: leave it out")
    if settings.minimum_weight is not None or settings.maximum_weight is not None:
        lower, upper = weight_bounds(view)
        _check_inside(view, human, (0.0,) * len(lower) if settings.minimum_weight is None else lower, upper)


def _check_inside(
    view: PoolView, human: Mapping[str, FloatArray], lower: Sequence[float], upper: Sequence[float]
) -> None:
    """Raises ValueError if initial weights are outside of their bounds."""
    weights = human[common.initial_weights.human_name]
    for token, weight, low, high in zip(view.tokens, weights, lower, upper, strict=True):
        if not low * (1 - 1e-12) <= weight <= high * (1 + 1e-12):
            raise ValueError(
                f"parameters.{in_group(view.group, 'initial_weights')}: the weight of {token} is {weight:.6g}, but must be "
                f"between pool.minimum_weight = {low:.6g} and pool.maximum_weight = {high:.6g}"
            )


def check_constant(view: PoolView, human: Mapping[str, FloatArray]) -> None:
    """Raises ValueError if bounds contradict each other or the weights, or if the rule would move weights."""
    weight_bounds(view)
    if view.rule is not None and view.rule.output is not Output.CONSTANT:
        where = f"subsidiaries.{view.group}." if view.group else "pool."
        raise ValueError(
            f"{where}rule = {view.pool.strategy_name!r} moves weights, but the weights of this pool type are constant: set "
            "rule = 'balancer', or type = 'weighted'"
        )
    _check_constant_weights(view, human)


def rule_outputs(setup: PoolSetup[Steering], params: Params, observed: Observed) -> Array | None:
    """Returns the rule's outputs at every chunk boundary, (K, n); None for a rule without outputs."""
    rule = setup.own.rule
    if rule is None or rule.outputs is None:
        return None
    outputs = rule.outputs(params, observed, setup.settings)
    return jnp.concatenate([outputs[1:], outputs[-1:]]) if setup.look_ahead else outputs


def initial_weights(params: Params) -> Array:
    """Returns the initial weights of a pool, (n,), unless its rule sets them; they have no gradient."""
    return jax.lax.stop_gradient(jax.nn.softmax(params[common.initial_weights.raw_name]))


def window_ramps(setup: PoolSetup[Steering], params: Params, window: Window) -> Ramps:
    """Returns the ramps of a window, from the rule's outputs in its decisions; bounds and persistence follow its schedule."""
    steering = replace(setup.own, straight_through=setup.straight_through)
    n_chunks = -(-window.n_bars // steering.chunk_bars)
    outputs, rule = window.decisions, steering.rule
    if outputs is not None:
        outputs = jax.lax.dynamic_slice_in_dim(outputs, (window.start - window.phase) // steering.chunk_bars, n_chunks)

    def limits(params: Params) -> tuple[Bounds | None, Array | None]:
        bounds = token_bounds(params, steering)
        if rule is None or rule.persistence is None:
            return bounds, None
        return bounds, rule.persistence(params, steering.settings)

    if window.schedule is None:
        bounds, persistence = limits(params)
    else:
        bounds, persistence = window.schedule.select(limits, window.start + steering.chunk_bars * jnp.arange(n_chunks))
    return chunk_ramps(outputs, initial_weights(params), n_chunks, steering, bounds, persistence)


def ramp_change(ramps: Ramps, n_bars: int, steering: Steering, periods: Sequence[Period]) -> Array:
    """Returns ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` over each period of a window, (P,)."""
    if not steering.moves:
        return jnp.zeros(len(periods))
    if steering.interpolation != "linear":
        weights = bar_weights(ramps, n_bars, steering)
        inside = (weights[period.first : period.end] for period in periods)
        return jnp.stack([0.5 * jnp.sum(jnp.abs(jnp.diff(part, axis=0))) for part in inside])
    first, speed = np.arange(ramps.start.shape[0]) * steering.chunk_bars, jnp.sum(jnp.abs(ramps.step), axis=-1)

    def moved(period: Period) -> Any:
        before, by_then = (np.clip(bar - first, 0, steering.ramp_bars) for bar in (period.first, period.end - 1))
        return 0.5 * jnp.sum(speed * (by_then - before).astype(np.float64))

    return jnp.stack([moved(period) for period in periods])
