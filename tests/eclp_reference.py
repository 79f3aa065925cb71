"""An E-CLP in plain Python, visit by visit, with 40 digits, written from the definitions: what the fast passes must equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import numpy as np

Number = Decimal
Pair = tuple[Decimal, Decimal]

DIGITS = 40  # the invariant is solved for anew after every trade, which loses half of them


def rotation(parameters: Mapping[str, float]) -> Pair:
    """Cosine and sine of the angle with this tangent."""
    tangent = Decimal(parameters["tan_phi"])
    cosine = 1 / (1 + tangent * tangent).sqrt()
    return cosine, tangent * cosine


@dataclass
class Ellipse:
    """``A``, ``χ``, and balances of an invariant of 1."""

    low: Decimal
    high: Decimal
    c: Decimal
    s: Decimal
    lam: Decimal
    chi: Pair = field(init=False)

    def __post_init__(self) -> None:
        self.chi = self.inverse(self.tau(self.high))[0], self.inverse(self.tau(self.low))[1]
        self.a_chi = self.times(self.chi)
        self.k = self.a_chi[0] ** 2 + self.a_chi[1] ** 2

    def times(self, pair: Pair) -> Pair:
        return (self.c * pair[0] - self.s * pair[1]) / self.lam, self.s * pair[0] + self.c * pair[1]

    def inverse(self, pair: Pair) -> Pair:
        return self.c * self.lam * pair[0] + self.s * pair[1], self.c * pair[1] - self.s * self.lam * pair[0]

    def tau(self, price: Decimal) -> Pair:
        q = self.times((Decimal(-1), price))
        zeta = -q[1] / q[0]
        norm = (1 + zeta * zeta).sqrt()
        return zeta / norm, 1 / norm

    def balances(self, price: Decimal) -> Pair:
        there = self.inverse(self.tau(min(max(price, self.low), self.high)))
        return self.chi[0] - there[0], self.chi[1] - there[1]

    def invariant(self, t: Pair) -> Decimal:
        at = self.times(t)
        d = at[0] * self.a_chi[0] + at[1] * self.a_chi[1]
        return (d + (d * d - (self.k - 1) * (at[0] ** 2 + at[1] ** 2)).sqrt()) / (self.k - 1)

    def price(self, t: Pair, r: Decimal) -> Decimal:
        here = self.times((t[0] - r * self.chi[0], t[1] - r * self.chi[1]))
        g = here[0] / here[1]
        return (g * self.c / self.lam + self.s) / (self.c - g * self.s / self.lam)


@dataclass
class Pool:
    """A pool and its costs."""

    ellipse: Ellipse
    t: Pair
    swap_fee: Decimal = Decimal(0)
    arb_fee: Decimal = Decimal(0)
    gas_cost: Decimal = Decimal(0)
    noise_trader_ratio: Decimal = Decimal(0)
    protocol_fee_split: Decimal = Decimal(0)

    def visit(self, prices: Pair) -> Decimal:
        """Arbitrageurs trade at these prices; returns the fees that stay in the pool."""
        curve, r = self.ellipse, self.ellipse.invariant(self.t)
        market, quote, gamma, half = prices[0] / prices[1], curve.price(self.t, r), 1 - self.swap_fee, self.arb_fee / 2
        edge = (1 + half) / (1 - half) / gamma
        if quote > market * edge:
            into, target = 0, market * edge
        elif quote < market / edge:
            into, target = 1, market / edge
        else:
            return Decimal(0)
        t = [r * one for one in curve.balances(target)]
        effective, taken = t[into] - self.t[into], self.t[1 - into] - t[1 - into]
        if effective <= Decimal(10) ** -25 * self.t[into]:  # at the edge of the range already
            return Decimal(0)
        paid, received = effective / gamma * prices[into], taken * prices[1 - into]
        if self.gas_cost > 0 and received - paid - half * (received + paid) < self.gas_cost:
            return Decimal(0)
        t[into] = self.t[into] + effective / gamma * (1 - self.swap_fee * self.protocol_fee_split)
        kept = self.swap_fee * (1 - self.protocol_fee_split) * paid
        noise = self.noise_trader_ratio * kept
        growth = 1 + noise / (t[0] * prices[0] + t[1] * prices[1])
        self.t = t[0] * growth, t[1] * growth
        return kept + noise


def run(
    parameters: Mapping[str, float], prices: np.ndarray, value: float, frequency: int = 1, **costs: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Balances at every bar, (T, 2), the fees that stay in the pool at each, (T,), and the invariants, (T,)."""
    with localcontext() as context:
        context.prec = DIGITS
        low, high, lam = (Decimal(parameters[name]) for name in ("alpha", "beta", "lam"))
        ellipse = Ellipse(low, high, *rotation(parameters), lam)
        rows: list[Pair] = [(Decimal(float(a)), Decimal(float(b))) for a, b in prices]
        start = ellipse.balances(rows[0][0] / rows[0][1])
        scale = Decimal(value) / (start[0] * rows[0][0] + start[1] * rows[0][1])
        exact = {name: Decimal(repr(cost)) for name, cost in costs.items()}
        pool = Pool(ellipse, (start[0] * scale, start[1] * scale), **exact)
        balances, fees, invariants = [], [], []
        for bar, row in enumerate(rows):
            fees.append(float(pool.visit(row)) if bar and bar % frequency == 0 else 0.0)
            balances.append([float(one) for one in pool.t])
            invariants.append(float(ellipse.invariant(pool.t)) if bar in (0, len(rows) - 1) else 0.0)
    return np.array(balances), np.array(fees), np.array(invariants)
