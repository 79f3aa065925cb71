"""The time of a walk-forward against the sum of its folds as single runs, and the programs that it compiles.

Run ``python benchmarks/walk_forward.py [--study momentum_fees] [--folds 6] [--repeats 3] [--drivers search sgd hybrid]``. A
single run ends with the selection of a set, as its command does. All programs are compiled before. Seconds are those of the
processor, which depend little on what else runs on the machine.
"""

from __future__ import annotations

import os

from quantsim.environment import xla_flags

os.environ.setdefault("XLA_FLAGS", xla_flags())
os.environ.setdefault("JAX_ENABLE_X64", "1")

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from quantsim import CheckpointStore, Experiment, Prices, load_prices
from quantsim.checkpoints.picking import pick
from quantsim.drivers.sgd.step import advance
from quantsim.out_of_sample import Schedule, run_walk_forward
from quantsim.out_of_sample.schedule import fold_experiment
from quantsim.out_of_sample.trainers import Resources, budgeted, train
from quantsim.simulator.evaluate import sample_splits


@contextmanager
def fresh_store() -> Iterator[CheckpointStore]:
    with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
        yield store


def folds_alone(driver: str, experiment: Experiment, prices: Prices, schedule: Schedule) -> float:
    """Seconds of the folds as single runs, each with a store of its own."""
    seconds = 0.0
    for fold in schedule.folds(experiment):
        with fresh_store() as store:
            begun = time.process_time()
            own = fold_experiment(budgeted(experiment, driver, None), fold)
            group = ("alone", fold.position)
            run_id = train(driver, own, prices, store, Resources(), group=group, progress=lambda *_: None)
            pick(store, study=own, run=run_id)
            seconds += time.process_time() - begun
    return seconds


def folds_together(driver: str, experiment: Experiment, prices: Prices, schedule: Schedule) -> float:
    """Seconds of the walk-forward."""
    with fresh_store() as store:
        begun = time.process_time()
        run_walk_forward(experiment, prices, store, schedule, trainer=driver)
        return time.process_time() - begun


def main() -> None:
    """Runs everything and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="momentum_fees")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--drivers", nargs="*", default=["search", "sgd", "hybrid"])
    options = parser.parse_args()
    experiment = Experiment.load(options.study, options.set)
    prices = load_prices(experiment.data.tokens, experiment.data.source, bar_minutes=experiment.data.bar_minutes)
    schedule = Schedule(n_folds=options.folds)
    table = Table("driver", "programs", "single runs, s", "walk-forward, s", "ratio")
    for driver in options.drivers:
        before = sample_splits._cache_size() + advance._cache_size()
        folds_together(driver, experiment, prices, schedule)  # compiles
        programs = sample_splits._cache_size() + advance._cache_size() - before
        pairs = np.array(
            [
                [step(driver, experiment, prices, schedule) for step in (folds_alone, folds_together)]
                for _ in range(options.repeats)
            ]
        )
        alone, together = np.median(pairs, axis=0)
        table.add_row(driver, str(programs), f"{alone:.1f}", f"{together:.1f}", f"{together / alone:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
