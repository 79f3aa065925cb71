"""HODL: the initial reserves, held; the benchmark for every other rule."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule, Trading

__all__ = ["RULE"]

RULE = Rule(
    name="hodl",
    description="the initial reserves, held without trading",
    parameters=(),
    output=Output.CONSTANT,
    trading=Trading.NONE,
)
