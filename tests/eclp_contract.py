"""The swaps of an E-CLP in its contract's integers: 18 decimals, 38 for derived values, and the contract's roundings.

Written from the formulas of ``GyroECLPMath.sol``: the invariant is underestimated, with a bound of its error, and the balance
that stays after a swap is overestimated. Square roots are exact, and the square of a shifted balance is not expanded, so the
last digits may differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from quantsim.contract.fixed_point import ONE, quotient
from quantsim.onchain.eclp import ONE_XP, EclpContract

Pair = tuple[int, int]


def up(numerator: int, denominator: int) -> int:
    """A quotient rounded away from zero."""
    found = -(-abs(numerator) // abs(denominator))
    return found if (numerator < 0) == (denominator < 0) else -found


def mul_down(a: int, b: int) -> int:
    return quotient(a * b, ONE)


def mul_up(a: int, b: int) -> int:
    return up(a * b, ONE)


def div_down(a: int, b: int) -> int:
    return quotient(a * ONE, b)


def xp(a: int, b: int) -> int:
    return quotient(a * b, ONE_XP)


def xp_div(a: int, b: int) -> int:
    return quotient(a * ONE_XP, b)


def down(a: int, b: int) -> int:
    """A product with a value of 38 decimals, rounded down in signed direction."""
    return a * b // ONE_XP


def ceil(a: int, b: int) -> int:
    """A product with a value of 38 decimals, rounded up in signed direction."""
    return -(-a * b // ONE_XP)


def root(value: int) -> int:
    return math.isqrt(max(value, 0) * ONE)


@dataclass(frozen=True)
class Contract:
    """A pool's contract."""

    of: EclpContract

    def invariant(self, t: Pair) -> Pair:
        """The invariant, rounded down, and the bound of its error."""
        p, (x, y) = self.of, t
        d2, d3 = xp(p.d_sq, p.d_sq), xp(xp(p.d_sq, p.d_sq), p.d_sq)
        d4 = xp(d3, p.d_sq)
        of_x = div_down(div_down(p.w, p.lam) + p.z, p.lam)
        along = down(mul_down(x, p.c) - mul_down(y, p.s), xp_div(of_x, d2))
        along += down(mul_down(mul_down(x, p.lam), p.s) + mul_down(mul_down(y, p.lam), p.c), xp_div(p.u, d2))
        along += down(mul_down(x, p.s) + mul_down(y, p.c), xp_div(p.v, d2))
        square = mul_up(p.lam, xp_div(xp(2 * p.u, p.v), d3))
        square += mul_up(mul_up(xp_div(xp(p.u + 1, p.u + 1), d3), p.lam), p.lam) + xp_div(xp(p.v, p.v), d3)
        across = up(p.w * ONE, p.lam) + p.z
        square += xp_div(xp(across, across), d3)
        inverse = xp_div(ONE_XP, square - ONE_XP)
        rest, error = self._under_root(x, y, d4), quotient(mul_up(x, x) + mul_up(y, y), 10**38)
        square_root = root(rest)
        error = up((error + 1) * ONE, 2 * square_root) if square_root else 10**9
        error = (quotient(mul_up(p.lam, x + y), ONE_XP) + error + 1) * 20
        found = down(along + square_root - error, inverse)
        error = ceil(error, inverse)
        error += quotient(ceil(found, inverse) * quotient(p.lam * p.lam, 10**36) * 40, ONE_XP) + 1
        return found, error

    def _under_root(self, x: int, y: int, d4: int) -> int:
        p = self.of
        inverse = xp_div(ONE_XP, p.d_sq)

        def over(value: int) -> int:
            return div_down(value, p.lam)

        cross = mul_down(mul_down(x, y), mul_down(2 * p.c, p.s))
        squares = mul_up(mul_up(mul_up(x, x), p.c), p.c) + mul_up(mul_up(mul_up(y, y), p.s), p.s) - cross
        factor = xp_div(xp(p.u, p.u) + over(xp(2 * p.u, p.v)) + over(over(xp(p.v, p.v))), d4)
        found = down(-squares, factor) + down(over(over(squares - 9)), inverse)
        mixed = mul_down(mul_down(mul_down(x, x) - mul_up(y, y), 2 * p.c), p.s)
        both = mul_down(y, 2 * x)
        mixed += mul_down(mul_down(both, p.c), p.c) - mul_down(mul_down(both, p.s), p.s)
        factor = xp(p.z, p.u) + over(over(xp(p.w, p.v))) + over(xp(p.w, p.u) + xp(p.z, p.v))
        found += down(mixed, xp_div(factor, d4))
        squares = mul_up(mul_up(mul_up(x, x), p.s), p.s) + mul_up(mul_up(mul_up(y, y), p.c), p.c)
        squares += mul_up(mul_up(mul_up(x, y), 2 * p.s), p.c)
        factor = xp_div(xp(p.z, p.z) + over(over(xp(p.w, p.w))) + over(xp(2 * p.z, p.w)), d4)
        return found + down(-squares, factor) + down(squares - 9, inverse)

    def _sides(self, into: int) -> tuple[int, int, Pair, Pair]:
        """Sine, cosine and both ``τ`` as seen from the token that comes in."""
        p = self.of
        if into == 0:
            return p.s, p.c, p.tau_beta, p.tau_alpha
        return p.c, p.s, (-p.tau_alpha[0], p.tau_alpha[1]), (-p.tau_beta[0], p.tau_beta[1])

    def _offset(self, c: int, s: int, tau: Pair, r: Pair) -> int:
        """``r (A⁻¹τ)`` of one token, rounded up."""
        lam, across = self.of.lam, xp_div(tau[0], self.of.d_sq)
        stretched = mul_up(mul_up(r[0], lam), c) if tau[0] > 0 else mul_down(mul_down(r[1], lam), c)
        return ceil(stretched, across) + ceil(mul_up(r[0], s), xp_div(tau[1], self.of.d_sq))

    def out_given_in(self, t: Pair, into: int, amount: int) -> int:
        """The amount out, rounded down; raises ValueError if it is more than the pool holds at the end of its range."""
        invariant, error = self.invariant(t)
        r = invariant + 2 * error, invariant
        left = self._other_balance(t[into] + amount, into, r)
        if left < 0 or left > t[1 - into]:
            raise ValueError("the pool does not hold this")
        return t[1 - into] - left

    def _other_balance(self, x: int, into: int, r: Pair) -> int:
        """The balance of the outgoing token on the curve where the incoming one is ``x``, rounded up."""
        lam, d_sq = self.of.lam, self.of.d_sq
        s, c, end, start = self._sides(into)
        a = self._offset(c, s, end, r)
        b = self._offset(s, c, (-start[0], start[1]), r)
        bar = ONE_XP - div_down(div_down(ONE_XP, lam), lam), ONE_XP - up(up(ONE_XP * ONE, lam) * ONE, lam)
        moved = x - a
        if moved > 0:
            half = ceil(mul_down(mul_down(-moved, s), c), xp_div(bar[1], d_sq))
        else:
            half = ceil(mul_up(mul_up(-moved, s), c), xp_div(bar[0], d_sq) + 1)
        terms = xp_div(mul_down(mul_down(bar[1], s), s), d_sq), xp_div(mul_up(mul_up(bar[0], s), s), d_sq + 1) + 1
        terms = ONE_XP - terms[0], ONE_XP - terms[1]
        under = down(mul_down(r[1], r[1]), terms[1]) - up(moved * moved * ONE, lam * lam)
        gap = half - root(under)
        scaled = ceil(gap, xp_div(ONE_XP, terms[1]) + 1) if gap > 0 else ceil(gap, xp_div(ONE_XP, terms[0]))
        return scaled + b
