"""HODL: holds the initial reserves; the benchmark for all other rules."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule, Trading

__all__ = ["RULE"]

RULE = Rule(
    name="hodl",
    description="holds the initial reserves, without trading",
    parameters=(),
    output=Output.CONSTANT,
    trading=Trading.NONE,
)
