"""CoW: constant weights. A study that names it without a pool type gets a pool that trades in batches."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="cow",
    description="constant weights; without a pool type, of a pool that trades in batches",
    parameters=(),
    output=Output.CONSTANT,
)
