"""The fee recursion of any number of tokens and its adjoint as compiled loops over bars.

See :mod:`quantsim.pools.weighted.fee_kernels` and :mod:`quantsim.pools.weighted.arbitrage`; the notation is that of
docs/mathematics.md. Functions take the addresses of rows with a value per token; see :mod:`quantsim.kernels.operands`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quantsim.kernels.addresses import get, put
from quantsim.kernels.operands import clear, length, row, values
from quantsim.pools.weighted.trade_lanes import ARB_FEE, BAND, GAIN, GAS, N_COSTS, NOISE, SWAP_FEE, growth, log_growth

__all__ = ["adjoint", "forward"]

_MOST_ITERATIONS = 100


@njit(forceinline=True, error_model="numpy")
def _find_moves(n, state, prices, weights, logs, cost, levels, moves):
    """Computes a trade: moves of log reserves, positive for tokens that come in; returns whether there is one."""
    band = get(cost, BAND)
    low, high, last, first, total = np.inf, -np.inf, 0, 0, band
    for i in range(n):
        u = get(state, i) + (get(prices, i) - get(logs, i))
        put(levels, i, u)
        total += u
        if u < low:
            low, last = u, i
        if u > high:
            high, first = u, i
    if np.isnan(total):  # of which comparisons say nothing
        for i in range(n):
            put(moves, i, np.nan)
        return True
    low += band
    trades = low < high  # not high - low > band, which rounding can make true where no token is outside the band
    if trades:
        # The level is a root of a piecewise linear, increasing function. Newton's method finds it in a few steps, beginning
        # with the trade between two tokens, and bisection takes over where a step leaves the interval around the root.
        level = (get(weights, last) * low + get(weights, first) * high) / (get(weights, last) + get(weights, first))
        better = level
        for _ in range(_MOST_ITERATIONS):
            total, moment = 0.0, 0.0
            for i in range(n):  # without branches, which processors would predict badly
                u = get(levels, i)
                weight = get(weights, i) if u + band < level or u > level else 0.0
                total += weight
                moment += weight * min(u + band, max(u, level))
            better = moment / total
            if better == level:
                break
            if total * level > moment:
                high = level
            else:
                low = level
            before, level = level, better if low < better < high else 0.5 * (low + high)
            if level == before:  # no number is left between the ends of the interval
                break
        for i in range(n):
            u = get(levels, i)
            put(moves, i, max(better - band - u, 0.0) + min(better - u, 0.0))
        if get(cost, GAS) > 0.0:
            trades = _profit(n, state, prices, cost, moves) >= get(cost, GAS)
    return trades


@njit(error_model="numpy")
def _profit(n, state, prices, cost, moves):
    """Returns the arbitrageur's profit before the fixed cost."""
    paid, received = 0.0, 0.0
    for i in range(n):
        value = np.exp(get(state, i) + get(prices, i)) * np.expm1(get(moves, i))
        if value > 0.0:
            paid += value / (1.0 - get(cost, SWAP_FEE))
        else:
            received -= value
    return received - paid - 0.5 * get(cost, ARB_FEE) * (received + paid)


@njit(forceinline=True, error_model="numpy")
def _apply(n, state, prices, cost, moves):
    """Changes log reserves by a trade and the noise trades that follow it; returns the value of its effective input."""
    volume, gain, noise = 0.0, get(cost, GAIN), get(cost, NOISE)
    for i in range(n):
        r, move = get(state, i), get(moves, i)
        if move > 0.0:
            volume += np.exp(r + get(prices, i)) * growth(move)
            put(state, i, r + log_growth(move, gain))
        else:
            put(state, i, r + move)
    if noise > 0.0:
        value = 0.0
        for i in range(n):
            value += np.exp(get(state, i) + get(prices, i))
        more = np.log1p(noise * volume / value)
        for i in range(n):
            put(state, i, get(state, i) + more)
    return volume


def forward(operands):
    """Arguments: initial (n,), log prices (T, n), weights and their logarithms (T or 1, n), costs (T or 1, 6).

    Results: log reserves (T, n), the value of the arbitrageurs' effective input at every bar, (T,), and scratch space (2, n).
    """
    n, n_bars = length(operands, 0, 0), length(operands, 1, 0)
    moving, varying = length(operands, 2, 0) > 1, length(operands, 4, 0) > 1
    initial, prices, weights, logs = values(operands, 0), values(operands, 1), values(operands, 2), values(operands, 3)
    costs, path, volumes, levels = values(operands, 4), values(operands, 5), values(operands, 6), values(operands, 7)
    moves = row(levels, 1, n)
    for i in range(n):
        put(path, i, get(initial, i))
    put(volumes, 0, 0.0)
    for t in range(1, n_bars):
        state, price = row(path, t, n), row(prices, t, n)
        cost = row(costs, t if varying else 0, N_COSTS)
        for i in range(n):
            put(state, i, get(state - 8 * n, i))
        volume = 0.0
        for event in range(0 if moving else 1, 2):  # weights that never move are traded against once
            at = 8 * n * (t - 1 + event) if moving else 0
            if _find_moves(n, state, price, weights + at, logs + at, cost, levels, moves):
                volume += _apply(n, state, price, cost, moves)
        put(volumes, t, volume)
    return 0


@njit(forceinline=True, error_model="numpy")
def _add(address, position, value):
    put(address, position, get(address, position) + value)


@njit(error_model="numpy")
def _pull_noise(n, state, prices, cost, moves, bars, of_prices, of_cost):
    """Does the part of :func:`_pull` for the noise trades; returns what it adds to the cotangent of the volume."""
    gain, noise = get(cost, GAIN), get(cost, NOISE)
    volume, value, level = 0.0, 0.0, 0.0  # all reserves grow by 1 + noise · volume / value
    for i in range(n):
        before, grown = np.exp(get(state, i) + get(prices, i)), np.expm1(get(moves, i))
        volume += before * max(grown, 0.0)
        value += before * (1.0 + (gain if grown > 0.0 else 1.0) * grown)
        level += get(bars, i)
    level /= value + noise * volume
    _add(of_cost, NOISE, level * volume)
    for i in range(n):
        before, grown = np.exp(get(state, i) + get(prices, i)), np.expm1(get(moves, i))
        of_log = -level * noise * volume / value * before * (1.0 + (gain if grown > 0.0 else 1.0) * grown)
        _add(bars, i, of_log)
        _add(of_prices, i, of_log)
    return level * noise


@njit(error_model="numpy")
def _pull(n, state, prices, weights, cost, moves, bars, of_volume, of_prices, of_weights, of_cost):
    """Turns the cotangents of the log reserves after a trade, ``bars``, into those before it, and adds the others."""
    gain = get(cost, GAIN)
    if get(cost, NOISE) > 0.0:
        of_volume += _pull_noise(n, state, prices, cost, moves, bars, of_prices, of_cost)
    total, entering, level = 0.0, 0.0, 0.0
    for i in range(n):
        move, weight, of_move = get(moves, i), get(weights, i), get(bars, i)
        if move == 0.0:
            continue
        if move > 0.0:
            grown = growth(move)
            share = of_move / (1.0 + gain * grown)
            _add(of_cost, GAIN, share * grown)
            of_move = share * gain * (1.0 + grown)
            if of_volume != 0.0:
                of_value = of_volume * np.exp(get(state, i) + get(prices, i))
                of_move += of_value * (1.0 + grown)
                _add(bars, i, of_value * grown)
                _add(of_prices, i, of_value * grown)
            _add(of_cost, BAND, -of_move)
            entering += weight
        total += weight
        level += of_move
        # A move is the level minus that of its token; what follows from the level is added below.
        _add(bars, i, -of_move)
        _add(of_prices, i, -of_move)
        _add(of_weights, i, of_move / weight)
    level /= total
    _add(of_cost, BAND, level * entering)
    for i in range(n):
        move = get(moves, i)
        if move != 0.0:
            of_level = level * get(weights, i)
            _add(bars, i, of_level)
            _add(of_prices, i, of_level)
            _add(of_weights, i, -level * (1.0 + move))


def adjoint(operands):
    """Arguments: log prices, weights, their logarithms and costs as for :func:`forward`; its results; and their cotangents.

    Results: cotangents of the initial log reserves, log prices, weights and costs, and scratch space (5, n). Trades are
    computed again, in bars that have one.
    """
    n_bars, n, n_costs = length(operands, 0, 0), length(operands, 0, 1), length(operands, 3, 0)
    moving = length(operands, 1, 0) > 1
    prices, weights, logs, costs = values(operands, 0), values(operands, 1), values(operands, 2), values(operands, 3)
    path, of_path, of_volumes = values(operands, 4), values(operands, 5), values(operands, 6)
    bars, of_prices, of_weights, of_costs = (
        values(operands, 7),
        values(operands, 8),
        values(operands, 9),
        values(operands, 10),
    )
    levels = values(operands, 11)
    state, moves = row(levels, 1, n), row(levels, 3, n)
    clear(of_prices, n_bars * n)
    clear(of_weights, length(operands, 1, 0) * n)
    clear(of_costs, n_costs * N_COSTS)
    for i in range(n):
        put(bars, i, get(row(of_path, n_bars - 1, n), i))
    for t in range(n_bars - 1, 0, -1):
        before, price = row(path, t - 1, n), row(prices, t, n)
        traded = False
        for i in range(n):
            r = get(before, i)
            traded |= get(before, n + i) != r
            put(state, i, r)
            put(state, n + i, r)
        if traded:
            now = row(0, t if n_costs > 1 else 0, N_COSTS)
            done = 0  # bits of the trades that happened
            for event in range(2 if moving else 1):
                at, of = row(0, t - 1 + event if moving else 0, n), row(0, event, n)
                if _find_moves(n, state + of, price, weights + at, logs + at, costs + now, levels, moves + of):
                    done += 1 + event
                    if event == 0 and moving:
                        _apply(n, row(state, 1, n), price, costs + now, moves)
            for event in range(1, -1, -1):
                if done & (1 + event):
                    at, of = row(0, t - 1 + event if moving else 0, n), row(0, event, n)
                    _pull(
                        n,
                        state + of,
                        price,
                        weights + at,
                        costs + now,
                        moves + of,
                        bars,
                        get(of_volumes, t),
                        row(of_prices, t, n),
                        of_weights + at,
                        of_costs + now,
                    )
        for i in range(n):
            _add(bars, i, get(row(of_path, t - 1, n), i))
    return 0
