"""Ensembles: several rules whose outputs are averaged before the weights are computed."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from quantsim.errors import ConfigError
from quantsim.lazy_jax import Array
from quantsim.parameters import scoped
from quantsim.rules.base import Observed, Output, Rule, RuleSettings

__all__ = ["ensemble_of"]

Members = tuple[tuple[str, Rule], ...]


@functools.cache
def ensemble_of(members: Members) -> Rule:
    """Returns a rule whose outputs are the mean of the members' outputs. Gradients flow through all members.

    A member reads the parameters of its own group: ``logit_lamb`` of the member ``fast`` is ``fast.logit_lamb``.

    Args:
        members: pairs of name and rule; all must have the same kind of output.

    Raises:
        ConfigError: the members have different kinds of output, or no output.
    """
    kinds = {rule.output for _, rule in members}
    listed = ", ".join(f"{name} = {rule.name} ({rule.output.value})" for name, rule in members)
    if len(kinds) != 1 or not kinds <= {Output.CHANGE, Output.WEIGHTS}:
        raise ConfigError(f"an ensemble needs rules that all output changes, or all weights, but got {listed}")

    def outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
        each = [rule.outputs(scoped(params, name), observed, settings) for name, rule in members if rule.outputs]
        return sum(each[1:], each[0]) / len(members)

    def persistence(params: Mapping[str, Array], settings: RuleSettings) -> Array:
        each = [rule.persistence(scoped(params, name), settings) for name, rule in members if rule.persistence]
        return sum(each[1:], each[0]) / len(members)  # members without a persistence count as 0

    return Rule(
        name="ensemble",
        description=f"the mean of {listed}",
        parameters=(),
        output=kinds.pop(),
        outputs=outputs,
        persistence=persistence if any(rule.persistence for _, rule in members) else None,
        needs_oracle=any(rule.needs_oracle for _, rule in members),
        sums_to_zero=all(rule.sums_to_zero for _, rule in members),
    )
