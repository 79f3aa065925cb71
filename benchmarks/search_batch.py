"""What a batch costs the sampler: ``python benchmarks/search_batch.py [--trials 200] [--seeds 10]``.

The trials of a batch are drawn before any of them is known, by TPE with a constant liar. Two bundled studies, without fees and
with, are searched with batches of 1, 4, 8 and 16. The table, in Markdown, has the best train value after half of the trials and
after all: the median over the seeds, and the quartiles.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from quantsim import CheckpointStore, Evaluator, Experiment, Prices
from quantsim.drivers.search import run_search

STUDIES = ("momentum_zero_fee", "momentum_fees")
BATCHES = (1, 4, 8, 16)


def best_values(experiment: Experiment, evaluator: Evaluator, n_trials: int) -> np.ndarray:
    """The best train value so far after each trial, (N,)."""

    def make(_experiment: Experiment, _prices: Prices, _series: Mapping[str, Any] | None) -> Evaluator:
        return evaluator  # seed and batch make no difference to it

    with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
        run = run_search(experiment, evaluator.prices, store, trials=n_trials, make_evaluator=make)
        values = np.full(n_trials, -np.inf)
        for row in store.checkpoints(run_id=run.run_id, metrics=()):
            values[row.step] = -np.inf if row.objective is None else row.objective
    return np.maximum.accumulate(values)


def cell(values: np.ndarray) -> str:
    """Median and quartiles of (S,) values."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{median:.4f} ({low:.4f} … {high:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="trials per study (default: 200)")
    parser.add_argument("--seeds", type=int, default=10, help="seeds per batch (default: 10)")
    arguments = parser.parse_args()
    marks = [arguments.trials // 2, arguments.trials]
    print(f"| study | batch | {' | '.join(f'best after {mark} trials' for mark in marks)} |")
    print("|---|---:|---|---|")
    for name in STUDIES:
        experiment = Experiment.load(name)
        evaluator = Evaluator(experiment, experiment.load_prices())
        for batch in BATCHES:
            settings = [[f"search.batch={batch}", f"seed={seed}"] for seed in range(arguments.seeds)]
            found = np.array([best_values(experiment.override(each), evaluator, arguments.trials) for each in settings])
            cells = " | ".join(cell(found[:, mark - 1]) for mark in marks)
            print(f"| `{name}` | {batch} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
