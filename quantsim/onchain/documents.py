"""Settings and updates of a contract as JSON values: integers as text, as JSON numbers have fewer digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quantsim.contract.rules import RuleState
from quantsim.onchain.run import ChainRun, ChainUpdate
from quantsim.onchain.settings import ContractPool, Problem

__all__ = ["factory_json", "integers", "problems_json", "reverted_json", "settings_json", "state_json", "update_json"]


def integers(values: Sequence[int]) -> list[str]:
    """Returns integers as text."""
    return [str(value) for value in values]


def problems_json(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """Returns what the contract refuses, and what it does differently."""
    return {
        "refused": [problem.text for problem in problems if problem.refused],
        "warnings": [problem.text for problem in problems if not problem.refused],
    }


def factory_json(tokens: Sequence[str], swap_fee: int | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments that factories of Balancer have in common, with a pool's own; None where a study does not decide.

    Args:
        tokens: the tokens. Vaults register tokens in the order of their addresses.
        swap_fee: the swap fee, with 18 decimals.
        own: arguments of this kind of pool, which come after the tokens.
    """
    return {
        "name": None,
        "symbol": None,
        "tokens": list(tokens),
        **own,
        "roleAccounts": None,
        "swapFeePercentage": None if swap_fee is None else str(swap_fee),
        "poolHooksContract": None,
        "enableDonation": None,
        "disableUnbalancedLiquidity": None,
        "salt": None,
    }


def settings_json(pool: ContractPool) -> dict[str, Any]:
    """Returns the settings that updates read, under the contract's names."""
    settings = pool.settings
    return {
        "rule": settings.rule.contract,
        "updateInterval": settings.update_interval,
        "lambda": integers(settings.lambdas),
        "epsilonMax": str(settings.epsilon_max),
        "absoluteWeightGuardRail": str(settings.guard_rail),
        "ruleParameters": [integers(row) for row in settings.parameters],
    }


def state_json(state: RuleState) -> dict[str, list[str]]:
    """Returns a rule's state."""
    return {
        "movingAverages": integers(state.moving_averages),
        "intermediateValues": integers(state.intermediate),
    }


def reverted_json(run: ChainRun) -> list[dict[str, Any]]:
    """Returns the updates that failed: second and reason."""
    return [{"time": time, "reason": reason} for time, reason in run.reverted]


def update_json(update: ChainUpdate) -> dict[str, Any]:
    """Returns an update, step by step: what it read, the rule's state after it, and the pool after it."""
    performed = update.performed
    return {
        "time": update.time,
        "prices": integers(update.prices),
        **state_json(performed.state),
        "currentWeights": integers(performed.current),
        "unguardedWeights": integers(performed.wanted),
        "updatedWeights": integers(performed.updated),
        "weights": integers(performed.pool.weights),
        "multipliers": integers(performed.pool.multipliers),
        "lastInteropTime": performed.pool.last_interpolation,
    }
