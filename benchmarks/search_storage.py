"""What a trial costs in each study storage, without its evaluation: ``python benchmarks/search_storage.py``.

Six parameters, 27 metrics a trial, an evaluator that costs nothing. The storages take turns within each round, so that a busy
disk or machine meets all of them. Shown are the medians over all trials of the time per trial, what that is above the
sampler alone (a study in memory), and the ratio to the journal file. The next two lines are whole searches, with a copy of each
trial into the checkpoint store: mean time per trial, opening and closing included, median of the rounds. The last lines are
searches whose evaluations take 10 ms without the interpreter's lock, with 1, 2 and 4 jobs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from quantsim import CheckpointStore, Experiment, Prices
from quantsim.checkpoints import Baseline
from quantsim.drivers.search import run_search
from quantsim.drivers.search.asking import Asking
from quantsim.drivers.search.evaluation import MakeEvaluator
from quantsim.drivers.search.telling import Outcome, parameters_of, tell
from quantsim.search_space import load_search_space
from quantsim.simulator import Evaluation
from quantsim.storages.opened import opened_storage

EXPERIMENT = Experiment.from_dict(
    {
        "data": {"tokens": ["BTC", "ETH", "LTC"]},
        "periods": {"train_start": "2024-01-01T00:00:00Z", "train_end": "2024-02-01T00:00:00Z"},
        "pool": {"rule": "momentum"},
    }
)
PRICES = Prices.from_arrays(["2024-01-01", "2024-01-02"], np.ones((2, 3)), EXPERIMENT.data.tokens)
SPLITS = ("train", "validation", "test")
METRICS = EXPERIMENT.objective.report
EVALUATION_S = 0.01


class FreeEvaluator:
    """Answers at once."""

    notes: Mapping[str, Any] = {}
    sets_per_call = 1

    def __init__(self, experiment: Experiment, prices: Prices, series: Mapping[str, Any] | None = None) -> None:
        self.data_id = prices.identity

    def evaluate_sets(self, sets: Mapping[str, Any]) -> Evaluation:
        values = -sum(np.square(rows - 1.0).sum(axis=-1) for rows in sets.values())
        metrics = {split: {name: values + index for index, name in enumerate(METRICS)} for split in SPLITS}
        return Evaluation(metrics, {split: np.zeros((values.size, 30)) for split in SPLITS})

    def baselines(self, width: int) -> dict[str, Baseline]:
        return {}


@contextmanager
def optunas_journal(folder: Path) -> Iterator[BaseStorage]:
    yield JournalStorage(JournalFileBackend(str(folder / "optuna.log")))


@contextmanager
def sqlite_as_delivered(folder: Path) -> Iterator[BaseStorage]:
    storage = RDBStorage(f"sqlite:///{folder / 'plain.db'}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def in_memory(folder: Path) -> Iterator[BaseStorage]:
    yield InMemoryStorage()


STORAGES: dict[str, Callable[[Path], Any]] = {
    "in memory (sampler alone)": in_memory,
    "journal file": lambda folder: opened_storage(folder / "study.journal"),
    "journal file, Optuna's writer": optunas_journal,
    "SQLite, WAL": lambda folder: opened_storage(folder / "study.db"),
    "SQLite as delivered": sqlite_as_delivered,
}


def time_trials(opened: Callable[[Path], Any], n_trials: int, seconds: list[float]) -> None:
    space, evaluator = load_search_space(EXPERIMENT), FreeEvaluator(EXPERIMENT, PRICES)
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as storage:
        study = optuna.create_study(storage=storage, direction="maximize")
        asking = Asking(EXPERIMENT, space.distributions(), study)
        done = 0
        while done < n_trials:
            begun = time.perf_counter()
            asked = list(asking.batch(n_trials - done))
            for trial in asked:
                params = parameters_of(trial, EXPERIMENT, space)
                metrics = evaluator.evaluate_sets({name: values[None] for name, values in params.items()}).metrics_of(0)
                tell(study, EXPERIMENT, trial, Outcome(metrics))
            done += len(asked)
            seconds += [(time.perf_counter() - begun) / len(asked)] * len(asked)


class SleepingEvaluator(FreeEvaluator):
    """Answers after a while, without the interpreter's lock."""

    def evaluate_sets(self, sets: Mapping[str, Any]) -> Evaluation:
        time.sleep(EVALUATION_S)
        return super().evaluate_sets(sets)


def time_search(suffix: str, n_trials: int, evaluator: MakeEvaluator = FreeEvaluator, jobs: int = 1) -> float:
    with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
        begun = time.perf_counter()
        run_search(
            EXPERIMENT,
            PRICES,
            store,
            storage=Path(folder) / f"study{suffix}",
            trials=n_trials,
            jobs=jobs,
            make_evaluator=evaluator,
        )
        return (time.perf_counter() - begun) / n_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="trials per storage and round (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    times: dict[str, list[float]] = {name: [] for name in STORAGES}
    searches: dict[str, list[float]] = {".journal": [], ".db": []}
    spread: dict[int, list[float]] = {1: [], 2: [], 4: []}
    for _ in range(arguments.rounds):
        for name, opened in STORAGES.items():
            time_trials(opened, arguments.trials, times[name])
        for suffix, measured in searches.items():
            measured.append(time_search(suffix, arguments.trials))
        for jobs, measured in spread.items():
            measured.append(time_search(".journal", arguments.trials, SleepingEvaluator, jobs))
    medians = {name: 1e3 * statistics.median(measured) for name, measured in times.items()}
    memory, journal = medians["in memory (sampler alone)"], medians["journal file"]
    print(f"{'storage':38}{'ms/trial':>10}{'above':>10}{'ratio':>8}")
    for name, median in medians.items():
        print(f"{name:38}{median:10.2f}{median - memory:10.2f}{median / journal:8.2f}")
    for suffix, measured in searches.items():
        mean = 1e3 * statistics.median(measured)
        print(f"{'search with store, study in ' + suffix:38}{mean:10.2f}{mean - memory:10.2f}{mean / journal:8.2f}")
    for jobs, measured in spread.items():
        print(
            f"evaluations of {1e3 * EVALUATION_S:g} ms, {jobs} jobs: {1 / statistics.median(measured):.0f} trials per second"
        )


if __name__ == "__main__":
    main()
