"""What the contracts store: weights and multipliers with 9 decimals in 32 bits, states of estimators in 128 bits.

Source: ``QuantAMMStorage.sol``.
"""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.fixed_point import quotient
from quantsim.errors import ContractError

__all__ = ["STORED_ONE", "stored_32", "stored_128"]

STORED_ONE = 10**9
"""1 with the 9 decimals of stored weights and multipliers, and the size of their last digit with 18 decimals."""

_LARGEST_32, _LARGEST_128 = 2**31 - 1, 2**127 - 1


def stored_32(values: Sequence[int]) -> tuple[int, ...]:
    """Returns what is read back of weights or multipliers: 18 decimals, of which the last 9 are truncated towards zero.

    The contract's ``quantAMMPack32Array`` followed by ``quantAMMUnpack32``.

    Raises:
        ContractError: a value is outside of ``int32`` with 9 decimals.

    Example:
        >>> stored_32([499_999_999_999_999_999, -1_999_999_999])
        (499999999000000000, -1000000000)
    """
    short = [quotient(value, STORED_ONE) for value in values]
    for value, stored in zip(values, short, strict=True):
        if not -_LARGEST_32 - 1 <= stored <= _LARGEST_32:
            raise ContractError(f"{value} is outside of int32 with 9 decimals, ±2.147483647: Overflow")
    return tuple(stored * STORED_ONE for stored in short)


def stored_128(values: Sequence[int]) -> tuple[int, ...]:
    """Returns the values, as ``_quantAMMPack128Array`` and ``_quantAMMUnpack128Array`` give them back.

    Raises:
        ContractError: a value is outside of ``int128``.
    """
    for value in values:
        if not -_LARGEST_128 - 1 <= value <= _LARGEST_128:
            raise ContractError(f"{value} is outside of int128: Overflow")
    return tuple(values)
