"""HODL: the initial reserves, held; the yardstick for every other rule."""

from __future__ import annotations

from quantsim.parameters import common
from quantsim.rules.base import Output, Rule

__all__ = ["RULE"]

RULE = Rule(
    name="hodl",
    description="the initial reserves, held without trading",
    parameters=(common.initial_weights,),
    output=Output.HOLD,
)
