"""One update of a pool: moving averages, rule, guard, multipliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quantsim.contract.estimators import moving_average
from quantsim.contract.guard import guard_weights
from quantsim.contract.pool import PoolState, set_weights, weights_at
from quantsim.contract.rules.base import ContractRule, Rows, RuleState, Update
from quantsim.contract.storage import stored_128
from quantsim.errors import ContractError

__all__ = ["Performed", "Settings", "calculate_new_weights", "observe", "perform_update"]


@dataclass(frozen=True)
class Settings:
    """The settings of a pool that its updates read, in the contract's integers.

    Attributes:
        rule: the rule.
        parameters: the rule's rows of parameters: ``ruleParameters``.
        lambdas: (1,) or (n,) decays: ``lambda``.
        epsilon_max: largest change of a weight per update: ``epsilonMax``.
        guard_rail: smallest weight: ``absoluteWeightGuardRail``.
        update_interval: seconds between updates: ``updateInterval``.
    """

    rule: ContractRule
    parameters: Rows
    lambdas: tuple[int, ...]
    epsilon_max: int
    guard_rail: int
    update_interval: int


class Performed(NamedTuple):
    """An update.

    Attributes:
        current: (n,) weights in force before the update.
        wanted: (n,) weights of the rule, before the guard.
        updated: (n,) weights that the update aims at.
        state: the rule's state after the update.
        pool: the pool after the update.
    """

    current: tuple[int, ...]
    wanted: tuple[int, ...]
    updated: tuple[int, ...]
    state: RuleState
    pool: PoolState


def calculate_new_weights(
    settings: Settings, state: RuleState, weights: Sequence[int], data: Sequence[int]
) -> tuple[RuleState, tuple[int, ...], tuple[int, ...]]:
    """Returns the rule's new state, its weights, and these weights after the guard: ``CalculateNewWeights`` of ``UpdateRule``.

    Args:
        settings: settings of the pool.
        state: the rule's state before the update.
        weights: (n,) weights in force.
        data: (n,) prices of the oracles, with 18 decimals.
    """
    averages = stored_128(moving_average(state.moving_averages, data, settings.lambdas))
    update = Update(
        weights, data, settings.parameters, settings.lambdas, averages, state.moving_averages, state.intermediate
    )
    intermediate, wanted = settings.rule.weights(update)
    guarded = guard_weights(wanted, weights, settings.epsilon_max, settings.guard_rail)
    return RuleState(averages, intermediate), wanted, guarded


def observe(settings: Settings, state: RuleState, data: Sequence[int]) -> RuleState:
    """Returns the rule's state after prices, without new weights: to warm up, before a pool is created."""
    averages = stored_128(moving_average(state.moving_averages, data, settings.lambdas))
    update = Update((), data, settings.parameters, settings.lambdas, averages, *state)
    return RuleState(averages, settings.rule.observe(update))


def perform_update(
    settings: Settings, state: RuleState, pool: PoolState, data: Sequence[int], time: int, last_run: int = 0
) -> Performed:
    """Performs an update in the block of a second: ``performUpdate`` of ``UpdateWeightRunner``.

    Args:
        settings: settings of the pool.
        state: the rule's state.
        pool: the pool.
        data: (n,) prices of the oracles, with 18 decimals.
        time: second of the block.
        last_run: second of the update before: ``lastPoolUpdateRun``; 0 before the first.

    Raises:
        ContractError: the interval since the last update has not passed, or the arithmetic reverts.
    """
    if time - last_run < settings.update_interval:
        raise ContractError(
            f"update at second {time}, {time - last_run} s after the last one: the interval is {settings.update_interval} s, "
            "Update not allowed"
        )
    current = weights_at(pool, time)
    state, wanted, updated = calculate_new_weights(settings, state, current, data)
    after = set_weights(current, updated, settings.update_interval, settings.guard_rail, time)
    return Performed(current, wanted, updated, state, after)
