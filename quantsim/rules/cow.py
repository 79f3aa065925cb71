"""CoW: a function-maximising AMM (arXiv:2307.02074) with constant weights of two tokens, which trades in batches."""

from __future__ import annotations

from quantsim.rules.base import Output, Rule, Trading

__all__ = ["RULE"]

RULE = Rule(
    name="cow",
    description="constant weights of two tokens; trades in batches at one price",
    parameters=(),
    output=Output.CONSTANT,
    trading=Trading.BATCHES,
)
