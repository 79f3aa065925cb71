"""The arithmetic of QuantAMM's contracts, in their own integers: estimators, rules, guard, multipliers, interpolation.

Numbers are Python integers with 18 decimals, as the contracts' ``int256``. Every function gives the integer that the contract
gives, or raises :class:`~quantsim.errors.ContractError` where the contract reverts. Nothing here reads a study or uses JAX.
"""

from quantsim.contract.guard import clamp_weights, guard_weights, normalize_weight_updates
from quantsim.contract.pool import PoolState, interpolated_weights, set_weights
from quantsim.contract.rules import RULES, ContractRule, RuleState, get_contract_rule
from quantsim.contract.update import Settings, calculate_new_weights, perform_update

__all__ = [
    "RULES",
    "ContractRule",
    "PoolState",
    "RuleState",
    "Settings",
    "calculate_new_weights",
    "clamp_weights",
    "get_contract_rule",
    "guard_weights",
    "interpolated_weights",
    "normalize_weight_updates",
    "perform_update",
    "set_weights",
]
