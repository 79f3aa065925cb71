"""One file, one strategy. ``base.py`` says what a rule is; a new file here that defines ``RULE`` is a new rule."""

from quantsim.rules.base import Observed, Output, Rule, RuleSettings, Trading, centre
from quantsim.rules.ensemble import ensemble_of
from quantsim.rules.registry import get_rule, rule_names

__all__ = ["Observed", "Output", "Rule", "RuleSettings", "Trading", "centre", "ensemble_of", "get_rule", "rule_names"]
