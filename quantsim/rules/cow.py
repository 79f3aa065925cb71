"""CoW: constant weights, trading in batches at one price, the function-maximising AMM (arXiv:2307.02074); two tokens."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule, Trading

__all__ = ["RULE"]

RULE = Rule(
    name="cow",
    description="constant weights of two tokens, traded in batches at one price",
    parameters=(),
    output=Output.CONSTANT,
    trading=Trading.BATCHES,
)
