r"""The ellipse of an E-CLP, in a form in which nothing cancels.

With the price ``p`` of the first token in the second, the range ``[α, β]``, the rotation ``(c, s)`` and the stretch ``λ``, a
pool with the invariant ``r`` holds ``r (χ - A^{-1} τ(p))``, where ``A = [[c/λ, -s/λ], [s, c]]`` and ``τ(p)`` is a unit vector
(docs/mathematics.md). As differences of sines, these balances lose most digits where the rotation is far from the range. So the
position of the pool is ``v = \tan(ψ/2)``, with ``ψ`` the angle of ``τ`` from ``τ(α)``. All balances are rational functions of
``v``, and

    tan ψ = λ (p - α) / ((c + s p)(c + s α) + λ² (c p - s)(c α - s)).

Seen from ``β``, with the tokens exchanged, the curve has the same form; its position there is ``(v_β - v)/(1 + v v_β)``. A
:class:`Side` has what a trade needs in which one of the tokens comes in. The size of a pool is ``λ r``.

Source: Gyroscope, "E-CLP mathematics", and GyroECLPMath.sol.
"""

from __future__ import annotations

from typing import NamedTuple

from quantsim.lazy_jax import Array, jnp
from quantsim.pools.eclp.column_lanes import N_SIDE, SPAN, K

__all__ = ["Ellipse", "Side", "chord", "curve_of", "held", "mirrored", "position", "price_at", "side_of"]


class Ellipse(NamedTuple):
    """The parameters of the ellipse, () each.

    Attributes:
        low: lowest price, ``α``.
        high: highest price, ``β``.
        cosine: ``c``.
        sine: ``s``.
        stretch: ``λ``.
    """

    low: Array
    high: Array
    cosine: Array
    sine: Array
    stretch: Array


class Side(NamedTuple):
    """The curve for trades in which one token comes in, () each; the position falls towards 0, where the other token is gone.

    Attributes:
        a_in: what a small angle at position 0 takes of the incoming token, ``a``: between two angles, the balance differs by
            ``a (sin ψ' - sin ψ) + b (cos ψ' - cos ψ)``.
        b_in: ``b``.
        a_out: the same of the outgoing token.
        b_out: its ``b``, with the opposite sign.
        h: ``A χ`` along the incoming token.
        g: ``λ |A e|²`` of the incoming token.
        span: position of the other end of the range.
        k: ``(|A χ|² - 1)/λ``.
    """

    a_in: Array
    b_in: Array
    a_out: Array
    b_out: Array
    h: Array
    g: Array
    span: Array
    k: Array


def curve_of(ellipse: Ellipse) -> Array:
    """Returns the constants of a curve, (14,); see :mod:`quantsim.pools.eclp.column_lanes`."""
    low, high, c, s, lam = ellipse
    span = _half_angle(ellipse, low, high)
    (first_low, second_low), (first_high, second_high) = (_ends(ellipse, price) for price in (low, high))
    squares = lam * ((c / lam) ** 2 + s * s), lam * ((s / lam) ** 2 + c * c)
    most = chord(*first_low, jnp.zeros_like(low), span), chord(*second_high, jnp.zeros_like(low), span)
    along = second_low[0] + most[0] * squares[0], first_high[0] + most[1] * squares[1]
    sides = [
        (*first_low, *second_low, along[0], squares[0]),
        (*second_high, *first_high, along[1], squares[1]),
    ]
    return jnp.stack([*sides[0], *sides[1], span, most[0] * (second_low[0] + along[0])])


def _norm(ellipse: Ellipse, price: Array) -> Array:
    """Returns ``λ |A (-1, p)|``: liquidity falls with its cube."""
    _, _, c, s, lam = ellipse
    found: Array = jnp.sqrt((c + s * price) ** 2 + (lam * (c * price - s)) ** 2)
    return found


def _ends(ellipse: Ellipse, price: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Returns ``a`` and ``b`` of the first and of the second token at an end of the range, divided by ``λ``.

    The signs of ``b`` are those of the incoming token at the one end, and of the outgoing token at the other.
    """
    _, _, c, s, lam = ellipse
    along, across, norm = c + s * price, lam * (c * price - s), _norm(ellipse, price)
    first = 1.0 / norm, (c * across + s * along / lam) / norm
    return first, (price / norm, (c * along / lam - s * across) / norm)


def _half_angle(ellipse: Ellipse, start: Array, price: Array) -> Array:
    """Returns ``tan(ψ/2)`` with ``ψ`` the angle from ``τ(start)`` to ``τ(price)``, which is not below it."""
    _, _, c, s, lam = ellipse
    sine = lam * (price - start)
    cosine = (c + s * price) * (c + s * start) + lam**2 * (c * price - s) * (c * start - s)
    radius = _norm(ellipse, price) * _norm(ellipse, start)
    acute = cosine > 0.0
    found: Array = jnp.where(acute, sine, radius - cosine) / jnp.where(acute, radius + cosine, sine)
    return found


def position(ellipse: Ellipse, span: Array, price: Array) -> Array:
    """Returns the position of a pool that quotes a price, (...,); exactly 0 or ``span`` beyond the range."""
    low, high = ellipse.low, ellipse.high
    inside = (price > low) & (price < high)
    found = jnp.minimum(_half_angle(ellipse, low, jnp.where(inside, price, high)), span)
    return jnp.where(inside, found, jnp.where(price > low, span, 0.0))


def side_of(curve: Array, index: int) -> Side:
    """Returns the side on which the first or the second token comes in."""
    own = range(index * N_SIDE, (index + 1) * N_SIDE)
    return Side(*(curve[at] for at in (*own, SPAN, K)))


def mirrored(position: Array, span: Array) -> Array:
    """Returns a position as seen from the other end of the range."""
    return (span - position) / (1.0 + position * span)


def chord(a: Array, b: Array, u: Array, v: Array) -> Array:
    """Returns ``a (sin ψ_v - sin ψ_u) + b (cos ψ_v - cos ψ_u)`` for the half tangents ``u`` and ``v``."""
    return 2.0 * (v - u) * (a * (1.0 - u * v) - b * (u + v)) / ((1.0 + u * u) * (1.0 + v * v))


def held(side: Side, u: Array) -> tuple[Array, Array]:
    """Returns the balances at a position, (...,): of the incoming token and of the outgoing one, for a pool of size 1."""
    return chord(side.a_in, side.b_in, u, side.span), 2.0 * u * (side.a_out + side.b_out * u) / (1.0 + u * u)


def price_at(side: Side, u: Array) -> Array:
    """Returns the price of the incoming token in the outgoing one, (...,)."""
    square = 1.0 - u * u
    return (side.a_out * square + 2.0 * side.b_out * u) / (side.a_in * square - 2.0 * side.b_in * u)
