"""What a trial costs on a Dask cluster beside its evaluation, and how many workers the driver of a search can feed.

    python benchmarks/cluster.py [--workers 1 2 4] [--trials 200] [--rounds 3] [--batch 8]

The same search of ``momentum_zero_fee``, whose evaluation takes a millisecond, runs in a thread and on local Dask clusters, in
turns. Its first trials, which start and compile, are not counted. The processor seconds of the driver's process are what it
cannot share: asking the sampler, telling the study, the store, and on Dask the client and the scheduler. Then the driver
alone, with an evaluator that answers at once and a journal file: asking (TPE), telling, and the rest, most of which is the
store. The last table shows the trials a second that the driver allows on many workers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import quantsim

STUDY = "momentum_zero_fee"
FIRST = 40
"""Trials before those that are counted."""
HERE = "this process, one thread"
EVALUATIONS_S = (0.02, 0.1, 1.0)


def per_trial(
    study: quantsim.Experiment, prices: quantsim.Prices, n_trials: int, **arguments: Any
) -> tuple[float, float]:
    """Seconds of a trial of a search after its first ones: those that pass, and those of the processor in this process."""
    from quantsim.drivers.search import run_search

    marks: list[tuple[int, float, float]] = []

    def progress(found: Any) -> None:
        if found.finished >= FIRST:
            marks.append((found.finished, time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder, quantsim.CheckpointStore(Path(folder) / "checkpoints.db") as store:
        run_search(study, prices, store, trials=FIRST + n_trials, progress=progress, **arguments)
    first, last = marks[0], marks[-1]
    return (last[1] - first[1]) / (last[0] - first[0]), (last[2] - first[2]) / (last[0] - first[0])


@contextmanager
def dask(n_workers: int) -> Iterator[dict[str, Any]]:
    """A cluster of processes on this machine, as arguments of a search."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=40
    ) as cluster:
        yield {"backend": "dask", "address": cluster.scheduler_address.removeprefix("tcp://")}


def driver_costs(n_trials: int) -> dict[str, float]:
    """Processor seconds of a trial for asking, telling, and all of a search without evaluation, after the first trials."""
    import optuna
    from search_storage import EXPERIMENT, METRICS, PRICES, SPLITS, FreeEvaluator

    from quantsim.drivers.search.asking import Asking
    from quantsim.drivers.search.telling import Outcome, tell
    from quantsim.search_space import load_search_space
    from quantsim.storages.opened import opened_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked, told = [], []
    with tempfile.TemporaryDirectory() as folder, opened_storage(Path(folder) / "study.journal") as storage:
        study = optuna.create_study(storage=storage, direction="maximize")
        asking = Asking(EXPERIMENT, load_search_space(EXPERIMENT).distributions(), study)
        while len(told) < FIRST + n_trials:
            begun = time.process_time()
            trials = list(asking.batch(FIRST + n_trials - len(told)))
            asked += [(time.process_time() - begun) / len(trials)] * len(trials)
            for trial in trials:
                metrics = dict.fromkeys(METRICS, -sum(value**2 for value in trial.params.values()))
                begun = time.process_time()
                tell(study, EXPERIMENT, trial, Outcome(dict.fromkeys(SPLITS, metrics)))
                told.append(time.process_time() - begun)
    _, whole = per_trial(EXPERIMENT, PRICES, n_trials, make_evaluator=FreeEvaluator)
    ask, tell_ = statistics.fmean(asked[FIRST:]), statistics.fmean(told[FIRST:])
    return {"ask": ask, "tell": tell_, "store and the rest": whole - ask - tell_, "driver": whole}


def trials_a_second(driver: float, evaluation: float, n_workers: int, batch: int) -> float:
    """Trials a second of a search on many workers.

    A batch is asked for and told one trial after the other, and evaluated at the same time, in rounds of at most ``n_workers``
    trials.

    Args:
        driver: seconds of the driver for a trial.
        evaluation: seconds of an evaluation.
        n_workers: number of workers.
        batch: trials of a batch.
    """
    rounds = -(-batch // n_workers)
    return batch / (batch * driver + rounds * evaluation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--trials", type=int, default=200, help="trials that are counted (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--batch", type=int, default=8, help="trials of a batch (default: 8)")
    options = parser.parse_args()
    quantsim.prepare_environment()
    study = quantsim.Experiment.load(STUDY, [f"search.batch={options.batch}"])
    prices = study.load_prices()
    on: dict[str, list[tuple[float, float]]] = {}
    costs: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        on.setdefault(HERE, []).append(per_trial(study, prices, options.trials, jobs=1))
        for n_workers in options.workers:
            with dask(n_workers) as arguments:
                found = per_trial(study, prices, options.trials, **arguments)
                on.setdefault(f"Dask, workers: {n_workers}", []).append(found)
        for name, seconds in driver_costs(options.trials).items():
            costs.setdefault(name, []).append(seconds)
    console = Console()
    table = Table(
        "evaluation in", "ms a trial", "processor ms of the driver", title=f"{STUDY}, batches of {options.batch}"
    )
    medians = {name: [statistics.median(column) for column in zip(*times, strict=True)] for name, times in on.items()}
    for name, (wall, processor) in medians.items():
        table.add_row(name, f"{1e3 * wall:.2f}", f"{1e3 * processor:.2f}")
    console.print(table)
    parts = Table("driver, without evaluation", "processor ms a trial")
    for name, times in costs.items():
        parts.add_row(name, f"{1e3 * statistics.median(times):.2f}")
    console.print(parts)
    driver = max(processor for name, (_, processor) in medians.items() if name != HERE or len(medians) == 1)
    bound = Table(
        "evaluation, s", "workers", "batch", "trials a second", title=f"{1e3 * driver:.1f} ms of the driver a trial"
    )
    for evaluation in EVALUATIONS_S:
        for n_workers, batch in ((1, 8), (8, 8), (100, 8), (100, 100), (100, 400)):
            reached = trials_a_second(driver, evaluation, n_workers, batch)
            bound.add_row(f"{evaluation:g}", str(n_workers), str(batch), f"{reached:.0f}")
    console.print(bound)


if __name__ == "__main__":
    main()
