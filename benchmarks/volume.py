"""How well fits of elastic volume recover the truth, and how often their intervals hold it: the table of docs/volume.md.

    python benchmarks/volume.py [--histories N]

Histories are synthetic. Errors of log volume are AR(1), have Student's t with 5 degrees of freedom, and grow with volatility.
The pool's value is a random walk, and the fee changes a few times. The true coefficients are drawn from the priors of the fit.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantsim.volume.fit import PRIORS, VolumeFit, fit_volume

FEES = (0.003, 0.001, 0.005, 0.002, 0.004, 0.003)


@dataclass(frozen=True)
class Case:
    """Histories of one kind.

    Attributes:
        days: length.
        correlation: AR(1) coefficient of the errors.
        deviation: standard deviation of the errors.
        changes: number of changes of the fee, at most 5.
        missing: share of days that are missing.
        zero: share of days without volume.
    """

    days: int = 365
    correlation: float = 0.6
    deviation: float = 0.5
    changes: int = 5
    missing: float = 0.0
    zero: float = 0.0


CASES = {
    "a year": Case(),
    "independent errors": Case(correlation=0.0),
    "strong correlation": Case(correlation=0.8),
    "90 days": Case(days=90, changes=2),
    "large errors": Case(deviation=1.0),
    "missing and empty days": Case(missing=0.1, zero=0.05),
    "the fee never changes": Case(changes=0),
}

Truth = dict[str, float]


def truth(seed: int) -> Truth:
    """Coefficients at a fee of 0.003 and a volatility of 0.04, from the priors."""
    generator = np.random.default_rng([seed, 1])
    found = {"usd_per_day": float(2e5 * np.exp(0.5 * generator.standard_normal()))}
    for name, (mean, deviation) in PRIORS.items():
        low, high = (
            (-10.0, 10.0) if name == "volatility_elasticity" else (0.0, 1.5 if name == "tvl_elasticity" else 10.0)
        )
        draws = mean + deviation * generator.standard_normal(100)
        found[name] = float(draws[(draws > low) & (draws < high)][0])
    return found


def history(case: Case, known: Truth, seed: int) -> pd.DataFrame:
    """The table of one pool: time, volume_usd, tvl_usd, swap_fee, volatility, arbitrage_volume_usd."""
    generator, n = np.random.default_rng([seed, 2]), case.days
    tvl = 2e6 * np.exp(np.cumsum(0.03 * generator.standard_normal(n)))
    daily = 0.04 * np.exp(_ar(0.9 * np.ones(n), 0.2 * generator.standard_normal(n)))
    edges = np.sort(generator.choice(np.arange(15, n - 15), case.changes, replace=False))
    fee = np.asarray(FEES)[np.searchsorted(edges, np.arange(n), side="right")]
    before = np.concatenate([tvl[:1], tvl[:-1]])
    squares = np.concatenate([[0.0], np.cumsum(daily**2)])
    begins = np.maximum(np.arange(n) - 7, 0)
    past = np.sqrt((squares[:-1] - squares[begins]) / np.maximum(np.arange(n) - begins, 1))
    past[0] = 0.04
    size = case.deviation * np.sqrt(1.0 - case.correlation**2) * (past / np.mean(past)) ** 0.5
    shocks = size * generator.standard_t(5, n) / np.sqrt(5 / 3)
    shocks[0] /= np.sqrt(1.0 - case.correlation**2)
    log_volume = (
        np.log(known["usd_per_day"])
        + known["tvl_elasticity"] * np.log(before / 1e6)
        - known["fee_elasticity"] * (fee / 0.003 - 1.0)
        + known["volatility_elasticity"] * np.log(past / 0.04)
        + _ar(np.full(n, case.correlation), shocks)
    )
    volume = np.exp(log_volume) * (generator.random(n) >= case.zero)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2023-01-01", periods=n, freq="D"),
            "volume_usd": volume,
            "tvl_usd": tvl,
            "swap_fee": fee,
            "volatility": daily,
            "arbitrage_volume_usd": 0.0,
        }
    )
    return frame[generator.random(n) >= case.missing].reset_index(drop=True)


def _ar(kept: np.ndarray, shocks: np.ndarray) -> np.ndarray:
    found = np.zeros_like(shocks)
    for day, shock in enumerate(shocks):
        found[day] = shock + (kept[day] * found[day - 1] if day else 0.0)
    return found


def at_references(known: Truth, fit: VolumeFit) -> Truth:
    """The true elasticities at the references of a fit."""
    return {
        "tvl_elasticity": known["tvl_elasticity"],
        "fee_elasticity": known["fee_elasticity"] * fit.model.reference_fee / 0.003,
        "volatility_elasticity": known["volatility_elasticity"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=100, help="of each kind")
    n_histories = parser.parse_args().histories
    heads = ["histories", "days in leave-one-out intervals", *(f"`{name}`" for name in PRIORS), "fee identified"]
    print(f"| {' | '.join(heads)} |")
    print("|---|---|" + "---|" * len(PRIORS) + "---|")
    for title, case in CASES.items():
        covered, held, wide, identified = [], [], [], 0
        for seed in range(n_histories):
            known = truth(seed)
            fit = fit_volume(history(case, known, seed))
            covered.append(fit.coverage)
            wanted = at_references(known, fit)
            held.append(
                [fit.estimates[name].low <= value <= fit.estimates[name].high for name, value in wanted.items()]
            )
            wide.append([abs(fit.estimates[name].value - value) for name, value in wanted.items()])
            identified += fit.model.fee_is_identified
        low, high = 100 * np.quantile(covered, [0.05, 0.95])
        shares, errors = 100 * np.mean(held, axis=0), np.median(wide, axis=0)
        cells = [f"{share:.0f} %, ±{error:.2f}" for share, error in zip(shares, errors, strict=True)]
        days = f"{100 * np.mean(covered):.1f} % ({low:.0f} to {high:.0f})"
        print(f"| {title} | {days} | " + " | ".join(cells) + f" | {100 * identified / n_histories:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
