"""Given weights: those that a pool really had, from a table of its updates."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="given_weights",
    description="the weights of series.weights, such as those that a pool really had",
    parameters=(),
    output=Output.CONSTANT,
    given=True,
)
