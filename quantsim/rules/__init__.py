"""One file, one strategy. ``base.py`` says what a rule is; a new file here that defines ``RULE`` is a new rule."""

from quantsim.rules.base import Output, Rule, RuleSettings, centre
from quantsim.rules.registry import get_rule, rule_names

__all__ = ["Output", "Rule", "RuleSettings", "centre", "get_rule", "rule_names"]
