"""Times every rule, and a grid of 256 parameter sets in one call, on 151 days of minute bars, daily chunks.

    python benchmarks/rules.py [--prices FOLDER] [--tokens N] [--repeats N]

As in simulator.py, whose prices these are, every figure is the median of repeated calls of a compiled program, in
milliseconds; the ratio is to momentum in the same run. CoW pools have no zero-fee closed form: their row without fees is that
of their own pass.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import numpy as np
from rich.console import Console
from rich.table import Table
from simulator import FEE, Case, make_evaluator, make_prices, median_ms

from quantsim import Evaluator, Prices
from quantsim.rules import get_rule, rule_names

SIDE = 16  # of the grid
COLUMNS = ("zero fee, value", "zero fee, gradient", "fees, value", "fees, gradient")


def row_of(rule: str, prices: Prices, repeats: int) -> list[float]:
    """Medians in ms, in the order of ``COLUMNS``."""
    found = []
    for fee in (0.0, FEE):
        case = Case(make_evaluator(prices, fee, rule), 1)
        few = repeats if fee == 0.0 else max(3, repeats // 8)
        found += [median_ms(case.value, few), median_ms(case.gradient, few)]
    return found


def grid_ms(evaluator: Evaluator, repeats: int) -> float:
    """Median time, in ms, of the metric of all sets of a grid of memories and aggressiveness."""
    memory, k = np.meshgrid(np.geomspace(2.0, 100.0, SIDE), np.geomspace(1.0, 100.0, SIDE))
    experiment = evaluator.experiment
    raw = [
        experiment.initial_parameters({"memory_days": float(one), "k_per_day": float(other)})
        for one, other in zip(memory.ravel(), k.ravel(), strict=True)
    ]
    sets = {name: np.stack([row[name] for row in raw]) for name in raw[0]}
    return median_ms(lambda: evaluator.evaluate_many(sets, ["daily_log_sharpe"]), repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, help="folder of 1-minute closes, one file per token")
    parser.add_argument("--tokens", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    with jax.enable_x64(True):
        prices, n_real = make_prices(arguments.tokens, arguments.prices)
        first = row_of("momentum", prices, arguments.repeats)
        table = Table("rule", *(f"{column}, ms" for column in COLUMNS), "ratios to momentum")
        for rule in rule_names():
            if get_rule(rule).needs_oracle:
                continue  # its time is that of its series, and of a rule that outputs weights
            found = first if rule == "momentum" else row_of(rule, prices, arguments.repeats)
            ratios = " ".join(f"{mine / its:.2f}" for mine, its in zip(found, first, strict=True))
            table.add_row(rule, *(f"{figure:.2f}" for figure in found), ratios)
        print(f"{arguments.tokens} tokens, {n_real} of them real")
        Console(width=140).print(table)
        batch = Table("one call", "sets", "median ms", "ms per set")
        for name, fee, repeats in (("zero fee", 0.0, arguments.repeats), ("fees", FEE, 3)):
            taken = grid_ms(make_evaluator(prices, fee), repeats)
            batch.add_row(name, str(SIDE**2), f"{taken:.1f}", f"{taken / SIDE**2:.3f}")
        Console(width=140).print(batch)


if __name__ == "__main__":
    main()
