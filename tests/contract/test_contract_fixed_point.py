"""Fixed-point functions against exact arithmetic, and the inputs for which the library reverts."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantsim.contract.fixed_point import LARGEST, ONE, SMALLEST, div, exp, exp2, int256, log2, mul, power, quotient
from quantsim.errors import ContractError

decimal.getcontext().prec = 60
numbers = st.integers(-(10**30), 10**30)


@given(numbers, numbers)
def test_products_are_rounded_half_up_in_magnitude(x: int, y: int):
    exact = Fraction(abs(x * y), ONE)
    assert abs(mul(x, y)) == (exact + Fraction(1, 2)).__floor__()
    assert mul(x, y) == mul(y, x) == -mul(-x, y)


@given(numbers, numbers.filter(bool))
def test_quotients_are_truncated_towards_zero(x: int, y: int):
    exact = Fraction(x * ONE, y)
    assert div(x, y) == (exact.__floor__() if exact >= 0 else exact.__ceil__())
    assert quotient(x, y) == int(Fraction(x, y))


# What an EVM returns for the library, @prb/math 2.5.0, compiled with solc 0.8.26.
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (power(3 * ONE // 10, 3 * ONE), 27000000000000000),
        (power(5 * ONE // 100, 3 * ONE), 125000000000000),
        (power(123456789 * 10**9, 25 * ONE // 10), 5355344863124799),
        (log2(3 * ONE // 10), -1736965594166206154),
        (exp2(-ONE // 10), 933032991536807416),
        (exp(-(ONE // 3)), 716531310573789251),
    ],
)
def test_last_digits_are_those_of_the_library(found: int, expected: int):
    assert found == expected


@settings(max_examples=60)
@given(st.integers(1, 10**24), st.integers(0, 4 * ONE))
def test_powers_are_close_to_exact_ones(x: int, y: int):
    exact = (Decimal(x) / ONE) ** (Decimal(y) / ONE) * ONE
    assert abs(power(x, y) - exact) <= exact * Decimal("2e-15") * (1 + abs(Decimal(x).ln())) + 2


@given(st.integers(-40 * ONE, 40 * ONE))
def test_exponentials_are_close_to_exact_ones(x: int):
    exact = (Decimal(x) / ONE).exp() * ONE
    assert abs(exp(x) - exact) <= exact * Decimal("1e-16") + 2


@pytest.mark.parametrize(
    "reverts",
    [
        lambda: mul(LARGEST, 2 * ONE),
        lambda: mul(SMALLEST, 0),
        lambda: div(ONE, 0),
        lambda: div(SMALLEST, ONE),
        lambda: div(LARGEST, 1),
        lambda: quotient(1, 0),
        lambda: log2(0),
        lambda: log2(-1),
        lambda: exp2(192 * ONE),
        lambda: exp(133_084258667509499441),
        lambda: int256(LARGEST + 1),
        lambda: int256(SMALLEST - 1),
    ],
)
def test_inputs_that_the_library_refuses_are_refused(reverts):
    with pytest.raises(ContractError, match=r"revert|int256|Overflow|must be|outside"):
        reverts()


def test_underflows_are_zero():
    assert exp2(-59_794705707972522262) == 0
    assert exp2(-59_794705707972522261) == 1
    assert exp(-41_446531673892822323) == 0
