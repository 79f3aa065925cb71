"""A reCLAMM pool in plain Python, visit by visit, written from the mathematics alone: what the fast passes must equal."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Pool:
    """Real and virtual balances of A and B, and what a study says; ``seconds`` lie between two visits."""

    real: list[float]
    virtual: list[float]
    margin: float
    exponent: float
    seconds: float
    swap_fee: float = 0.0
    arb_fee: float = 0.0
    gas_cost: float = 0.0
    noise_trader_ratio: float = 0.0
    protocol_fee_split: float = 0.0
    constant_arc_length: bool = False
    centeredness_scaling: bool = False
    speed: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.base = 1.0 - self.exponent / 124649
        if self.constant_arc_length:
            self.speed = self._first_speed()

    def visit(self, price_a: float, price_b: float) -> float:
        """What happens at one visit; returns the fees that stay in the pool."""
        self.move_range(price_a / price_b)
        return self.arbitrage([price_a, price_b])

    def centeredness(self) -> tuple[float, bool]:
        a, b = self.real[0] * self.virtual[1], self.real[1] * self.virtual[0]
        return min(a, b) / max(a, b), a > b

    def move_range(self, price: float) -> None:
        c, above = self.centeredness()
        if c >= self.margin:
            return
        over, under = (1, 0) if above else (0, 1)
        r_o, r_u, v_o, v_u = self.real[over], self.real[under], self.virtual[over], self.virtual[under]
        ratio = (r_o + v_o) * (r_u + v_u) / (v_o * v_u)
        faster = self.margin / max(c, 1e-10) if self.centeredness_scaling else 1.0
        if self.constant_arc_length:
            step = 2.0 * self.speed * faster * min(self.seconds, 30 * 86400) * math.sqrt(self.real[0] + self.virtual[0])
            v_o = self._on_arc(price if above else 1.0 / price, r_o, r_u, v_o, v_u, ratio, step)
        else:
            v_o *= self.base ** min(self.seconds * faster, 30 * 86400)
        v_o = max(v_o, r_o / (math.sqrt(ratio) - 1.0))
        self.virtual[over] = v_o
        self.virtual[under] = r_u * (v_o + r_o) / ((ratio - 1.0) * v_o - r_o)

    def _on_arc(self, price: float, r_o: float, r_u: float, v_o: float, v_u: float, ratio: float, step: float) -> float:
        """The virtual balance at which ``√P V_u - V_o/√P`` has risen by the step, by bisection."""
        root = math.sqrt(price)
        wanted = root * v_u - v_o / root + step
        low, high = r_o / (ratio - 1.0), v_o
        for _ in range(200):
            middle = 0.5 * (low + high)
            below = (ratio - 1.0) * middle - r_o
            reached = math.inf if below <= 0 else root * r_u * (middle + r_o) / below - middle / root
            low, high = (middle, high) if reached > wanted else (low, middle)
        return high

    def _first_speed(self) -> float:
        """The arc length per second of one decay where the centeredness has just fallen to the margin, by bisection."""
        (v_a, v_b), product = self.virtual, (self.real[0] + self.virtual[0]) * (self.real[1] + self.virtual[1])
        low, high = 0.0, product / v_b
        for _ in range(200):
            r_a = 0.5 * (low + high)
            r_b = product / (r_a + v_a) - v_b
            low, high = (r_a, high) if r_b * v_a > self.margin * r_a * v_b else (low, r_a)
        pool = Pool([r_a, r_b], [v_a, v_b], 1.0, self.exponent, self.seconds)
        price = (r_b + v_b) / (r_a + v_a)
        pool.move_range(price)
        z = [math.sqrt(price) * a - b / math.sqrt(price) for a, b in ((v_a, v_b), pool.virtual)]
        return abs(z[1] - z[0]) / (2.0 * math.sqrt(r_a + v_a)) / self.seconds

    def swap(self, into: int, amount_in: float | None, amount_out: float | None) -> tuple[float, float]:
        """Amounts in and out of an exogenous swap; zeros if the pool does not hold what is to go out."""
        out, gamma = 1 - into, 1.0 - self.swap_fee
        held_in, held_out = (self.real[side] + self.virtual[side] for side in (into, out))
        if amount_in is not None:
            amount_out = held_out - held_in * held_out / (held_in + gamma * amount_in)
        else:
            assert amount_out is not None
            amount_in = (held_in * held_out / (held_out - amount_out) - held_in) / gamma
        if amount_out > self.real[out]:
            return 0.0, 0.0
        self.real[into] += amount_in * (1.0 - self.swap_fee * self.protocol_fee_split)
        self.real[out] -= amount_out
        return amount_in, amount_out

    def arbitrage(self, prices: list[float]) -> float:
        effective = [real + virtual for real, virtual in zip(self.real, self.virtual, strict=True)]
        width = -math.log(1.0 - self.swap_fee) + math.log((1 + self.arb_fee / 2) / (1 - self.arb_fee / 2))
        levels = [math.log(held * price) for held, price in zip(effective, prices, strict=True)]
        out, into = (0, 1) if levels[0] > levels[1] else (1, 0)
        excess = levels[out] - levels[into] - width
        if excess <= 0.0:
            return 0.0
        move, drained = excess / 2.0, False
        if effective[out] * math.exp(-move) <= self.virtual[out]:
            move, drained = math.log(effective[out] / self.virtual[out]), True
        taken = self.real[out] if drained else -effective[out] * math.expm1(-move)
        brought = effective[into] * math.expm1(move) / (1.0 - self.swap_fee)
        received, paid = taken * prices[out], brought * prices[into]
        if self.gas_cost > 0.0 and received - paid - 0.5 * self.arb_fee * (received + paid) < self.gas_cost:
            return 0.0
        self.real[out] -= taken
        self.real[into] += brought * (1.0 - self.swap_fee * self.protocol_fee_split)
        kept = self.swap_fee * (1.0 - self.protocol_fee_split) * paid
        noise = self.noise_trader_ratio * kept
        value = sum(real * price for real, price in zip(self.real, prices, strict=True))
        self.real = [real * (1.0 + noise / value) for real in self.real]
        return kept + noise


def centred(value: float, prices: np.ndarray, price_ratio: float) -> tuple[list[float], list[float]]:
    """The balances that a pool of a value starts with: the steps of the contract, one after the other."""
    price = prices[0] / prices[1]
    low, root = price / math.sqrt(price_ratio), math.sqrt(price_ratio)
    virtual_a = 1.0 / (root - 1.0)
    virtual_b = low * (virtual_a + 1.0)
    real_b = math.sqrt(price * virtual_b * (1.0 + virtual_a)) - virtual_b
    real_a = (real_b + virtual_b - virtual_a * price) / price
    scale = value / (real_a * prices[0] + real_b * prices[1])
    return [real_a * scale, real_b * scale], [virtual_a * scale, virtual_b * scale]


def run(pool: Pool, prices: np.ndarray, frequency: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Real and virtual balances at every bar, (T, 4), and the fees that stay in the pool at each, (T,)."""
    rows, fees = [], []
    for bar, (price_a, price_b) in enumerate(prices):
        fees.append(pool.visit(price_a, price_b) if bar % frequency == 0 else 0.0)
        rows.append([*pool.real, *pool.virtual])
    return np.array(rows), np.array(fees)
