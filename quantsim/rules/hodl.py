"""HODL: constant weights. A study that names it without a pool type gets a pool that never trades, the benchmark of all."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="hodl",
    description="constant weights; without a pool type, of a pool that never trades",
    parameters=(),
    output=Output.CONSTANT,
)
