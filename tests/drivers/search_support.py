"""A cheap evaluator and experiment for the tests of the search; importable by worker processes."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from quantsim import CheckpointStore, Experiment, Prices
from quantsim.checkpoints import Baseline
from quantsim.drivers.search import run_search
from quantsim.simulator import Evaluation

TOKENS = ("ETH", "BTC")


def make_experiment(**tables: Any) -> Experiment:
    values: dict[str, Any] = {
        "name": "probe",
        "seed": 7,
        "data": {"tokens": list(TOKENS)},
        "periods": {
            "train_start": "2024-01-02T00:00:00Z",
            "train_end": "2024-01-05T00:00:00Z",
            "validation_end": "2024-01-08T00:00:00Z",
        },
        "pool": {"rule": "momentum"},
        "search": {"trials": 12, "n_startup_trials": 4},
    }
    for name, table in tables.items():
        values[name] = {**values.get(name, {}), **table} if isinstance(table, dict) else table
    return Experiment.from_dict(values)


def make_prices(scale: float = 1.0) -> Prices:
    days = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[D]")
    return Prices.from_arrays(days, scale * (1.0 + np.arange(16.0).reshape(8, 2)), TOKENS)


class Fake:
    """A smooth objective with its maximum at a memory of 1 day and k of 16 per day in raw units, and no cost."""

    sets_per_call = 1

    def __init__(self, experiment: Experiment, prices: Prices, series: Mapping[str, Any] | None = None) -> None:
        self.experiment, self.data_id, self.notes = experiment, prices.identity, {"warm_up_days": 1.0}
        self.calls = 0

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        self.calls += 1
        value = np.float32(-np.square(params["logit_lamb"]).sum() - np.square(params["log_k"] - 4.0).sum())
        metrics = {name: value + index for index, name in enumerate(self.experiment.objective.report)}
        return {"train": metrics, "validation": {name: metric - 1 for name, metric in metrics.items()}}

    def evaluate_sets(self, sets: Mapping[str, Any]) -> Evaluation:
        """The same, for the rows of ``sets``; as a compiled program would, for all of them. Two returns tell sets apart."""
        rows = [dict(zip(sets, row, strict=True)) for row in zip(*sets.values(), strict=True)]
        found = [self.evaluate(row) for row in rows]
        metrics = {
            split: {name: np.array([each[split][name] for each in found]) for name in table}
            for split, table in found[0].items()
        }
        returns = np.array([[row["log_k"].sum(), row["logit_lamb"].sum()] for row in rows])
        return Evaluation(metrics, {split: returns + place for place, split in enumerate(metrics)})

    def baselines(self, width: int) -> dict[str, Baseline]:
        return {"hodl": Baseline("hodl", {"train": {"returns": 0.25}}, {"train": np.array([width, 2.0])})}


class SlowFake(Fake):
    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        time.sleep(0.02)
        return super().evaluate(params)


class FailingOften(Fake):
    """Raises at every third call, and is not finite at every fourth."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        metrics = super().evaluate(params)
        if self.calls % 3 == 0:
            raise ArithmeticError("the pool ran dry")
        if self.calls % 4 == 0:
            metrics["train"][self.experiment.objective.metric] = math.nan
        return metrics


class FailingAlways(Fake):
    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        raise ArithmeticError("the pool ran dry")


class Interrupted(Fake):
    """The user presses Ctrl-C in the sixth trial."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        if self.calls == 5:
            raise KeyboardInterrupt
        return super().evaluate(params)


class OneIsKilled(SlowFake):
    """Of all processes, the first that comes to its third trial is killed in it; a file that the environment names says so."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        if self.calls == 2:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(os.environ["ONE_IS_KILLED"], os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(params)


class DeadlySet(Fake):
    """Its process is killed by every set whose k is 0.5, unless it is that of the tests."""

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        if abs(params["log_k"][0] + 1.0) < 1e-9 and os.getpid() != int(os.environ["TESTS_PROCESS"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(params)


def main() -> None:
    """A whole search in a process that a test may kill: folder, storage, study."""
    folder, storage, name = sys.argv[1:]
    with CheckpointStore(f"{folder}/checkpoints.db") as store:
        run_search(
            make_experiment(),
            make_prices(),
            store,
            storage=storage,
            study_name=name,
            jobs=2,
            trials=400,
            make_evaluator=SlowFake,
            progress=lambda event: print(event.finished, flush=True),
        )


if __name__ == "__main__":
    main()
