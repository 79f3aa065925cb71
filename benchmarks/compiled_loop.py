"""The fee recursion as one plain compiled loop over bars: what a careful programmer gets without a gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

__all__ = ["Loop", "fee_recursion"]


@dataclass(frozen=True)
class Loop:
    """The compiled loop on one window.

    Attributes:
        call: runs it; returns the log reserves (T, n).
        traded: share of the bars with a trade.
    """

    call: Callable[[], np.ndarray]
    traded: float


def fee_recursion(log_prices: np.ndarray, weights: np.ndarray, fee: float) -> Loop:
    """The loop for a window.

    Args:
        log_prices: (T, n).
        weights: (T, n).
        fee: swap fee.
    """
    compiled = _two_tokens if weights.shape[1] == 2 else _any_tokens
    start = np.log(weights[0]) - log_prices[0]
    path = compiled(log_prices, weights, start, fee)
    traded = float(np.mean(np.any(np.diff(path, axis=0) != 0, axis=1)))
    return Loop(lambda: compiled(log_prices, weights, start, fee), traded)


@njit(cache=True)
def _two_tokens(log_prices, weights, start, fee):  # type: ignore[no-untyped-def]
    n_bars = log_prices.shape[0]
    path = np.empty_like(log_prices)
    first, second = start[0], start[1]
    path[0, 0], path[0, 1] = first, second
    band, gain = -np.log(1.0 - fee), 1.0 / (1.0 - fee)
    log_ratio = np.log(weights[0, 0] / weights[0, 1])
    for bar in range(1, n_bars):
        difference = log_prices[bar, 0] - log_prices[bar, 1]
        for event in range(2):
            row = bar - 1 + event
            if event == 1:
                log_ratio = np.log(weights[bar, 0] / weights[bar, 1])
            x = first - second + difference - log_ratio
            if x > band:
                first -= weights[row, 1] * (x - band)
                second += np.log1p(gain * np.expm1(weights[row, 0] * (x - band)))
            elif x < -band:
                second += weights[row, 0] * (x + band)
                first += np.log1p(gain * np.expm1(-weights[row, 1] * (x + band)))
        path[bar, 0], path[bar, 1] = first, second
    return path


@njit(cache=True)
def _any_tokens(log_prices, weights, start, fee):  # type: ignore[no-untyped-def]
    n_bars, n = log_prices.shape
    path = np.empty_like(log_prices)
    reserves, level, log_weights = start.copy(), np.empty(n), np.log(weights[0])
    path[0] = reserves
    band, gain = -np.log(1.0 - fee), 1.0 / (1.0 - fee)
    for bar in range(1, n_bars):
        for event in range(2):
            row = bar - 1 + event
            low, high = np.inf, -np.inf
            for i in range(n):
                if event == 1:
                    log_weights[i] = np.log(weights[bar, i])
                level[i] = reserves[i] + log_prices[bar, i] - log_weights[i]
                low, high = min(low, level[i]), max(high, level[i])
            if high - low <= band:
                continue
            below, above = low + band, high
            for k in range(2 * n):
                point = level[k] if k < n else level[k - n] + band
                if below < point < above:
                    balance = 0.0
                    for i in range(n):
                        balance += weights[row, i] * (max(point - band - level[i], 0.0) + min(point - level[i], 0.0))
                    if balance <= 0.0:
                        below = point
                    else:
                        above = point
            weight, moment = 0.0, 0.0
            for i in range(n):
                if level[i] + band <= below:
                    weight += weights[row, i]
                    moment += weights[row, i] * (level[i] + band)
                elif level[i] >= above:
                    weight += weights[row, i]
                    moment += weights[row, i] * level[i]
            target = moment / weight
            for i in range(n):
                if level[i] + band <= below:
                    reserves[i] += np.log1p(gain * np.expm1(target - band - level[i]))
                elif level[i] >= above:
                    reserves[i] += target - level[i]
        path[bar] = reserves
    return path
