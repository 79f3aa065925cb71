"""Balancer: constant weights, the classic G3M pool."""

from __future__ import annotations

from quantsim.parameters import common
from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="balancer",
    description="constant weights",
    parameters=(common.initial_weights,),
    output=Output.CONSTANT,
)
