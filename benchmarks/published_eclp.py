"""How far the published way to simulate an E-CLP is from the exact one: the table of docs/published_pools.md.

    python benchmarks/published_eclp.py

The published way, that of quantammsim, is written here from its description: it solves for the invariant anew at every bar, in
double precision; with fees it takes the ratio of the balances for the price; outside the range it keeps the last balances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantsim import Experiment, simulate
from quantsim.simulator import Result

ELLIPSES = {
    "wide, weak": {"alpha": 0.015, "beta": 0.15, "tan_phi": 0.04, "lam": 3.0},
    "wide, strong": {"alpha": 0.015, "beta": 0.15, "tan_phi": 0.04, "lam": 300.0},
    "rotated away": {"alpha": 0.015, "beta": 0.15, "tan_phi": 25.0, "lam": 50.0},
    "left by the market": {"alpha": 0.03, "beta": 0.07, "tan_phi": 0.045, "lam": 10.0},
}
FEE = 0.003


@dataclass
class Published:
    """The published way."""

    alpha: float
    beta: float
    tan_phi: float
    lam: float

    def __post_init__(self) -> None:
        phi = math.atan(self.tan_phi)
        c, s = math.cos(phi), math.sin(phi)
        self.a = np.array([[c / self.lam, -s / self.lam], [s, c]])
        self.inverse = np.array([[c * self.lam, s], [-s * self.lam, c]])
        self.chi = np.array([(self.inverse @ self.tau(self.beta))[0], (self.inverse @ self.tau(self.alpha))[1]])

    def tau(self, price: float) -> np.ndarray:
        q = self.a @ np.array([-1.0, price])
        zeta = -q[1] / q[0]
        return np.array([zeta, 1.0]) / math.sqrt(1.0 + zeta * zeta)

    def balances(self, invariant: float, price: float) -> np.ndarray:
        return invariant * (self.chi - self.inverse @ self.tau(price))

    def invariant(self, held: np.ndarray) -> float:
        of_chi, of_held = self.a @ self.chi, self.a @ held
        d, k = float(of_held @ of_chi), float(of_chi @ of_chi)
        return (d + math.sqrt(max(d * d - (k - 1.0) * float(of_held @ of_held), 0.0))) / (k - 1.0)

    def step(self, held: np.ndarray, prices: np.ndarray, fee: float) -> np.ndarray:
        price, gamma, invariant = prices[0] / prices[1], 1.0 - fee, self.invariant(held)
        factor = np.ones(2)
        if fee:
            quote = held[1] / held[0] if held[0] > 0.0 else math.inf
            if quote <= price * gamma:
                price, factor = price * gamma, np.array([1.0, 1.0 / gamma])
            elif price / gamma <= quote:
                price, factor = price / gamma, np.array([1.0 / gamma, 1.0])
            else:
                return held
        trade = (self.balances(invariant, price) - held) * factor
        refused = (held + trade < 0.0).any() or (fee > 0.0 and -(trade @ prices) < 0.0)
        return held if refused else held + trade

    def run(self, prices: np.ndarray, value: float, fee: float) -> np.ndarray:
        """Values at every bar."""
        start = self.balances(1.0, min(max(prices[0, 0] / prices[0, 1], self.alpha), self.beta))
        held = start * value / (start @ prices[0])
        values = []
        for row in prices:
            held = self.step(held, row, fee)
            values.append(held @ row)
        return np.array(values)


def exact(own: dict[str, float], fee: float) -> Result:
    study = Experiment.load("eclp_fees").replace(parameters=own, fees={"swap_fee": fee})
    return simulate(study, split="train")


def main() -> None:
    print("| ellipse | outside its range | zero fee: off by | fee 0.3 %: return | published | off by |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, own in ELLIPSES.items():
        pool, cells = Published(**own), []
        for fee in (0.0, FEE):
            found = exact(own, fee)
            values = pool.run(found.prices, found.value[0], fee)
            off = np.abs(values / found.value - 1.0).max()
            if not fee:
                quotes = found.prices[:, 0] / found.prices[:, 1]
                cells += [f"{100 * np.mean((quotes < own['alpha']) | (quotes > own['beta'])):.0f} %", f"{off:.1g}"]
            else:
                ends = [f"{100 * (one[-1] / one[0] - 1):+.1f} %" for one in (found.value, values)]
                cells += [*ends, f"{100 * off:.2g} %"]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
