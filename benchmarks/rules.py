"""Times every rule, and a grid of 256 parameter sets in one call, on 151 days of minute bars, daily chunks.

    python benchmarks/rules.py [--prices FOLDER] [--tokens N] [--repeats N]

Every figure is the median of repeated calls of a compiled program, in milliseconds; the ratio is to momentum in the same run.
Prices are those of table.py. CoW pools have no zero-fee closed form: their row without fees is that of their own pass.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from timing import median_ms
from worker import price_files

import quantsim

if TYPE_CHECKING:
    from quantsim import Evaluator, Prices

COLUMNS = ("zero fee, value", "zero fee, gradient", "fees, value", "fees, gradient")
SIDE = 16  # of the grid


def row_of(rule: str, prices: Prices, folder: Path, repeats: int) -> list[float]:
    """Medians in ms, in the order of ``COLUMNS``."""
    from inputs import FEE, Programs, months_study

    found = []
    for fee in (0.0, FEE):
        study = months_study(folder, prices.n_tokens, fee, rule)
        programs = Programs(quantsim.Evaluator(study, prices), 1)
        few = repeats if fee == 0.0 else max(3, repeats // 8)
        found += [median_ms(programs.value, few), median_ms(programs.gradient, few)]
    return found


def grid_ms(evaluator: Evaluator, repeats: int) -> float:
    """Median time, in ms, of the metric of all sets of a grid of memories and aggressiveness."""
    from quantsim.simulator.grid import Axis, grid_sets

    axes = [Axis("memory_days", 2.0, 100.0, SIDE, log=True), Axis("k_per_day", 1.0, 100.0, SIDE, log=True)]
    sets = grid_sets(evaluator.experiment, axes)
    return median_ms(lambda: evaluator.evaluate_many(sets, ["daily_log_sharpe"]), repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, help="folder of 1-minute closes, one file per token")
    parser.add_argument("--tokens", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    quantsim.prepare_environment()
    from inputs import FEE, TOKENS, months_study

    from quantsim.rules import get_rule, rule_names

    console = Console(width=140)
    with price_files(arguments.prices) as folder:
        prices = quantsim.load_prices(TOKENS[: arguments.tokens], str(folder))
        first = row_of("momentum", prices, folder, arguments.repeats)
        table = Table("rule", *(f"{column}, ms" for column in COLUMNS), "ratios to momentum")
        for rule in rule_names():
            if get_rule(rule).needs_oracle:
                continue  # its time is that of its series, and of a rule that outputs weights
            found = first if rule == "momentum" else row_of(rule, prices, folder, arguments.repeats)
            ratios = " ".join(f"{mine / its:.2f}" for mine, its in zip(found, first, strict=True))
            table.add_row(rule, *(f"{figure:.2f}" for figure in found), ratios)
        console.print(table)
        batch = Table("one call", "sets", "median ms", "ms per set")
        for name, fee, repeats in (("zero fee", 0.0, arguments.repeats), ("fees", FEE, 3)):
            evaluator = quantsim.Evaluator(months_study(folder, arguments.tokens, fee), prices)
            taken = grid_ms(evaluator, repeats)
            batch.add_row(name, str(SIDE**2), f"{taken:.1f}", f"{taken / SIDE**2:.3f}")
        console.print(batch)


if __name__ == "__main__":
    main()
