"""Swap fees that follow a signal. Each file with a ``FEE_RULE`` is a fee rule; ``base.py`` defines the class."""

from quantsim.fee_rules.base import FeeRule
from quantsim.fee_rules.registry import fee_rule_names, get_fee_rule

__all__ = ["FeeRule", "fee_rule_names", "get_fee_rule"]
