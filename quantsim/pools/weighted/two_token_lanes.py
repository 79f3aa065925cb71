"""The fee recursion of two tokens and its adjoint as compiled loops over bars; see :mod:`quantsim.pools.weighted.fee_kernels`.

The notation is that of docs/mathematics.md. Tokens are ``a`` and ``b``. The one with the larger value per weight goes out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.addresses import get, put
from quantsim.kernels.operands import clear, length, row, values
from quantsim.pools.weighted.trade_lanes import ARB_FEE, BAND, GAIN, GAS, N_COSTS, NOISE, SWAP_FEE, growth, log_growth

__all__ = ["adjoint", "forward"]


@njit(error_model="numpy")
def _moves(x, band, w_a, w_b):
    """Returns the effective rise of the incoming token and the fall of the outgoing one, for the difference of levels ``x``."""
    h = (abs(x) - band) / (w_a + w_b)
    if x > 0.0:
        return w_a * h, -w_b * h
    return w_b * h, -w_a * h


@njit(error_model="numpy")
def _pays(v_in, v_out, rise, fall, cost):
    """Whether the arbitrageur's profit covers the fixed cost of a trade."""
    paid = v_in * np.expm1(rise) / (1.0 - get(cost, SWAP_FEE))
    received = -v_out * np.expm1(fall)
    return not received - paid - 0.5 * get(cost, ARB_FEE) * (received + paid) < get(cost, GAS)  # nor if it is nan


@njit(error_model="numpy")
def _trade(a, b, p_a, p_b, w_a, w_b, x, cost):
    """Returns the log reserves after a trade outside the band, and the value of its effective input."""
    rise, fall = _moves(x, get(cost, BAND), w_a, w_b)
    out_a = x > 0.0
    v_in = np.exp(b + p_b) if out_a else np.exp(a + p_a)
    if get(cost, GAS) > 0.0:
        v_out = np.exp(a + p_a) if out_a else np.exp(b + p_b)
        if not _pays(v_in, v_out, rise, fall, cost):
            return a, b, 0.0
    more = log_growth(rise, get(cost, GAIN))
    if out_a:
        a, b = a + fall, b + more
    else:
        a, b = a + more, b + fall
    volume = v_in * growth(rise)
    if get(cost, NOISE) > 0.0:
        more = np.log1p(get(cost, NOISE) * volume / (np.exp(a + p_a) + np.exp(b + p_b)))
        a, b = a + more, b + more
    return a, b, volume


def forward(operands):
    """Arguments: initial (2,), log prices (T, 2), weights (T or 1, 2), their log ratios (T or 1,), costs (T or 1, 6).

    Results: log reserves (T, 2), and the value of the arbitrageurs' effective input at every bar, (T,).
    """
    n_bars, moving, varying = length(operands, 1, 0), length(operands, 2, 0) > 1, length(operands, 4, 0) > 1
    initial, prices, weights, ratios = (
        values(operands, 0),
        values(operands, 1),
        values(operands, 2),
        values(operands, 3),
    )
    cost, path, volumes = values(operands, 4), values(operands, 5), values(operands, 6)
    a, b = get(initial, 0), get(initial, 1)
    put(path, 0, a)
    put(path, 1, b)
    put(volumes, 0, 0.0)
    band, ratio = get(cost, BAND), get(ratios, 0)
    for t in range(1, n_bars):
        if varying:
            cost += 8 * N_COSTS
            band = get(cost, BAND)
        p_a, p_b = get(prices, 2 * t), get(prices, 2 * t + 1)
        volume = 0.0
        x = a - b + (p_a - p_b - ratio)
        if not abs(x) <= band:  # nor if it is nan
            weight = row(weights, t - 1 if moving else 0, 2)
            a, b, volume = _trade(a, b, p_a, p_b, get(weight, 0), get(weight, 1), x, cost)
        if moving:
            ratio = get(ratios, t)
            x = a - b + (p_a - p_b - ratio)
            if not abs(x) <= band:
                a, b, more = _trade(a, b, p_a, p_b, get(weights, 2 * t), get(weights, 2 * t + 1), x, cost)
                volume += more
        put(path, 2 * t, a)
        put(path, 2 * t + 1, b)
        put(volumes, t, volume)
    return 0


@njit(error_model="numpy")
def _pull(a, b, p_a, p_b, w_a, w_b, x, cost, l_a, l_b, l_volume):
    """Returns the cotangents before a trade: of log reserves, log prices, weights (two each), band, gain and noise.

    ``a`` and ``b`` are the log reserves before it, ``l_a`` and ``l_b`` the cotangents of those after it, ``l_volume`` that of
    its volume.
    """
    out_a = x > 0.0
    band, gain, noise = get(cost, BAND), get(cost, GAIN), get(cost, NOISE)
    rise, fall = _moves(x, band, w_a, w_b)
    v_in, v_out = 0.0, 0.0
    if noise > 0.0 or get(cost, GAS) > 0.0 or l_volume != 0.0:
        v_in, v_out = np.exp(a + p_a), np.exp(b + p_b)
        if out_a:
            v_in, v_out = v_out, v_in
        if get(cost, GAS) > 0.0 and not _pays(v_in, v_out, rise, fall, cost):
            return l_a, l_b, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    w_in, w_out, l_in, l_out = w_a, w_b, l_a, l_b
    if out_a:
        w_in, w_out, l_in, l_out = w_b, w_a, l_b, l_a
    grown = growth(rise)
    kept = 1.0 + gain * grown
    p_in, p_out, of_noise = 0.0, 0.0, 0.0  # cotangents of the log prices
    if noise > 0.0:  # all reserves grow by 1 + noise · volume / value
        volume, after_in, after_out = v_in * grown, v_in * kept, v_out * np.exp(fall)
        value = after_in + after_out
        level = (l_in + l_out) / (value + noise * volume)
        dilution = level * noise * volume / value
        of_noise = level * volume
        l_volume += level * noise
        p_in, p_out = -dilution * after_in, -dilution * after_out
        l_in, l_out = l_in + p_in, l_out + p_out
    of_rise = l_in * gain * (1.0 + grown) / kept + l_volume * v_in * (1.0 + grown)
    of_gain = l_in * grown / kept
    l_in += l_volume * v_in * grown
    p_in += l_volume * v_in * grown
    total = w_in + w_out
    excess = abs(x) - band
    of_excess = (of_rise * w_out - l_out * w_in) / total
    of_shares = excess * (of_rise + l_out) / (total * total)
    of_in, of_out = -of_shares * w_out + of_excess / w_in, of_shares * w_in - of_excess / w_out
    l_in, l_out, p_in, p_out = l_in - of_excess, l_out + of_excess, p_in - of_excess, p_out + of_excess
    if out_a:
        return l_out, l_in, p_out, p_in, of_out, of_in, -of_excess, of_gain, of_noise
    return l_in, l_out, p_in, p_out, of_in, of_out, -of_excess, of_gain, of_noise


@njit(error_model="numpy")
def _add_pair(address, of_a, of_b):
    put(address, 0, get(address, 0) + of_a)
    put(address, 1, get(address, 1) + of_b)


def adjoint(operands):
    """Arguments: log prices, weights, log ratios and costs as for :func:`forward`; its results; and their cotangents.

    Results: cotangents of the initial log reserves, log prices, weights and costs. Trades are computed again, in bars that
    have one.
    """
    n_bars, n_costs, moving = length(operands, 0, 0), length(operands, 3, 0), length(operands, 1, 0) > 1
    prices, weights, ratios, costs = values(operands, 0), values(operands, 1), values(operands, 2), values(operands, 3)
    path, of_path, of_volumes = values(operands, 4), values(operands, 5), values(operands, 6)
    of_initial, of_prices, of_weights = values(operands, 7), values(operands, 8), values(operands, 9)
    of_costs = values(operands, 10)
    clear(of_prices, 2 * n_bars)
    clear(of_weights, 2 * length(operands, 1, 0))
    clear(of_costs, N_COSTS * n_costs)
    l_a, l_b = get(of_path, 2 * n_bars - 2), get(of_path, 2 * n_bars - 1)
    for t in range(n_bars - 1, 0, -1):
        a, b = get(path, 2 * t - 2), get(path, 2 * t - 1)
        if a != get(path, 2 * t) or b != get(path, 2 * t + 1):
            now = row(0, t if n_costs > 1 else 0, N_COSTS)
            cost, of_cost, of_price = costs + now, of_costs + now, row(of_prices, t, 2)
            p_a, p_b, first = get(prices, 2 * t), get(prices, 2 * t + 1), t - 1 if moving else 0
            for event in range(1 if moving else 0, -1, -1):  # the second trade, then the first one
                at = row(0, first + event, 2)
                w_a, w_b = get(weights + at, 0), get(weights + at, 1)
                r_a, r_b = a, b
                if event == 1:
                    x = a - b + (p_a - p_b - get(ratios, first))
                    if not abs(x) <= get(cost, BAND):
                        v_a, v_b = get(weights, 2 * first), get(weights, 2 * first + 1)
                        r_a, r_b, _ = _trade(a, b, p_a, p_b, v_a, v_b, x, cost)
                x = r_a - r_b + (p_a - p_b - get(ratios, first + event))
                if not abs(x) <= get(cost, BAND):
                    l_a, l_b, q_a, q_b, v_a, v_b, of_band, of_gain, of_noise = _pull(
                        r_a, r_b, p_a, p_b, w_a, w_b, x, cost, l_a, l_b, get(of_volumes, t)
                    )
                    _add_pair(of_price, q_a, q_b)
                    _add_pair(of_weights + at, v_a, v_b)
                    _add_pair(of_cost, of_band, of_gain)
                    put(of_cost, NOISE, get(of_cost, NOISE) + of_noise)
        l_a += get(of_path, 2 * t - 2)
        l_b += get(of_path, 2 * t - 1)
    put(of_initial, 0, l_a)
    put(of_initial, 1, l_b)
    return 0
