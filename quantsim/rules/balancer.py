"""Balancer: constant weights, the classic G3M pool."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="balancer",
    description="constant weights",
    parameters=(),
    output=Output.CONSTANT,
)
