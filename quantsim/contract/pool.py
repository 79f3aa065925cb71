"""The weights that a pool stores, and the weights in force at a time.

Source: ``_calculateMultiplerAndSetWeights`` of ``UpdateWeightRunner``; ``setWeights``, ``_getNormalizedWeights`` and
``calculateBlockNormalisedWeight`` of ``QuantAMMWeightedPool``. Times are whole seconds since 1970, as ``block.timestamp``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantsim.contract.fixed_point import LARGEST, quotient
from quantsim.contract.guard import upper_rail
from quantsim.contract.storage import STORED_ONE, stored_32
from quantsim.errors import ContractError

__all__ = ["NEVER", "PoolState", "initial_pool", "interpolated_weights", "set_weights", "weights_at"]

NEVER = 2**40 - 1
"""type(uint40).max: the last second of interpolation where no weight moves."""

_LARGEST_TIME = 2**39 - 1  # type(int40).max


class PoolState(NamedTuple):
    """What a pool stores.

    Attributes:
        weights: (n,) weights at the last update, multiples of 1e9: they have 9 decimals.
        multipliers: (n,) changes per second, multiples of 1e9.
        last_update: second of the last update: ``lastUpdateTime``.
        last_interpolation: second from which the weights stand still, when the first of them reaches its rail:
            ``lastInteropTime``.
    """

    weights: tuple[int, ...]
    multipliers: tuple[int, ...]
    last_update: int
    last_interpolation: int


def initial_pool(weights: Sequence[int], time: int) -> PoolState:
    """Returns a new pool: its weights with 9 decimals, which do not move: ``_setInitialWeights``."""
    return PoolState(stored_32(weights), (0,) * len(weights), time, time)


def set_weights(
    current: Sequence[int], updated: Sequence[int], update_interval: int, guard_rail: int, time: int
) -> PoolState:
    """Returns the pool after an update: ``_calculateMultiplerAndSetWeights`` and ``setWeights``.

    The weights move from ``current`` by ``(updated - current) / interval`` a second, truncated to 18 decimals and then, like
    the weights themselves, to the 9 that are stored. They move until the next update, past the interval too, but not beyond the
    second at which the first of them would reach its rail at the multiplier of 18 decimals.

    Args:
        current: (n,) weights in force at ``time``.
        updated: (n,) weights to reach after an interval.
        update_interval: seconds between updates.
        guard_rail: smallest weight.
        time: second of the block.
    """
    upper = upper_rail(guard_rail, len(current))
    multipliers = [quotient(new - old, update_interval) for new, old in zip(updated, current, strict=True)]
    until = LARGEST
    for weight, multiplier in zip(current, multipliers, strict=True):
        if multiplier:
            room = upper - weight if multiplier > 0 else weight - guard_rail
            until = min(until, quotient(room, abs(multiplier)))
    last = time + until if until < _LARGEST_TIME - time else NEVER
    return PoolState(stored_32(current), stored_32(multipliers), time, last)


def weights_at(pool: PoolState, time: int) -> tuple[int, ...]:
    """Returns the weights in force in the block of a second: ``_getNormalizedWeights``.

    Raises:
        ContractError: a weight would be negative, or the pool's last second of interpolation is before its last update.
    """
    elapsed = (min(time, pool.last_interpolation) - pool.last_update) % 2**40  # uint40, unchecked
    found = tuple(
        weight + multiplier * elapsed for weight, multiplier in zip(pool.weights, pool.multipliers, strict=True)
    )
    if min(found) < 0:
        raise ContractError(f"weight {min(found)} at second {time}: the subtraction underflows")
    return found


def interpolated_weights(pool: PoolState, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the weights in force at many seconds, none before the last update: (T,) → (T, n), with 18 decimals.

    Raises:
        ContractError: as :func:`weights_at`.
    """
    if pool.last_interpolation < pool.last_update:
        rows = [weights_at(pool, int(time)) for time in times]
        return np.asarray(rows, np.int64).reshape(len(times), len(pool.weights))
    elapsed = np.minimum(times, pool.last_interpolation) - pool.last_update
    # With the 9 decimals that are stored, no product leaves 64 bits.
    weights, multipliers = (
        np.asarray([each // STORED_ONE for each in values], np.int64) for values in (pool.weights, pool.multipliers)
    )
    found = weights + multipliers * elapsed[:, None]
    if (found < 0).any():
        raise ContractError(
            f"a weight is {found.min()}e-9 after the update at second {pool.last_update}: it underflows"
        )
    return np.asarray(found * STORED_ONE, np.int64)
