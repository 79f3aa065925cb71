"""Rules that steer the weights of a pool. Each file with a ``RULE`` is a rule; ``base.py`` defines the class."""

from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.ensemble import ensemble_of
from quantsim.rules.registry import get_rule, rule_names

__all__ = ["Observed", "Output", "Rule", "RuleSettings", "centre", "ensemble_of", "get_rule", "rule_names"]
