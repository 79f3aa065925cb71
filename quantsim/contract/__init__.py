"""The arithmetic of QuantAMM's contracts, in their own integers: estimators, rules, guard, multipliers, interpolation.

Numbers are Python integers with 18 decimals, as the contracts' ``int256``. Every function gives the integer that the contract
gives, or raises :class:`~quantsim.errors.ContractError` where the contract reverts. Nothing here reads a study or uses JAX.
"""

from quantsim.contract.guard import clamp_weights, guard_weights, normalize_weight_updates
from quantsim.contract.pool import PoolState, initial_pool, interpolated_weights, set_weights, weights_at
from quantsim.contract.rules import RULES, ContractRule, RuleState, Update, get_contract_rule
from quantsim.contract.update import Performed, Settings, calculate_new_weights, observe, perform_update

__all__ = [
    "RULES",
    "ContractRule",
    "Performed",
    "PoolState",
    "RuleState",
    "Settings",
    "Update",
    "calculate_new_weights",
    "clamp_weights",
    "get_contract_rule",
    "guard_weights",
    "initial_pool",
    "interpolated_weights",
    "normalize_weight_updates",
    "observe",
    "perform_update",
    "set_weights",
    "weights_at",
]
