"""The rules of the contracts, one per file."""

from quantsim.contract.rules import (
    anti_momentum,
    channel_following,
    difference_momentum,
    minimum_variance,
    momentum,
    power_channel,
)
from quantsim.contract.rules.base import ContractRule, RuleState, Update
from quantsim.errors import ConfigError, nearest

__all__ = ["RULES", "ContractRule", "RuleState", "Update", "get_contract_rule"]

RULES: dict[str, ContractRule] = {
    each.RULE.name: each.RULE
    for each in (momentum, anti_momentum, difference_momentum, power_channel, channel_following, minimum_variance)
}
"""The contract's name of a rule → the rule."""


def get_contract_rule(name: str) -> ContractRule:
    """Returns a rule by its name, with or without the ``UpdateRule`` of its contract.

    Raises:
        ConfigError: there is no such rule.
    """
    short = name.removesuffix("UpdateRule")
    if short not in RULES:
        raise ConfigError(f"the contracts have no rule {name!r}: {nearest(short, RULES)}")
    return RULES[short]
