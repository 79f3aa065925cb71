"""The fee recursion of two tokens and its adjoint as compiled loops over bars; see :mod:`quantsim.pools.weighted.fee_kernels`.

The notation is that of docs/mathematics.md. Tokens are ``a`` and ``b``. The one with the larger value per weight goes out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.operands import matrix, vector

__all__ = ["adjoint", "forward"]

_BAND, _GAIN, _NOISE, _SWAP_FEE, _ARB_FEE, _GAS = range(6)  # columns of the costs


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
    paid = v_in * np.expm1(rise) / (1.0 - cost[_SWAP_FEE])
    received = -v_out * np.expm1(fall)
    return received - paid - 0.5 * cost[_ARB_FEE] * (received + paid) >= cost[_GAS]


@njit(error_model="numpy")
def _trade(a, b, p_a, p_b, w_a, w_b, x, cost):
    """Returns the log reserves after a trade outside the band, and the value of its effective input."""
    rise, fall = _moves(x, cost[_BAND], w_a, w_b)
    out_a = x > 0.0
    v_in = np.exp(b + p_b) if out_a else np.exp(a + p_a)
    if cost[_GAS] > 0.0:
        v_out = np.exp(a + p_a) if out_a else np.exp(b + p_b)
        if not _pays(v_in, v_out, rise, fall, cost):
            return a, b, 0.0
    grown = np.expm1(rise)
    if out_a:
        a, b = a + fall, b + np.log1p(cost[_GAIN] * grown)
    else:
        a, b = a + np.log1p(cost[_GAIN] * grown), b + fall
    volume = v_in * grown
    if cost[_NOISE] > 0.0:
        more = np.log1p(cost[_NOISE] * volume / (np.exp(a + p_a) + np.exp(b + p_b)))
        a, b = a + more, b + more
    return a, b, volume


def forward(operands):
    """Arguments: initial (2,), log prices (T, 2), weights (T or 1, 2), their log ratios (T or 1,), costs (T or 1, 6).

    Results: log reserves (T, 2), and the value of the arbitrageurs' effective input at every bar, (T,).
    """
    initial, prices, weights = vector(operands, 0), matrix(operands, 1), matrix(operands, 2)
    ratios, costs = vector(operands, 3), matrix(operands, 4)
    path, volumes = matrix(operands, 5), vector(operands, 6)
    moves, varies = weights.shape[0] > 1, costs.shape[0] > 1
    a, b = initial[0], initial[1]
    path[0, 0], path[0, 1], volumes[0] = a, b, 0.0
    cost = costs[0]
    band, ratio = cost[_BAND], ratios[0]
    for t in range(1, prices.shape[0]):
        if varies:
            cost = costs[t]
            band = cost[_BAND]
        p_a, p_b = prices[t, 0], prices[t, 1]
        d = p_a - p_b
        volume = 0.0
        row = t - 1 if moves else 0
        x = a - b + (d - ratio)
        if abs(x) > band:
            a, b, volume = _trade(a, b, p_a, p_b, weights[row, 0], weights[row, 1], x, cost)
        if moves:
            ratio = ratios[t]
            x = a - b + (d - ratio)
            if abs(x) > band:
                a, b, more = _trade(a, b, p_a, p_b, weights[t, 0], weights[t, 1], x, cost)
                volume += more
        path[t, 0], path[t, 1], volumes[t] = a, b, volume
    return 0


@njit(error_model="numpy")
def _pull(a, b, p_a, p_b, w_a, w_b, x, cost, l_a, l_b, l_volume):
    """Returns the cotangents before a trade: of log reserves, log prices, weights (two each), band, gain and noise.

    ``a`` and ``b`` are the log reserves before it, ``l_a`` and ``l_b`` the cotangents of those after it, ``l_volume`` that of
    its volume.
    """
    out_a = x > 0.0
    band, gain, noise = cost[_BAND], cost[_GAIN], cost[_NOISE]
    rise, fall = _moves(x, band, w_a, w_b)
    v_in, v_out = 0.0, 0.0
    if noise > 0.0 or cost[_GAS] > 0.0 or l_volume != 0.0:
        v_in, v_out = np.exp(a + p_a), np.exp(b + p_b)
        if out_a:
            v_in, v_out = v_out, v_in
        if cost[_GAS] > 0.0 and not _pays(v_in, v_out, rise, fall, cost):
            return l_a, l_b, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    w_in, w_out, l_in, l_out = w_a, w_b, l_a, l_b
    if out_a:
        w_in, w_out, l_in, l_out = w_b, w_a, l_b, l_a
    grown = np.expm1(rise)
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


def adjoint(operands):
    """Arguments: log prices, weights, log ratios and costs as for :func:`forward`; its results; and their cotangents.

    Results: cotangents of the initial log reserves, log prices, weights and costs. Trades are computed again, in bars that
    have one.
    """
    prices, weights, ratios, costs = matrix(operands, 0), matrix(operands, 1), vector(operands, 2), matrix(operands, 3)
    path, of_path, of_volumes = matrix(operands, 4), matrix(operands, 5), vector(operands, 6)
    of_initial, of_prices, of_weights, of_costs = (
        vector(operands, 7),
        matrix(operands, 8),
        matrix(operands, 9),
        matrix(operands, 10),
    )
    moves, varies = weights.shape[0] > 1, costs.shape[0] > 1
    of_weights[:] = 0.0
    of_costs[:] = 0.0
    last = prices.shape[0] - 1
    l_a, l_b = of_path[last, 0], of_path[last, 1]
    for t in range(last, 0, -1):
        of_prices[t, 0], of_prices[t, 1] = 0.0, 0.0
        a, b = path[t - 1, 0], path[t - 1, 1]
        if a != path[t, 0] or b != path[t, 1]:
            now = t if varies else 0
            cost = costs[now]
            band = cost[_BAND]
            p_a, p_b = prices[t, 0], prices[t, 1]
            d = p_a - p_b
            row = t - 1 if moves else 0
            x = a - b + (d - ratios[row])
            a_2, b_2 = a, b
            if abs(x) > band:
                a_2, b_2, _ = _trade(a, b, p_a, p_b, weights[row, 0], weights[row, 1], x, cost)
            if moves:
                x_2 = a_2 - b_2 + (d - ratios[t])
                if abs(x_2) > band:
                    l_a, l_b, q_a, q_b, v_a, v_b, of_band, of_gain, of_noise = _pull(
                        a_2, b_2, p_a, p_b, weights[t, 0], weights[t, 1], x_2, cost, l_a, l_b, of_volumes[t]
                    )
                    of_prices[t, 0] += q_a
                    of_prices[t, 1] += q_b
                    of_weights[t, 0] += v_a
                    of_weights[t, 1] += v_b
                    of_costs[now, _BAND] += of_band
                    of_costs[now, _GAIN] += of_gain
                    of_costs[now, _NOISE] += of_noise
            if abs(x) > band:
                l_a, l_b, q_a, q_b, v_a, v_b, of_band, of_gain, of_noise = _pull(
                    a, b, p_a, p_b, weights[row, 0], weights[row, 1], x, cost, l_a, l_b, of_volumes[t]
                )
                of_prices[t, 0] += q_a
                of_prices[t, 1] += q_b
                of_weights[row, 0] += v_a
                of_weights[row, 1] += v_b
                of_costs[now, _BAND] += of_band
                of_costs[now, _GAIN] += of_gain
                of_costs[now, _NOISE] += of_noise
        l_a += of_path[t - 1, 0]
        l_b += of_path[t - 1, 1]
    of_initial[0], of_initial[1] = l_a, l_b
    of_prices[0, 0], of_prices[0, 1] = 0.0, 0.0
    return 0
