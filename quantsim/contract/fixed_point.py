"""Signed fixed-point numbers with 18 decimals: the functions of ``PRBMathSD59x18``, version 2.5, that the contracts call.

Source: ``@prb/math`` 2.5.0, ``PRBMathSD59x18.sol`` and ``PRBMath.sol``. Every function gives the same integer as the library,
also in the last digit, and raises :class:`~quantsim.errors.ContractError` for the inputs that it reverts for.
"""

from __future__ import annotations

import functools
import math

from quantsim.errors import ContractError

__all__ = ["HALF", "LARGEST", "ONE", "SMALLEST", "div", "exp", "exp2", "int256", "log2", "mul", "power", "quotient"]

ONE = 10**18
"""1 with 18 decimals."""

HALF = ONE // 2
"""0.5 with 18 decimals."""

LARGEST, SMALLEST = 2**255 - 1, -(2**255)
"""``type(int256).max`` and ``type(int256).min``."""

_LOG2_E = 1_442695040888963407
_EXP_IS_ZERO_BELOW = -41_446531673892822322
_EXP_LIMIT = 133_084258667509499441
_EXP2_IS_ZERO_BELOW = -59_794705707972522261
_EXP2_LIMIT = 192 * ONE


def int256(value: int) -> int:
    """Returns the value, as checked arithmetic of Solidity does.

    Raises:
        ContractError: it is outside of ``int256``.
    """
    if not SMALLEST <= value <= LARGEST:
        raise ContractError(f"{value} is outside of int256: checked arithmetic reverts")
    return value


def quotient(numerator: int, denominator: int) -> int:
    """Returns ``numerator / denominator`` of two integers, truncated towards zero: Solidity's ``/``.

    Example:
        >>> quotient(-7, 2)
        -3
    """
    if denominator == 0:
        raise ContractError(f"{numerator} / 0: division by zero reverts")
    found = abs(numerator) // abs(denominator)
    return found if (numerator < 0) == (denominator < 0) else -found


def mul(x: int, y: int) -> int:
    """Returns ``x·y``, rounded half up in magnitude: ``PRBMathSD59x18.mul``.

    Example:
        >>> mul(5 * 10**17, 1), mul(-5 * 10**17, 1), mul(499999999999999999, 1)
        (1, -1, 0)
    """
    if SMALLEST in (x, y):
        raise ContractError("mul: an input is the smallest int256, MulInputTooSmall")
    whole, rest = divmod(abs(x) * abs(y), ONE)
    found = whole + (rest >= HALF)
    if found > LARGEST:
        raise ContractError(f"mul({x}, {y}) is outside of int256: MulOverflow")
    return found if (x < 0) == (y < 0) else -found


def div(x: int, y: int) -> int:
    """Returns ``x/y``, truncated towards zero: ``PRBMathSD59x18.div``.

    Example:
        >>> div(-2 * ONE, 3 * ONE)
        -666666666666666666
    """
    if SMALLEST in (x, y):
        raise ContractError("div: an input is the smallest int256, DivInputTooSmall")
    if y == 0:
        raise ContractError(f"div({x}, 0): division by zero reverts")
    found = abs(x) * ONE // abs(y)
    if found > LARGEST:
        raise ContractError(f"div({x}, {y}) is outside of int256: DivOverflow")
    return found if (x < 0) == (y < 0) else -found


@functools.cache
def _factors() -> tuple[int, ...]:
    """Returns ``2^(2^-i)`` for ``i = 1 … 64``, with 64 binary digits, rounded to nearest: the library's table of powers."""
    digits, factors = 512, []
    root = 2 << digits
    for _ in range(64):
        root = math.isqrt(root << digits)
        factors.append((root + (1 << (digits - 65))) >> (digits - 64))
    return tuple(factors)


def exp2(x: int) -> int:
    """Returns ``2^x``: ``PRBMathSD59x18.exp2``, a product of the powers ``2^(2^-i)`` of the binary digits of ``x``.

    Example:
        >>> exp2(ONE), exp2(-ONE), exp2(HALF)
        (2000000000000000000, 500000000000000000, 1414213562373095048)
    """
    if x < 0:
        return 0 if x < _EXP2_IS_ZERO_BELOW else ONE * ONE // exp2(-x)
    if x >= _EXP2_LIMIT:
        raise ContractError(f"exp2({x}): the exponent must be below 192, Exp2InputTooBig")
    binary = (x << 64) // ONE
    result = 1 << 191
    for position, factor in enumerate(_factors(), start=1):
        if binary >> (64 - position) & 1:
            result = result * factor >> 64
    return result * ONE >> (191 - (binary >> 64))


def exp(x: int) -> int:
    """Returns ``e^x = 2^(x·log2(e))``: ``PRBMathSD59x18.exp``.

    Example:
        >>> exp(0), exp(ONE)
        (1000000000000000000, 2718281828459045234)
    """
    if x < _EXP_IS_ZERO_BELOW:
        return 0
    if x >= _EXP_LIMIT:
        raise ContractError(f"exp({x}): the exponent must be below 133.08, ExpInputTooBig")
    # Half is added, and the sum truncated towards zero: not symmetric for negative exponents.
    return exp2(quotient(x * _LOG2_E + HALF, ONE))


def log2(x: int) -> int:
    """Returns the binary logarithm: ``PRBMathSD59x18.log2``, by repeated squaring, in 59 steps.

    Example:
        >>> log2(8 * ONE), log2(ONE // 4), log2(3 * ONE)
        (3000000000000000000, -2000000000000000000, 1584962500721156166)
    """
    if x <= 0:
        raise ContractError(f"log2({x}): the argument must be positive, LogInputTooSmall")
    sign = 1 if x >= ONE else -1
    if sign < 0:
        x = ONE * ONE // x
    whole = (x // ONE).bit_length() - 1
    result, y = whole * ONE, x >> whole
    if y == ONE:
        return sign * result
    delta = HALF
    while delta > 0:
        y = y * y // ONE
        if y >= 2 * ONE:
            result += delta
            y >>= 1
        delta >>= 1
    return sign * result


def power(x: int, y: int) -> int:
    """Returns ``x^y = 2^(y·log2(x))`` for ``x ≥ 0``: ``PRBMathSD59x18.pow``, and ``_pow`` of ``QuantAMMMathGuard``.

    Example:
        >>> power(2 * ONE, 3 * ONE), power(0, 0), power(0, ONE)
        (8000000000000000000, 1000000000000000000, 0)
    """
    if y == 0:
        return ONE
    return 0 if x == 0 else exp2(mul(log2(x), y))
