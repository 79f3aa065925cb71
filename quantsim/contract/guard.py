"""The guard that every rule's weights pass: limits of the weights, then of their change per update.

Source: ``QuantAMMMathGuard``. Its arithmetic is ``unchecked``; weights are far from where that would matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.fixed_point import ONE, div, mul

__all__ = ["clamp_weights", "guard_weights", "normalize_weight_updates", "upper_rail"]


def upper_rail(guard_rail: int, n_tokens: int) -> int:
    """Returns the largest weight, ``1 - (n-1)·rail``."""
    return ONE - mul((n_tokens - 1) * ONE, guard_rail)


def guard_weights(
    weights: Sequence[int], previous: Sequence[int], epsilon_max: int, guard_rail: int
) -> tuple[int, ...]:
    """Returns the weights that an update aims at: ``_guardQuantAMMWeights``, both functions below one after the other.

    Args:
        weights: (n,) weights that the rule wants.
        previous: (n,) weights in force.
        epsilon_max: largest change of a weight per update.
        guard_rail: smallest weight.
    """
    return normalize_weight_updates(previous, clamp_weights(weights, guard_rail), epsilon_max)


def clamp_weights(weights: Sequence[int], guard_rail: int) -> tuple[int, ...]:
    """Clamps weights to ``[rail, 1 - (n-1)·rail]`` and scales those not at the rail to sum to the rest: ``_clampWeights``.

    The scaling can take a weight just above the rail below it, and leaves weights that are all at the rail with a sum below 1.

    Example:
        >>> clamp_weights([ONE // 20, 45 * ONE // 100, ONE // 2], ONE // 10)
        (100000000000000000, 426315789473684210, 473684210526315789)
    """
    if len(weights) == 1:
        return tuple(weights)
    upper = upper_rail(guard_rail, len(weights))
    below = [weight < guard_rail for weight in weights]
    clamped = [guard_rail if low else min(weight, upper) for weight, low in zip(weights, below, strict=True)]
    rest = ONE - sum(below) * guard_rail
    others = sum(weight for weight, low in zip(clamped, below, strict=True) if not low)
    if others == 0:
        return tuple(clamped)
    factor = div(rest, others)
    return tuple(weight if weight == guard_rail else mul(weight, factor) for weight in clamped)


def normalize_weight_updates(previous: Sequence[int], weights: Sequence[int], epsilon_max: int) -> tuple[int, ...]:
    """Limits the largest change to ``epsilon_max``, and makes the sum exactly 1: ``_normalizeWeightUpdates``.

    If the largest change is too large, all changes are scaled by one factor. What the sum has too much is taken from the
    largest weight; what it lacks is given to the second largest, as the largest may be at its limit.

    Example:
        >>> normalize_weight_updates([ONE // 2, ONE // 2], [ONE * 7 // 10, ONE * 3 // 10], ONE // 10)
        (600000000000000000, 400000000000000000)
    """
    change = max(abs(new - old) for new, old in zip(weights, previous, strict=True))
    found = list(weights)
    if change > epsilon_max:
        factor = div(epsilon_max, change)
        found = [old + mul(new - old, factor) for new, old in zip(weights, previous, strict=True)]
    largest, second = _two_largest(found)
    lack = ONE - sum(found)
    found[second if lack > 0 else largest] += lack
    return tuple(found)


def _two_largest(weights: Sequence[int]) -> tuple[int, int]:
    """Returns the positions of the largest and the second largest weight; of equal ones, the first is the largest.

    Only positive weights count. A position that no weight takes is 0, as in the contract.
    """
    first, second, largest, next_largest = 0, 0, 0, 0
    for position, weight in enumerate(weights):
        if weight > largest:
            second, next_largest, first, largest = first, largest, position, weight
        elif weight > next_largest:
            second, next_largest = position, weight
    return first, second
