"""The fee recursion of any number of tokens and its adjoint as compiled loops over bars.

See :mod:`quantsim.pools.weighted.fee_kernels` and :mod:`quantsim.pools.weighted.arbitrage`; the notation is that of
docs/mathematics.md.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.operands import matrix, vector

__all__ = ["adjoint", "forward"]

_BAND, _GAIN, _NOISE, _SWAP_FEE, _ARB_FEE, _GAS = range(6)  # columns of the costs
_MOST_ITERATIONS = 100


@njit(error_model="numpy")
def _find_moves(reserves, prices, weights, logs, cost, levels, moves):
    """Computes the trade of a bar: moves of log reserves, positive for tokens that come in; returns whether there is one."""
    n, band = reserves.size, cost[_BAND]
    low, high = np.inf, -np.inf
    for i in range(n):
        levels[i] = reserves[i] + (prices[i] - logs[i])
        low, high = min(low, levels[i]), max(high, levels[i])
    if high - low <= band:
        return False
    # The level is a root of a piecewise linear, increasing function. Newton's method finds it in a few steps; bisection
    # takes over where a step leaves the interval that contains the root.
    low += band
    level = 0.5 * (low + high)
    for _ in range(_MOST_ITERATIONS):
        total, moment = 0.0, 0.0
        for i in range(n):
            if levels[i] + band < level:
                total += weights[i]
                moment += weights[i] * (levels[i] + band)
            elif levels[i] > level:
                total += weights[i]
                moment += weights[i] * levels[i]
        better = moment / total
        if better == level:
            break
        if total * level > moment:
            high = level
        else:
            low = level
        level = better if low < better < high else 0.5 * (low + high)
    for i in range(n):
        if levels[i] + band < level:
            moves[i] = better - band - levels[i]
        elif levels[i] > level:
            moves[i] = better - levels[i]
        else:
            moves[i] = 0.0
    return cost[_GAS] <= 0.0 or _profit(reserves, prices, moves, cost) >= cost[_GAS]


@njit(error_model="numpy")
def _profit(reserves, prices, moves, cost):
    paid, received = 0.0, 0.0
    for i in range(reserves.size):
        value = np.exp(reserves[i] + prices[i]) * np.expm1(moves[i])
        if moves[i] > 0.0:
            paid += value / (1.0 - cost[_SWAP_FEE])
        else:
            received -= value
    return received - paid - 0.5 * cost[_ARB_FEE] * (received + paid)


@njit(error_model="numpy")
def _apply(reserves, prices, moves, cost):
    """Changes log reserves by a trade and the noise trades that follow it; returns the value of its effective input."""
    volume, value = 0.0, 0.0
    for i in range(reserves.size):
        if moves[i] > 0.0:
            grown = np.expm1(moves[i])
            volume += np.exp(reserves[i] + prices[i]) * grown
            reserves[i] += np.log1p(cost[_GAIN] * grown)
        else:
            reserves[i] += moves[i]
    if cost[_NOISE] > 0.0:
        for i in range(reserves.size):
            value += np.exp(reserves[i] + prices[i])
        reserves += np.log1p(cost[_NOISE] * volume / value)
    return volume


def forward(operands):
    """Arguments: initial (n,), log prices (T, n), weights and their logarithms (T or 1, n), costs (T or 1, 6).

    Results: log reserves (T, n), and the value of the arbitrageurs' effective input at every bar, (T,).
    """
    initial, prices, weights = vector(operands, 0), matrix(operands, 1), matrix(operands, 2)
    logs, costs, path, volumes = matrix(operands, 3), matrix(operands, 4), matrix(operands, 5), vector(operands, 6)
    first_event = 0 if weights.shape[0] > 1 else 1  # weights that never move are traded against once a bar
    varies = costs.shape[0] > 1
    levels, moves = np.empty(initial.size), np.empty(initial.size)
    path[0] = initial
    volumes[0] = 0.0
    for t in range(1, prices.shape[0]):
        path[t] = path[t - 1]
        cost = costs[t if varies else 0]
        volume = 0.0
        for event in range(first_event, 2):
            row = 0 if first_event else t - 1 + event
            if _find_moves(path[t], prices[t], weights[row], logs[row], cost, levels, moves):
                volume += _apply(path[t], prices[t], moves, cost)
        volumes[t] = volume
    return 0


@njit(error_model="numpy")
def _pull(reserves, prices, weights, moves, cost, bars, of_volume, of_prices, of_weights, of_cost):
    """Turns the cotangents of the log reserves after a trade, ``bars``, into those before it, and adds the others."""
    n, gain, noise = reserves.size, cost[_GAIN], cost[_NOISE]
    if noise > 0.0:  # all reserves grow by 1 + noise · volume / value
        volume, value, level = 0.0, 0.0, 0.0
        for i in range(n):
            before, grown = np.exp(reserves[i] + prices[i]), np.expm1(moves[i])
            volume += before * grown if moves[i] > 0.0 else 0.0
            value += before * (1.0 + (gain if moves[i] > 0.0 else 1.0) * grown)
            level += bars[i]
        level /= value + noise * volume
        of_cost[_NOISE] += level * volume
        of_volume += level * noise
        for i in range(n):
            grown = np.expm1(moves[i])
            after = np.exp(reserves[i] + prices[i]) * (1.0 + (gain if moves[i] > 0.0 else 1.0) * grown)
            of_value = -level * noise * volume / value * after
            bars[i] += of_value
            of_prices[i] += of_value
    total, entering, level = 0.0, 0.0, 0.0
    for i in range(n):
        if moves[i] > 0.0:
            grown = np.expm1(moves[i])
            kept = 1.0 + gain * grown
            of_cost[_GAIN] += bars[i] * grown / kept
            of_move = bars[i] * gain * (1.0 + grown) / kept
            if of_volume != 0.0:
                value = np.exp(reserves[i] + prices[i])
                of_move += of_volume * value * (1.0 + grown)
                bars[i] += of_volume * value * grown
                of_prices[i] += of_volume * value * grown
            of_cost[_BAND] -= of_move
            entering += weights[i]
        elif moves[i] < 0.0:
            of_move = bars[i]
        else:
            continue
        total += weights[i]
        level += of_move
        # A move is the level minus that of its token; what follows from the level is added below.
        bars[i] -= of_move
        of_prices[i] -= of_move
        of_weights[i] += of_move / weights[i]
    level /= total
    of_cost[_BAND] += level * entering
    for i in range(n):
        if moves[i] != 0.0:
            bars[i] += level * weights[i]
            of_prices[i] += level * weights[i]
            of_weights[i] -= level * (1.0 + moves[i])


def adjoint(operands):
    """Arguments: log prices, weights, their logarithms and costs as for :func:`forward`; its results; and their cotangents.

    Results: cotangents of the initial log reserves, log prices, weights and costs. Trades are computed again, in bars that
    have one.
    """
    prices, weights, logs, costs = matrix(operands, 0), matrix(operands, 1), matrix(operands, 2), matrix(operands, 3)
    path, of_path, of_volumes = matrix(operands, 4), matrix(operands, 5), vector(operands, 6)
    bars, of_prices, of_weights = vector(operands, 7), matrix(operands, 8), matrix(operands, 9)
    of_costs = matrix(operands, 10)
    first_event, varies = 0 if weights.shape[0] > 1 else 1, costs.shape[0] > 1
    n, last = bars.size, prices.shape[0] - 1
    levels, moves, reserves, trades = np.empty(n), np.empty((2, n)), np.empty((2, n)), np.zeros(2)
    of_prices[:] = 0.0
    of_weights[:] = 0.0
    of_costs[:] = 0.0
    bars[:] = of_path[last]
    for t in range(last, 0, -1):
        traded = False
        for i in range(n):
            traded |= path[t, i] != path[t - 1, i]
        if traded:
            now = t if varies else 0
            cost = costs[now]
            reserves[first_event] = path[t - 1]
            for event in range(first_event, 2):
                row = 0 if first_event else t - 1 + event
                at, move = reserves[event], moves[event]
                trades[event] = _find_moves(at, prices[t], weights[row], logs[row], cost, levels, move)
                if event == 0:
                    reserves[1] = at
                    if trades[0]:
                        _apply(reserves[1], prices[t], move, cost)
            for event in range(1, first_event - 1, -1):
                if trades[event]:
                    row = 0 if first_event else t - 1 + event
                    given = (reserves[event], prices[t], weights[row], moves[event], cost)
                    _pull(*given, bars, of_volumes[t], of_prices[t], of_weights[row], of_costs[now])
        for i in range(n):
            bars[i] += of_path[t - 1, i]
    return 0
