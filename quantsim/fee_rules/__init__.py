"""Swap fees that follow a signal, one file each. ``base.py`` says what a fee rule is; a new file with ``FEE_RULE`` is one."""

from quantsim.fee_rules.base import FeeRule
from quantsim.fee_rules.registry import fee_rule_names, get_fee_rule

__all__ = ["FeeRule", "fee_rule_names", "get_fee_rule"]
