"""The recursion of a reCLAMM pool and its adjoint as compiled loops; see :mod:`quantsim.pools.reclamm.range_kernel`.

The notation is that of docs/mathematics.md: real balances ``r``, virtual balances ``v``, tokens ``a`` and ``b``. When the range
moves, ``o`` is the overvalued token, the rarer one, and ``u`` the other. In a trade, ``i`` comes in and ``o`` goes out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.addresses import get, put
from quantsim.kernels.operands import clear, length, row, values
from quantsim.pools.reclamm.column_lanes import (
    CENTEREDNESS_SCALING,
    CONSTANT_ARC_LENGTH,
    LONGEST,
    MARGIN,
    N_SHIFTS,
    SHIFT,
    SMALLEST_CENTEREDNESS,
    SPEED,
)
from quantsim.pools.two_tokens import ARB_FEE, EDGE, GAIN, GAS, N_COSTS, NOISE, SWAP_FEE

__all__ = ["adjoint", "forward"]


@njit(error_model="numpy")
def _centeredness(r_a, r_b, v_a, v_b):
    """Returns the centeredness, and whether the pool is above the centre: whether ``b`` is the rarer token."""
    of_a, of_b = r_a * v_b, r_b * v_a
    if of_a > of_b:
        return of_b / of_a, True
    return (of_a / of_b if of_b > 0.0 else 0.0), False


@njit(error_model="numpy")
def _multiple(c, shift, options):
    """Returns the number of visits that the shift of one visit counts for."""
    if get(options, CENTEREDNESS_SCALING) == 0.0:
        return 1.0
    return get(shift, MARGIN) / max(c, SMALLEST_CENTEREDNESS)


@njit(error_model="numpy")
def _arc(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift):
    """Returns the virtual balance of ``o`` after a step of constant arc length, and what its adjoint needs of it.

    A step that is too long for a pool without ``o`` takes the end of its range to the market.
    """
    price = p_u / p_o
    root = np.sqrt(price)
    step = 2.0 * get(shift, SPEED) * multiple * np.sqrt(effective_a)
    z = root * v_u - v_o / root + step
    a = ratio - 1.0
    b = price * r_u + r_o - a * root * z
    c = r_o * (price * r_u + root * z)
    if r_o == 0.0 and b <= 0.0:
        return min(v_o, price * r_u * ratio / a), price, root, step, z, b
    return (b + np.sqrt(b * b + 4.0 * a * c)) / (2.0 * a), price, root, step, z, b


@njit(error_model="numpy")
def _shifted(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, c, shift, options):
    """Returns the virtual balances after the range has moved towards the market: of ``o``, and of ``u``."""
    ratio = (1.0 + r_o / v_o) * (1.0 + r_u / v_u)
    if not ratio > 1.0:  # nothing is left of the pool
        return v_o, v_u
    multiple = _multiple(c, shift, options)
    if get(options, CONSTANT_ARC_LENGTH) != 0.0:
        moved, _, _, _, _, _ = _arc(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift)
    else:
        moved = v_o * np.exp(get(shift, SHIFT) * min(multiple, get(options, LONGEST)))
    moved = max(moved, r_o / (np.sqrt(ratio) - 1.0))
    below = (ratio - 1.0) * moved - r_o
    if not below > 0.0:
        return v_o, v_u
    return moved, r_u * (moved + r_o) / below


@njit(error_model="numpy")
def _recentred(r_a, r_b, v_a, v_b, p_a, p_b, shift, options):
    """Returns the virtual balances after the range has moved, if it does."""
    c, above = _centeredness(r_a, r_b, v_a, v_b)
    if c < get(shift, MARGIN):
        if above:
            v_b, v_a = _shifted(r_b, v_b, r_a, v_a, p_b, p_a, r_a + v_a, c, shift, options)
        else:
            v_a, v_b = _shifted(r_a, v_a, r_b, v_b, p_a, p_b, r_a + v_a, c, shift, options)
    return v_a, v_b


@njit(error_model="numpy")
def _growth(r_o, v_o, r_i, v_i, p_o, p_i, cost):
    """Returns the growth of the incoming token's effective balance, and whether the trade stops at the edge of the range.

    The growth is 1 if the trade does not pay its fixed cost.
    """
    e_o, e_i = r_o + v_o, r_i + v_i
    s = np.sqrt(e_o * p_o / (e_i * p_i * get(cost, EDGE)))
    most = e_o / v_o
    at_edge = s >= most
    if at_edge:
        s = most
    if get(cost, GAS) > 0.0:
        received = e_o * (1.0 - 1.0 / s) * p_o
        paid = e_i * (s - 1.0) * p_i / (1.0 - get(cost, SWAP_FEE))
        if not received - paid - 0.5 * get(cost, ARB_FEE) * (received + paid) >= get(cost, GAS):  # nor if it is nan
            return 1.0, False
    return s, at_edge


@njit(error_model="numpy")
def _traded(r_o, v_o, r_i, v_i, p_o, p_i, cost):
    """Returns the real balances after a trade, of ``o`` and of ``i``, and the value of its effective input."""
    s, at_edge = _growth(r_o, v_o, r_i, v_i, p_o, p_i, cost)
    if s == 1.0:
        return r_o, r_i, 0.0
    more = (r_i + v_i) * (s - 1.0)
    volume = more * p_i
    r_o = 0.0 if at_edge else max((r_o + v_o) / s - v_o, 0.0)
    r_i += get(cost, GAIN) * more
    if get(cost, NOISE) > 0.0:
        grown = 1.0 + get(cost, NOISE) * volume / (r_o * p_o + r_i * p_i)
        r_o, r_i = r_o * grown, r_i * grown
    return r_o, r_i, volume


def forward(operands):
    """Arguments: initial balances (4,), prices (T, 2), shifts (T or 1, 3), costs (T or 1, 6), options (3,).

    Results: real and virtual balances (T, 4), and the value of the arbitrageurs' effective input at every visit, (T,).
    """
    n_visits, shifting, varying = length(operands, 1, 0), length(operands, 2, 0) > 1, length(operands, 3, 0) > 1
    initial, prices, shift = values(operands, 0), values(operands, 1), values(operands, 2)
    cost, options, path, volumes = values(operands, 3), values(operands, 4), values(operands, 5), values(operands, 6)
    r_a, r_b, v_a, v_b = get(initial, 0), get(initial, 1), get(initial, 2), get(initial, 3)
    for t in range(n_visits):
        if t > 0:
            if shifting:
                shift += 8 * N_SHIFTS
            if varying:
                cost += 8 * N_COSTS
        p_a, p_b = get(prices, 2 * t), get(prices, 2 * t + 1)
        v_a, v_b = _recentred(r_a, r_b, v_a, v_b, p_a, p_b, shift, options)
        of_a, of_b, volume = (r_a + v_a) * p_a, (r_b + v_b) * p_b, 0.0
        if of_a > of_b * get(cost, EDGE):
            r_a, r_b, volume = _traded(r_a, v_a, r_b, v_b, p_a, p_b, cost)
        elif of_b > of_a * get(cost, EDGE):
            r_b, r_a, volume = _traded(r_b, v_b, r_a, v_a, p_b, p_a, cost)
        put(path, 4 * t, r_a)
        put(path, 4 * t + 1, r_b)
        put(path, 4 * t + 2, v_a)
        put(path, 4 * t + 3, v_b)
        put(volumes, t, volume)
    return 0


@njit(error_model="numpy")
def _pull_trade(r_o, v_o, r_i, v_i, p_o, p_i, cost, l_ro, l_ri, l_volume):
    """Returns the cotangents before a trade, given those of the real balances after it and of its volume.

    They are those of the four balances, the two prices, and the edge of the band, gain and noise. Those of the virtual
    balances are what the trade adds to them.
    """
    s, at_edge = _growth(r_o, v_o, r_i, v_i, p_o, p_i, cost)
    if s == 1.0:
        return l_ro, 0.0, l_ri, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    e_o, e_i, noise, gain = r_o + v_o, r_i + v_i, get(cost, NOISE), get(cost, GAIN)
    more = e_i * (s - 1.0)
    of_po, of_pi, of_noise = 0.0, 0.0, 0.0
    if noise > 0.0:
        volume, left, filled = more * p_i, 0.0 if at_edge else max(e_o / s - v_o, 0.0), r_i + gain * more
        value = left * p_o + filled * p_i
        grown = 1.0 + noise * volume / value
        of_grown = l_ro * left + l_ri * filled
        of_value = -of_grown * noise * volume / (value * value)
        of_noise = of_grown * volume / value
        l_volume += of_grown * noise / value
        l_ro, l_ri = l_ro * grown + of_value * p_o, l_ri * grown + of_value * p_i
        of_po, of_pi = of_value * left, of_value * filled
    of_more = l_ri * gain + l_volume * p_i
    of_gain = l_ri * more
    of_pi += l_volume * more
    of_ei = of_more * (s - 1.0)
    if at_edge:
        of_eo = of_more * e_i / v_o
        of_vo = -of_eo * s
        return of_eo, of_eo + of_vo, l_ri + of_ei, of_ei, of_po, of_pi, 0.0, of_gain, of_noise
    half = 0.5 * (of_more * e_i * s - l_ro * e_o / s)  # the cotangent of log s, halved
    of_eo, of_ei = l_ro / s + half / e_o, of_ei - half / e_i
    of_po, of_pi = of_po + half / p_o, of_pi - half / p_i
    return of_eo, of_eo - l_ro, l_ri + of_ei, of_ei, of_po, of_pi, -half / get(cost, EDGE), of_gain, of_noise


@njit(error_model="numpy")
def _pull_arc(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift, of_moved):
    """Returns the cotangents before a step of constant arc length, given that of the virtual balance of ``o`` after it.

    They are those of ``r_o, v_o, r_u, v_u, p_o, p_u``, of the ratio, of the effective balance of ``a``, speed and multiple.
    """
    moved, price, root, step, z, b = _arc(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift)
    a = ratio - 1.0
    if r_o == 0.0 and b <= 0.0:
        if moved == v_o:
            return 0.0, of_moved, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        of_price = of_moved * r_u * ratio / a
        of_ru, of_ratio = of_moved * price * ratio / a, -of_moved * price * r_u / (a * a)
        return 0.0, 0.0, of_ru, 0.0, -of_price * price / p_o, of_price / p_o, of_ratio, 0.0, 0.0, 0.0
    common = of_moved / (2.0 * a * moved - b)
    of_b, of_c = moved * common, common
    of_ratio = -moved * of_b - of_b * root * z
    of_z = (of_c * r_o - of_b * a) * root
    of_root = (of_c * r_o - of_b * a) * z + of_z * (v_u + v_o / price)
    of_price = of_b * r_u + of_c * r_o * r_u + of_root * 0.5 / root
    of_ru = (of_b + of_c * r_o) * price
    of_ro = of_b + of_c * (price * r_u + root * z)
    of_speed = of_z * step / get(shift, SPEED) if get(shift, SPEED) > 0.0 else 0.0
    of_multiple, of_a = of_z * step / multiple, of_z * 0.5 * step / effective_a
    of_po, of_pu = -of_price * price / p_o, of_price / p_o
    return of_ro, -of_z / root, of_ru, of_z * root, of_po, of_pu, of_ratio, of_a, of_speed, of_multiple


@njit(error_model="numpy")
def _pull_multiple(c, shift, options, of_multiple):
    """Returns the cotangents of the margin and of the centeredness, given that of the multiple."""
    if get(options, CENTEREDNESS_SCALING) == 0.0:
        return 0.0, 0.0
    if c > SMALLEST_CENTEREDNESS:
        return of_multiple / c, -of_multiple * get(shift, MARGIN) / (c * c)
    return of_multiple / SMALLEST_CENTEREDNESS, 0.0


@njit(error_model="numpy")
def _pull_shift(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, c, shift, options, l_vo, l_vu):
    """Returns the cotangents before the range has moved, given those of the virtual balances after it.

    They are those of ``r_o, v_o, r_u, v_u, p_o, p_u``, of the effective balance of ``a``, and of margin, shift and speed.
    """
    x, y = 1.0 + r_o / v_o, 1.0 + r_u / v_u
    ratio = x * y
    if not ratio > 1.0:
        return 0.0, l_vo, 0.0, l_vu, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    multiple, longest = _multiple(c, shift, options), get(options, LONGEST)
    arc = get(options, CONSTANT_ARC_LENGTH) != 0.0
    counted, decay = min(multiple, longest), 0.0
    if arc:
        moved, _, _, _, _, _ = _arc(r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift)
    else:
        decay = np.exp(get(shift, SHIFT) * counted)
        moved = v_o * decay
    fourth = np.sqrt(ratio)
    least = r_o / (fourth - 1.0)
    held = not moved > least
    if held:
        moved = least
    a = ratio - 1.0
    below = a * moved - r_o
    if not below > 0.0:
        return 0.0, l_vo, 0.0, l_vu, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    total = moved + r_o
    of_quotient = l_vu * r_u / below
    of_ru = l_vu * total / below
    of_ratio = -of_quotient * total * moved / below
    of_ro = of_quotient + of_quotient * total / below
    of_moved = l_vo + of_quotient - of_quotient * total * a / below
    of_vo, of_vu, of_po, of_pu, of_a, of_shift, of_speed, of_multiple = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if held:
        of_ro += of_moved / (fourth - 1.0)
        of_ratio -= of_moved * least / (fourth - 1.0) * 0.5 / fourth
    elif arc:
        m_ro, of_vo, m_ru, of_vu, of_po, of_pu, m_ratio, of_a, of_speed, of_multiple = _pull_arc(
            r_o, v_o, r_u, v_u, p_o, p_u, effective_a, ratio, multiple, shift, of_moved
        )
        of_ro, of_ru, of_ratio = of_ro + m_ro, of_ru + m_ru, of_ratio + m_ratio
    else:
        of_vo += of_moved * decay
        of_exponent = of_moved * moved
        of_shift = of_exponent * counted
        of_multiple = of_exponent * get(shift, SHIFT) if multiple < longest else 0.0
    of_margin, of_c = _pull_multiple(c, shift, options, of_multiple)
    if of_c != 0.0:
        of_ro += of_c * v_u / (r_u * v_o)
        of_vu += of_c * c / v_u
        of_ru -= of_c * c / r_u
        of_vo -= of_c * c / v_o
    of_ro += of_ratio * y / v_o
    of_vo -= of_ratio * y * r_o / (v_o * v_o)
    of_ru += of_ratio * x / v_u
    of_vu -= of_ratio * x * r_u / (v_u * v_u)
    return of_ro, of_vo, of_ru, of_vu, of_po, of_pu, of_a, of_margin, of_shift, of_speed


@njit(error_model="numpy")
def _add(address, position, value):
    put(address, position, get(address, position) + value)


def adjoint(operands):
    """Arguments: those of :func:`forward`, its results, and their cotangents.

    Results: cotangents of the initial balances, prices, shifts and costs. Each visit is computed again.
    """
    n_visits, shifting, varying = length(operands, 1, 0), length(operands, 2, 0) > 1, length(operands, 3, 0) > 1
    initial, prices, shifts = values(operands, 0), values(operands, 1), values(operands, 2)
    costs, options, path = values(operands, 3), values(operands, 4), values(operands, 5)
    of_path, of_volumes = values(operands, 7), values(operands, 8)
    of_initial, of_prices, of_shifts = values(operands, 9), values(operands, 10), values(operands, 11)
    of_costs = values(operands, 12)
    clear(of_prices, 2 * n_visits)
    clear(of_shifts, N_SHIFTS * length(operands, 2, 0))
    clear(of_costs, N_COSTS * length(operands, 3, 0))
    l_ra, l_rb, l_va, l_vb = 0.0, 0.0, 0.0, 0.0
    for t in range(n_visits - 1, -1, -1):
        here = row(of_path, t, 4)
        l_ra, l_rb, l_va, l_vb = l_ra + get(here, 0), l_rb + get(here, 1), l_va + get(here, 2), l_vb + get(here, 3)
        before = row(path, t - 1, 4) if t > 0 else initial
        r_a, r_b, w_a, w_b = get(before, 0), get(before, 1), get(before, 2), get(before, 3)
        v_a, v_b = get(path, 4 * t + 2), get(path, 4 * t + 3)  # the range has moved, and a trade does not change them
        now = row(0, t if varying else 0, N_COSTS)
        cost, of_cost, of_price = costs + now, of_costs + now, row(of_prices, t, 2)
        p_a, p_b = get(prices, 2 * t), get(prices, 2 * t + 1)
        of_a, of_b, edge = (r_a + v_a) * p_a, (r_b + v_b) * p_b, get(cost, EDGE)
        of_edge, of_gain, of_noise = 0.0, 0.0, 0.0
        if of_a > of_b * edge:
            l_ra, m_va, l_rb, m_vb, q_a, q_b, of_edge, of_gain, of_noise = _pull_trade(
                r_a, v_a, r_b, v_b, p_a, p_b, cost, l_ra, l_rb, get(of_volumes, t)
            )
        elif of_b > of_a * edge:
            l_rb, m_vb, l_ra, m_va, q_b, q_a, of_edge, of_gain, of_noise = _pull_trade(
                r_b, v_b, r_a, v_a, p_b, p_a, cost, l_rb, l_ra, get(of_volumes, t)
            )
        else:
            m_va, m_vb, q_a, q_b = 0.0, 0.0, 0.0, 0.0
        l_va, l_vb = l_va + m_va, l_vb + m_vb
        _add(of_cost, EDGE, of_edge)
        _add(of_cost, GAIN, of_gain)
        _add(of_cost, NOISE, of_noise)
        at = row(0, t if shifting else 0, N_SHIFTS)
        shift, of_shift = shifts + at, of_shifts + at
        c, above = _centeredness(r_a, r_b, w_a, w_b)
        if c < get(shift, MARGIN):
            e_a = r_a + w_a
            if above:
                m_rb, l_vb, m_ra, l_va, s_b, s_a, of_e, of_margin, of_rate, of_speed = _pull_shift(
                    r_b, w_b, r_a, w_a, p_b, p_a, e_a, c, shift, options, l_vb, l_va
                )
            else:
                m_ra, l_va, m_rb, l_vb, s_a, s_b, of_e, of_margin, of_rate, of_speed = _pull_shift(
                    r_a, w_a, r_b, w_b, p_a, p_b, e_a, c, shift, options, l_va, l_vb
                )
            l_ra, l_rb, l_va = l_ra + m_ra + of_e, l_rb + m_rb, l_va + of_e
            q_a, q_b = q_a + s_a, q_b + s_b
            _add(of_shift, MARGIN, of_margin)
            _add(of_shift, SHIFT, of_rate)
            _add(of_shift, SPEED, of_speed)
        put(of_price, 0, q_a)
        put(of_price, 1, q_b)
    put(of_initial, 0, l_ra)
    put(of_initial, 1, l_rb)
    put(of_initial, 2, l_va)
    put(of_initial, 3, l_vb)
    return 0
