"""A second simulator, in plain Python loops over bars, written from the mathematics alone: what the fast paths must equal.

Nothing of the package is used. It does one thing at a time, in the order in which it happens, and finds the level of an
arbitrage trade by bisection, for any number of tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Trade:
    """An exogenous swap: bar of the window, what comes in, what goes out, and one of the amounts."""

    bar: int
    token_in: int
    token_out: int
    amount_in: float | None = None
    amount_out: float | None = None


@dataclass
class Market:
    """What an experiment says, in the units of a study file."""

    prices: np.ndarray  # (T_all, n), with what history there is
    begin: int  # first bar that the estimators see
    start: int  # first bar of the window
    n_bars: int
    bar_minutes: int
    chunk_minutes: int
    ramp_minutes: int
    minimum_weight: float
    rule: str
    logit_lamb: np.ndarray | None = None
    log_k: np.ndarray | None = None
    logit_delta_lamb: np.ndarray | None = None  # given: the divisor has a memory of its own
    initial_weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    max_memory_days: float = 365.0
    maximum_change_per_minute: float = 3e-4
    initial_value: float = 1e6
    swap_fee: float | np.ndarray = 0.0  # these three may be (n_bars,)
    arb_fee: float | np.ndarray = 0.0
    gas_cost: float | np.ndarray = 0.0
    noise_trader_ratio: float = 0.0
    protocol_fee_split: float = 0.0
    arb_frequency: int = 1
    trading_minutes: int | None = None  # from the start of each chunk; always if None
    do_arb: bool = True
    interpolation: str = "linear"
    trades: list[Trade] = field(default_factory=list)
    growth: Callable[[int, float], float] | None = (
        None  # bar of a visit, value there → factor of reserves until the next
    )
    changes: list[tuple[int, Market]] = field(
        default_factory=list
    )  # bar of the window → whose parameters decide from there on


@dataclass
class Run:
    value: np.ndarray
    reserves: np.ndarray
    weights: np.ndarray
    fee_revenue: float
    profits: list[float]
    fills: list[tuple[float, float, float, str]]  # of trades: in, out, fee kept in value, what became of it


def run(pool: Market) -> Run:
    """Every bar of the window, both events of each."""
    weights = _weights(pool)
    prices = pool.prices[pool.start : pool.start + pool.n_bars]
    reserves = pool.initial_value * weights[0] / prices[0]
    revenue, profits, rows = 0.0, [], [reserves]
    trades = pool.do_arb and pool.rule != "hodl"
    weights_before = weights[0]
    fills = [(0.0, 0.0, 0.0, "outside_window") for _ in pool.trades]
    for bar in range(1, pool.n_bars):
        if trades and bar % pool.arb_frequency == 0:
            minute = bar * pool.bar_minutes % pool.chunk_minutes
            is_open = pool.trading_minutes is None or minute < pool.trading_minutes
            if pool.growth is not None and is_open:
                before = bar - pool.arb_frequency
                factor = pool.growth(before, float(reserves @ prices[before]))
                revenue += (factor - 1.0) * float(reserves @ prices[bar])
                reserves = reserves * factor
            for at in (weights_before, weights[bar]) if is_open else ():
                reserves, fees, profit = _arbitrage(pool, bar, reserves, prices[bar], at)
                revenue += fees
                profits.append(profit)
            weights_before = weights[bar]
        for row, trade in enumerate(pool.trades):
            if trade.bar == bar:
                reserves, fills[row] = _swap(pool, trade, reserves, prices[bar], weights[bar])
                revenue += fills[row][2]
        rows.append(reserves)
    table = np.array(rows)
    value = (table * prices).sum(axis=1)
    shown = table * prices / value[:, None] if pool.rule == "hodl" else weights
    return Run(value, table, shown, revenue, profits, fills)


def _swap(
    pool: Market, trade: Trade, reserves: np.ndarray, prices: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, tuple[float, float, float, str]]:
    """Reserves after an exogenous swap, and what became of it: the swap formulas of a weighted pool, as they stand."""
    i, o, fee = trade.token_in, trade.token_out, _at(pool.swap_fee, trade.bar)
    if trade.amount_in is not None:
        brought, amount_in = trade.amount_in * (1 - fee), trade.amount_in
        if brought > 0.3 * reserves[i]:
            return reserves, (0.0, 0.0, 0.0, "max_in_ratio")
        amount_out = reserves[o] * (1 - (reserves[i] / (reserves[i] + brought)) ** (weights[i] / weights[o]))
    else:
        assert trade.amount_out is not None
        amount_out = trade.amount_out
        if amount_out >= reserves[o]:
            return reserves, (0.0, 0.0, 0.0, "empties_pool")
        if amount_out > 0.3 * reserves[o]:
            return reserves, (0.0, 0.0, 0.0, "max_out_ratio")
        brought = reserves[i] * ((reserves[o] / (reserves[o] - amount_out)) ** (weights[o] / weights[i]) - 1)
        amount_in = brought / (1 - fee)
    paid = amount_in * fee
    after = reserves.copy()
    after[i] += amount_in - pool.protocol_fee_split * paid
    after[o] -= amount_out
    return after, (amount_in, amount_out, (1 - pool.protocol_fee_split) * paid * prices[i], "executed")


def _at(rate: float | np.ndarray, bar: int) -> float:
    return float(rate[bar]) if isinstance(rate, np.ndarray) else rate


def level(values_per_weight: np.ndarray, weights: np.ndarray, width: float) -> float:
    """The root m of Σ w (max(m - g - u, 0) + min(m - u, 0)), by bisection."""
    tokens = list(zip(values_per_weight.tolist(), weights.tolist(), strict=True))
    low, high = float(values_per_weight.min()), float(values_per_weight.max()) + width
    while low < (middle := 0.5 * (low + high)) < high:
        balance = 0.0
        for u, w in tokens:
            above = middle - u
            if above < 0.0:
                balance += w * above
            elif above > width:
                balance += w * (above - width)
        low, high = (low, middle) if balance > 0 else (middle, high)
    return middle


def _arbitrage(
    pool: Market, bar: int, reserves: np.ndarray, prices: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Reserves after one event, the fees the pool kept, and what the arbitrageur earned."""
    gamma, cost, gas = 1.0 - _at(pool.swap_fee, bar), _at(pool.arb_fee, bar), _at(pool.gas_cost, bar)
    width = -np.log(gamma) + np.log((1 + cost / 2) / (1 - cost / 2))
    per_weight = np.log(reserves * prices / weights)
    if per_weight.max() - per_weight.min() <= width:
        return reserves, 0.0, 0.0
    m = level(per_weight, weights, width)
    rise = np.maximum(m - width - per_weight, 0.0)
    fall = np.minimum(m - per_weight, 0.0)
    brought = reserves * np.expm1(rise) / gamma
    taken = -reserves * np.expm1(fall)
    paid, received = (brought * prices).sum(), (taken * prices).sum()
    profit = received - paid - 0.5 * cost * (received + paid)
    if gas > 0 and profit < gas:  # without gas an optimal trade never loses, but for rounding
        return reserves, 0.0, 0.0
    after = reserves + brought * (1.0 - (1.0 - gamma) * pool.protocol_fee_split) - taken
    kept = (1.0 - gamma) * (1.0 - pool.protocol_fee_split) * paid
    noise = pool.noise_trader_ratio * kept
    return after * (1.0 + noise / (after * prices).sum()), kept + noise, profit - gas


def _weights(pool: Market) -> np.ndarray:
    """(T, n): a decision at each chunk boundary, from the weights reached, spread over the ramp."""
    chunk, ramp = pool.chunk_minutes // pool.bar_minutes, pool.ramp_minutes // pool.bar_minutes
    if pool.rule in ("balancer", "hodl"):
        return np.tile(pool.initial_weights, (pool.n_bars, 1))
    outputs = _outputs(pool, chunk)
    for first, other in pool.changes:
        outputs |= {bar: output for bar, output in _outputs(other, chunk).items() if bar >= first}
    fastest = pool.maximum_change_per_minute * pool.bar_minutes
    weights, position = np.empty((pool.n_bars, pool.initial_weights.size)), pool.initial_weights
    for first in range(0, pool.n_bars, chunk):
        step = np.zeros_like(position)
        if first > 0:
            step = (guarded(position + outputs[first], pool.minimum_weight) - position) / ramp
            step *= min(1.0, fastest / np.abs(step).max()) if step.any() else 1.0
        end = position + ramp * step
        path = ramp_of(pool.interpolation, position, end, ramp, fastest)
        for inside in range(min(chunk, pool.n_bars - first)):
            weights[first + inside] = path[inside] if inside < ramp else end
        position = end
    return weights


def ramp_of(
    interpolation: str, start: np.ndarray, end: np.ndarray, ramp: int, fastest: float, upper: np.ndarray | None = None
) -> np.ndarray:
    """(ramp + 1, n): weights from the first bar of a ramp to its end."""
    linear = np.array([start + bar * (end - start) / ramp for bar in range(ramp + 1)])
    if interpolation == "linear":
        return linear
    way = ramp + 1 if interpolation == "published_optimal" else ramp
    curved = []
    for bar in range(ramp + 1):
        mean = 0.5 * (linear[bar] + start * (end / start) ** (bar / way))
        curved.append(mean / mean.sum())
    path = np.array([*curved[:ramp], end])
    if interpolation == "published_optimal":
        return path
    most, limit = np.inf if upper is None else upper, fastest * (1 + 1e-13)

    def mixed(share: float) -> np.ndarray:
        return linear + share * (path - linear)

    def fits(share: float) -> bool:
        found = mixed(share)
        return bool((np.abs(np.diff(found, axis=0)) <= limit).all() and (found <= most + 1e-15).all())

    low, high = (1.0, 1.0) if fits(1.0) else (0.0, 1.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return mixed(low) if loss_of(mixed(low)) <= loss_of(linear) * (1 + 1e-9) else linear


def loss_of(weights: np.ndarray) -> float:
    """What a pool without fees loses to arbitrageurs along a path of weights, (J, n), in log value."""
    loss = 0.0
    for before, after in itertools.pairwise(weights):
        loss += (after * np.log1p((after - before) / before) - (after - before)).sum()
    return float(loss)


def guarded(weights: np.ndarray, minimum: float) -> np.ndarray:
    """Normalised, clipped, and the free weights rescaled until none of them lies below the minimum."""
    n = weights.size
    weights = np.clip(weights / weights.sum(), minimum, 1.0 - (n - 1) * minimum)
    free = weights > minimum
    while free.any():
        weights = np.where(free, weights * (1.0 - minimum * (~free).sum()) / weights[free].sum(), minimum)
        if (weights >= minimum).all():
            break
        free &= weights > minimum
    return weights


def _outputs(pool: Market, chunk: int) -> dict[int, np.ndarray]:
    """Bar of the window → what the momentum rule says there."""
    begin = pool.begin + (pool.start - pool.begin) % chunk
    sign = {"momentum": 1.0, "anti_momentum": -1.0}[pool.rule]
    assert pool.logit_lamb is not None
    assert pool.log_k is not None
    longest = _logit_of_memory(pool.max_memory_days, pool.chunk_minutes)
    logit = np.minimum(pool.logit_lamb, longest)
    lamb = 1 / (1 + np.exp(-logit))
    divisor_lamb = lamb
    if pool.logit_delta_lamb is not None:
        divisor_lamb = 1 / (1 + np.exp(-np.minimum(pool.logit_lamb + pool.logit_delta_lamb, longest)))
    k = 2.0**pool.log_k * memory_of_lamb(lamb, pool.chunk_minutes)
    outputs = {}
    average = divisor = pool.prices[begin]
    slope_sum = np.zeros_like(average)
    for bar in range(begin, pool.start + pool.n_bars, chunk):
        price = pool.prices[bar]
        average = average + (1 - lamb) * (price - average)
        divisor = divisor + (1 - divisor_lamb) * (price - divisor)
        slope_sum = lamb * slope_sum + (price - average) / (1 - lamb)
        slope = slope_sum * (1 - lamb) ** 3 / (lamb * divisor)
        outputs[bar - pool.start] = sign * k * (slope - (k * slope).sum() / k.sum())
    return outputs


def memory_of_lamb(lamb: np.ndarray, chunk_minutes: float) -> np.ndarray:
    """The definition, as it stands."""
    return np.cbrt(6 * lamb / (1 - lamb) ** 3) * 2 * chunk_minutes / 1440


def _logit_of_memory(days: float, chunk_minutes: float) -> float:
    """Its inverse, by bisection on the logit."""
    low, high = -60.0, 60.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        mu = 1 / (1 + np.exp(middle))
        memory = np.cbrt(6 * np.exp(middle) / mu**2) * 2 * chunk_minutes / 1440
        low, high = (middle, high) if memory < days else (low, middle)
    return 0.5 * (low + high)
