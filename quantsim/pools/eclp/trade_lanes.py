"""The recursion of an E-CLP with fees and its adjoint as compiled loops; see :mod:`quantsim.pools.eclp.trade_kernel`.

The notation is that of :mod:`quantsim.pools.eclp.trade_scan`: a trade takes the position from ``v`` to ``u``, both as seen from
the end of the range at which the outgoing token is gone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.addresses import get, put
from quantsim.kernels.operands import clear, length, row, values
from quantsim.pools.eclp.column_lanes import (
    A_IN,
    A_OUT,
    ALPHA,
    B_IN,
    B_OUT,
    BETA,
    COSINE,
    FIRST,
    N_CURVE,
    N_ELLIPSE,
    N_SIDE,
    N_STATE,
    POSITION,
    SECOND,
    SINE,
    SIZE,
    SPAN,
    STRETCH,
    G,
    H,
    K,
)
from quantsim.pools.two_tokens import ARB_FEE, EDGE, GAIN, GAS, N_COSTS, NOISE, SWAP_FEE

__all__ = ["adjoint", "forward"]


@njit(error_model="numpy")
def _chord(a, b, u, v):
    return 2.0 * (v - u) * (a * (1.0 - u * v) - b * (u + v)) / ((1.0 + u * u) * (1.0 + v * v))


@njit(error_model="numpy")
def _slope(a, b, u):
    """Returns the derivative of :func:`_chord` with respect to ``v``."""
    scale = 1.0 / (1.0 + u * u)
    return 2.0 * (a * (1.0 - u * u) - 2.0 * b * u) * scale * scale


@njit(error_model="numpy")
def _mirrored(v, span):
    return (span - v) / (1.0 + v * span)


@njit(error_model="numpy")
def _held(side, span, size, v):
    """Returns the balances at a position, of the first side's incoming token and of the other one."""
    here = size * _chord(get(side, A_IN), get(side, B_IN), v, span)
    return here, size * 2.0 * v * (get(side, A_OUT) + get(side, B_OUT) * v) / (1.0 + v * v)


@njit(error_model="numpy")
def _pays(size, more, less, p_in, p_out, cost):
    """Whether the arbitrageur's profit covers the fixed cost of a trade."""
    if not get(cost, GAS) > 0.0:
        return True
    received, paid = size * less * p_out, size * more * p_in / (1.0 - get(cost, SWAP_FEE))
    return received - paid - 0.5 * get(cost, ARB_FEE) * (received + paid) >= get(cost, GAS)


@njit(error_model="numpy")
def _fee_growth(side, k, here, there, u, fee):
    """Returns the growth of the invariant by a fee, less 1, the root of its quadratic equation, and the prices."""
    square, scale = 1.0 - u * u, 1.0 / (1.0 + u * u)
    g_in = (get(side, A_OUT) * square + 2.0 * get(side, B_OUT) * u) * scale
    g_out = (get(side, A_IN) * square - 2.0 * get(side, B_IN) * u) * scale
    half = g_in * here + g_out * there - fee * get(side, H)
    rest = fee * (2.0 * g_in - fee * get(side, G))
    root = np.sqrt(half * half + k * rest)
    return (rest / (half + root) if half > 0.0 else (root - half) / k), root, g_in, g_out


@njit(error_model="numpy")
def _traded(side, span, k, size, v, u, p_in, p_out, cost):
    """Returns size and position after a trade, and the value of its effective input."""
    a_in, b_in, a_out, b_out = get(side, A_IN), get(side, B_IN), get(side, A_OUT), get(side, B_OUT)
    more = _chord(a_in, b_in, u, v)
    if not _pays(size, more, _chord(a_out, -b_out, u, v), p_in, p_out, cost):
        return size, v, 0.0
    here, there = _chord(a_in, b_in, u, span), 2.0 * u * (a_out + b_out * u) / (1.0 + u * u)
    fee = (get(cost, GAIN) - 1.0) * more
    rise, _, _, _ = _fee_growth(side, k, here, there, u, fee)
    growth = 1.0 + rise
    lead = growth * a_out
    left = there / (lead + np.sqrt(lead * lead + there * (2.0 * growth * b_out - there)))
    if get(cost, NOISE) > 0.0:
        growth *= 1.0 + get(cost, NOISE) * more * p_in / ((here + fee) * p_in + there * p_out)
    return size * growth, left, size * more * p_in


def forward(operands):
    """Arguments: size and position (2,), band (T, 2), prices (T, 2), curve (14,), costs (T or 1, 6).

    Results: size, position and balances (T, 4), and the value of the arbitrageurs' effective input at every visit, (T,).
    """
    n_visits, varying = length(operands, 1, 0), length(operands, 4, 0) > 1
    initial, bands, prices, curve = values(operands, 0), values(operands, 1), values(operands, 2), values(operands, 3)
    cost, path, volumes = values(operands, 4), values(operands, 5), values(operands, 6)
    size, v, span, k = get(initial, 0), get(initial, 1), get(curve, SPAN), get(curve, K)
    first, second, held_at, held_size = 0.0, 0.0, -1.0, 0.0
    for t in range(n_visits):
        if varying and t > 0:
            cost += 8 * N_COSTS
        low, high, volume = get(bands, 2 * t), get(bands, 2 * t + 1), 0.0
        if v > high:
            p_in, p_out = get(prices, 2 * t), get(prices, 2 * t + 1)
            size, v, volume = _traded(curve, span, k, size, v, high, p_in, p_out, cost)
        elif v < low:
            p_in, p_out = get(prices, 2 * t + 1), get(prices, 2 * t)
            w, to = _mirrored(v, span), _mirrored(low, span)
            size, left, volume = _traded(row(curve, 1, N_SIDE), span, k, size, w, to, p_in, p_out, cost)
            if left != w:
                v = _mirrored(left, span)
        if v != held_at or size != held_size:
            held_at, held_size = v, size
            first, second = _held(curve, span, size, v)
        here = row(path, t, N_STATE)
        put(here, SIZE, size)
        put(here, POSITION, v)
        put(here, FIRST, first)
        put(here, SECOND, second)
        put(volumes, t, volume)
    return 0


@njit(error_model="numpy")
def _add(address, position, value):
    put(address, position, get(address, position) + value)


@njit(error_model="numpy")
def _pull(side, span, k, size, v, u, p_in, p_out, cost, l_size, l_v, l_volume, of_side, of_cost):
    """Adds the cotangents of a trade to those of its side and its costs.

    Returns those of size, ``v``, ``u``, the two prices, the span and ``k``, given those of size, position and volume after it.
    """
    a_in, b_in, a_out, b_out = get(side, A_IN), get(side, B_IN), get(side, A_OUT), get(side, B_OUT)
    more = _chord(a_in, b_in, u, v)
    if not _pays(size, more, _chord(a_out, -b_out, u, v), p_in, p_out, cost):
        return l_size, l_v, 0.0, 0.0, 0.0, 0.0, 0.0
    here, there = _chord(a_in, b_in, u, span), 2.0 * u * (a_out + b_out * u) / (1.0 + u * u)
    gain, noise = get(cost, GAIN), get(cost, NOISE)
    fee = (gain - 1.0) * more
    rise, root, g_in, g_out = _fee_growth(side, k, here, there, u, fee)
    growth = 1.0 + rise
    lead = growth * a_out
    distance = np.sqrt(lead * lead + there * (2.0 * growth * b_out - there))
    left = there / (lead + distance)
    grown, of_here, of_there, of_fee, of_more = 1.0, 0.0, 0.0, 0.0, l_volume * size * p_in
    of_p_in, of_p_out = l_volume * size * more, 0.0
    if noise > 0.0:
        value = (here + fee) * p_in + there * p_out
        share = more * p_in / value
        grown += noise * share
        of_grown = l_size * size * growth
        _add(of_cost, NOISE, of_grown * share)
        of_share = of_grown * noise
        of_value = -of_share * share / value
        of_more += of_share * p_in / value
        of_p_in += of_share * more / value + of_value * (here + fee)
        of_p_out = of_value * there
        of_here, of_there, of_fee = of_value * p_in, of_value * p_out, of_value * p_in
    of_growth = l_size * size * grown
    l_size = l_size * growth * grown + l_volume * more * p_in
    # The position, from the balance of the outgoing token.
    of_lead = -l_v * left / (lead + distance)
    of_square = 0.5 * of_lead / distance
    of_lead += of_square * 2.0 * lead
    of_there += l_v / (lead + distance) + of_square * 2.0 * (growth * b_out - there)
    of_growth += of_square * 2.0 * there * b_out + of_lead * a_out
    _add(of_side, A_OUT, of_lead * growth)
    _add(of_side, B_OUT, of_square * 2.0 * there * growth)
    # The growth of the invariant.
    of_rest = 0.5 * of_growth / root
    of_half = -of_growth * rise / root
    of_k = 0.5 * of_half * rise
    of_fee += of_rest * 2.0 * (g_in - fee * get(side, G)) - of_half * get(side, H)
    of_g_in, of_g_out = of_rest * 2.0 * fee + of_half * here, of_half * there
    of_here, of_there = of_here + of_half * g_in, of_there + of_half * g_out
    _add(of_side, G, -of_rest * fee * fee)
    _add(of_side, H, -of_half * fee)
    _add(of_cost, GAIN, of_fee * more)
    of_more += of_fee * (gain - 1.0)
    of_u = _pull_points(side, span, v, u, g_in, g_out, of_g_in, of_g_out, of_here, of_there, of_more, of_side)
    of_v, of_span = of_more * _slope(a_in, b_in, v), of_here * _slope(a_in, b_in, span)
    return l_size, of_v, of_u, of_p_in, of_p_out, of_span, of_k


@njit(error_model="numpy")
def _pull_points(side, span, v, u, g_in, g_out, of_g_in, of_g_out, of_here, of_there, of_more, of_side):
    """Adds the cotangents of prices, balances and the effective input of a trade to those of its side.

    These are functions of the positions ``v`` before the trade and ``u`` after it. Returns the cotangent of ``u``.
    """
    a_in, b_in, a_out, b_out = get(side, A_IN), get(side, B_IN), get(side, A_OUT), get(side, B_OUT)
    scale, square = 1.0 / (1.0 + u * u), 1.0 - u * u
    of_u = of_g_in * 2.0 * (b_out - u * (a_out + g_in)) * scale - of_g_out * 2.0 * (b_in + u * (a_in + g_out)) * scale
    of_u += 2.0 * scale * (of_there * g_in - (of_here + of_more) * g_out)
    n_more, n_here = 2.0 * (v - u) * scale / (1.0 + v * v), 2.0 * (span - u) * scale / (1.0 + span * span)
    _add(of_side, A_OUT, (of_g_in * square + of_there * 2.0 * u) * scale)
    _add(of_side, B_OUT, (of_g_in * 2.0 * u + of_there * 2.0 * u * u) * scale)
    of_a_in = of_g_out * square * scale + of_more * n_more * (1.0 - u * v) + of_here * n_here * (1.0 - u * span)
    _add(of_side, A_IN, of_a_in)
    _add(of_side, B_IN, -of_g_out * 2.0 * u * scale - of_more * n_more * (u + v) - of_here * n_here * (u + span))
    return of_u


@njit(error_model="numpy")
def _pull_held(curve, size, v, l_first, l_second, of_curve):
    """Adds the cotangents of balances to those of the curve; returns those of size and position."""
    span = get(curve, SPAN)
    a, b, c, d = get(curve, A_IN), get(curve, B_IN), get(curve, A_OUT), get(curve, B_OUT)
    scale = 1.0 / (1.0 + v * v)
    share = 2.0 * (span - v) * scale / (1.0 + span * span)
    _add(of_curve, A_IN, l_first * size * share * (1.0 - v * span))
    _add(of_curve, B_IN, -l_first * size * share * (v + span))
    _add(of_curve, SPAN, l_first * size * _slope(a, b, span))
    _add(of_curve, A_OUT, l_second * size * 2.0 * v * scale)
    _add(of_curve, B_OUT, l_second * size * 2.0 * v * v * scale)
    of_size = l_first * _chord(a, b, v, span) + l_second * 2.0 * v * (c + d * v) * scale
    return of_size, size * (l_second * _slope(c, -d, v) - l_first * _slope(a, b, v))


@njit(error_model="numpy")
def _pull_angle(ellipse, price, of_angle, of_ellipse):
    """Adds the cotangents of the angle of ``τ`` at a price to those of the ellipse; returns that of the price."""
    c, s, lam = get(ellipse, COSINE), get(ellipse, SINE), get(ellipse, STRETCH)
    along, across = c + s * price, lam * (c * price - s)
    scale = of_angle / (along * along + across * across)
    _add(of_ellipse, COSINE, scale * (along * lam * price - across))
    _add(of_ellipse, SINE, -scale * (along * lam + across * price))
    _add(of_ellipse, STRETCH, scale * along * (c * price - s))
    return scale * lam * (c * c + s * s)


@njit(error_model="numpy")
def _pull_position(ellipse, p_a, p_b, edge, upper, u, of_u, of_ellipse, of_curve, of_cost):
    """Adds the cotangents of an end ``u`` of the band; returns those of the two prices, and that of the angle from ``α``."""
    quote = p_a / p_b
    price = quote * edge if upper else quote / edge
    if price >= get(ellipse, BETA):
        _add(of_curve, SPAN, of_u)
        return 0.0, 0.0, 0.0
    if price <= get(ellipse, ALPHA):
        return 0.0, 0.0, 0.0
    of_angle = 0.5 * (1.0 + u * u) * of_u
    of_price = _pull_angle(ellipse, price, of_angle, of_ellipse)
    _add(of_cost, EDGE, of_price * quote if upper else -of_price * price / edge)
    return of_price * price / p_a, -of_price * price / p_b, of_angle


def adjoint(operands):
    """Arguments: initial state, prices, ellipse (5,), curve, costs; band, path, and the cotangents of path and volumes.

    Results: cotangents of the initial state, prices, ellipse, curve and costs. Trades are computed again, at visits that have
    one. Those of cosine and sine are along the circle on which both lie.
    """
    n_visits, varying = length(operands, 1, 0), length(operands, 4, 0) > 1
    initial, prices, ellipse, curve = values(operands, 0), values(operands, 1), values(operands, 2), values(operands, 3)
    costs, bands, path = values(operands, 4), values(operands, 5), values(operands, 6)
    of_path, of_volumes = values(operands, 7), values(operands, 8)
    of_initial, of_prices, of_ellipse = values(operands, 9), values(operands, 10), values(operands, 11)
    of_curve, of_costs = values(operands, 12), values(operands, 13)
    clear(of_prices, 2 * n_visits)
    clear(of_ellipse, N_ELLIPSE)
    clear(of_curve, N_CURVE)
    clear(of_costs, N_COSTS * length(operands, 4, 0))
    span, k = get(curve, SPAN), get(curve, K)
    l_size, l_v, l_first, l_second, of_low = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(n_visits - 1, -1, -1):
        here = row(of_path, t, N_STATE)
        l_size, l_v = l_size + get(here, SIZE), l_v + get(here, POSITION)
        l_first, l_second = l_first + get(here, FIRST), l_second + get(here, SECOND)
        before, after = row(path, t - 1, N_STATE) if t > 0 else initial, row(path, t, N_STATE)
        size, v, low, high = get(before, SIZE), get(before, POSITION), get(bands, 2 * t), get(bands, 2 * t + 1)
        if low <= v <= high or (v == get(after, POSITION) and size == get(after, SIZE)):
            continue
        of_size, of_v = _pull_held(curve, get(after, SIZE), get(after, POSITION), l_first, l_second, of_curve)
        l_size, l_v, l_first, l_second = l_size + of_size, l_v + of_v, 0.0, 0.0
        now = row(0, t if varying else 0, N_COSTS)
        cost, of_cost, p_a, p_b = costs + now, of_costs + now, get(prices, 2 * t), get(prices, 2 * t + 1)
        if v > high:
            l_size, l_v, of_u, of_a, of_b, of_span, of_k = _pull(
                curve, span, k, size, v, high, p_a, p_b, cost, l_size, l_v, get(of_volumes, t), of_curve, of_cost
            )
            u = high
        else:
            w, to, left = _mirrored(v, span), _mirrored(low, span), _mirrored(get(after, POSITION), span)
            turn, square = 1.0 + span * span, (1.0 + left * span) * (1.0 + left * span)
            of_span, u = l_v * (1.0 + left * left) / square, low
            l_size, l_w, of_to, of_b, of_a, of_own, of_k = _pull(
                row(curve, 1, N_SIDE), span, k, size, w, to, p_b, p_a, cost,
                l_size, -l_v * turn / square, get(of_volumes, t), row(of_curve, 1, N_SIDE), of_cost,
            )  # fmt: skip
            at_v, at_low = (1.0 + v * span) * (1.0 + v * span), (1.0 + low * span) * (1.0 + low * span)
            of_span += of_own + l_w * (1.0 + v * v) / at_v + of_to * (1.0 + low * low) / at_low
            l_v, of_u = -l_w * turn / at_v, -of_to * turn / at_low
        q_a, q_b, of_angle = _pull_position(
            ellipse, p_a, p_b, get(cost, EDGE), v > high, u, of_u, of_ellipse, of_curve, of_cost
        )
        of_low += of_angle
        put(of_prices, 2 * t, of_a + q_a)
        put(of_prices, 2 * t + 1, of_b + q_b)
        _add(of_curve, SPAN, of_span)
        _add(of_curve, K, of_k)
    of_size, of_v = _pull_held(curve, get(initial, 0), get(initial, 1), l_first, l_second, of_curve)
    put(of_initial, 0, l_size + of_size)
    put(of_initial, 1, l_v + of_v)
    _add(of_ellipse, ALPHA, _pull_angle(ellipse, get(ellipse, ALPHA), -of_low, of_ellipse))
    return 0
