"""What the table times: one function for each piece of work, by name. ``worker.py`` runs them.

``python benchmarks/table.py`` says what each of them is compared with.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inputs
import numpy as np
from inputs import FEE, STUDY

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, load_prices
from quantsim.drivers.search import run_search
from quantsim.drivers.search.asking import call_width
from quantsim.drivers.search.engines import Threads
from quantsim.drivers.search.evaluation import Call
from quantsim.drivers.sgd.step import init
from quantsim.drivers.sgd.training import Training
from quantsim.search_space import load_search_space
from quantsim.simulator.grid import Axis, evaluate_grid

COMMAND = "from quantsim.commands import main; main()"


@dataclass(frozen=True)
class Workload:
    """A piece of work.

    Attributes:
        call: does it.
        units: a time is divided by it: number of parameter sets, trials or steps.
        cold: whether it is a whole process, which needs no warm-up.
    """

    call: Callable[[], Any]
    units: int = 1
    cold: bool = False


class Workloads:
    """Makes pieces of work, on the prices of a folder that :func:`inputs.price_folder` has filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def make(self, name: str) -> Workload:
        """Returns the piece of work of a name: that of a method and its arguments, such as ``evaluate 2``."""
        kind, *arguments = name.split()
        make: Callable[..., Workload] = getattr(self, f"_{kind}")
        return make(*arguments)

    @functools.cache  # noqa: B019 - one object for each process
    def _splits_evaluator(self, n_tokens: str) -> Evaluator:
        return Evaluator(inputs.splits_study(self.folder, int(n_tokens)))

    @functools.cache  # noqa: B019
    def _months_prices(self, n_tokens: str) -> Prices:
        return load_prices(inputs.TOKENS[: int(n_tokens)], str(self.folder))

    @functools.cache  # noqa: B019
    def _months_evaluator(self, n_tokens: str, fee: float) -> Evaluator:
        study = inputs.months_study(self.folder, int(n_tokens), fee)
        return Evaluator(study, self._months_prices(n_tokens))

    @functools.cache  # noqa: B019
    def _programs(self, n_tokens: str, fee: float, n_sets: int) -> inputs.Programs:
        return inputs.Programs(self._months_evaluator(n_tokens, fee), n_sets)

    def _loop(self, bars: str, n_tokens: str) -> Workload:
        evaluator = self._splits_evaluator(n_tokens) if bars == "splits" else self._months_evaluator(n_tokens, FEE)
        loops = inputs.plain_loops(evaluator)
        return Workload(lambda: [loop.call() for loop in loops])

    def _evaluate(self, n_tokens: str) -> Workload:
        evaluator = self._splits_evaluator(n_tokens)
        params = evaluator.experiment.initial_parameters()
        return Workload(lambda: evaluator.evaluate(params))

    def _evaluate_many(self, n_tokens: str) -> Workload:
        evaluator = self._splits_evaluator(n_tokens)
        sets = inputs.spread_sets(evaluator.experiment, 8)
        return Workload(lambda: evaluator.evaluate_many(sets), units=8)

    def _forward(self, n_tokens: str) -> Workload:
        return Workload(self._programs(n_tokens, FEE, 1).value)

    def _gradient(self, n_tokens: str) -> Workload:
        return Workload(self._programs(n_tokens, FEE, 1).gradient)

    def _free_gradient(self, n_tokens: str, n_sets: str) -> Workload:
        return Workload(self._programs(n_tokens, 0.0, int(n_sets)).gradient)

    def _grid(self) -> Workload:
        evaluator = self._splits_evaluator("2")
        axes = [Axis("memory_days", 5.0, 60.0, 4, log=True), Axis("k_per_day", 1.0, 50.0, 4, log=True)]
        prices = load_prices(inputs.TOKENS[:2], str(self.folder))
        return Workload(lambda: evaluate_grid(evaluator.experiment, axes, prices), units=16)

    def _batch(self) -> Workload:
        """The evaluation of a batch of a search, with a thread for each core."""
        evaluator = self._splits_evaluator("2")
        search = evaluator.experiment.search
        rows = inputs.spread_sets(evaluator.experiment, search.batch)
        sets = [{name: values[index] for name, values in rows.items()} for index in range(search.batch)]
        n_dimensions = len(load_search_space(evaluator.experiment).distributions())
        width = call_width(search, n_dimensions, evaluator.sets_per_call)
        calls = [Call(tuple(sets[first : first + width]), width) for first in range(0, len(sets), width)]
        engine = Threads(evaluator, self.n_cores)
        return Workload(lambda: list(engine.map(calls)), units=len(sets))

    def _search(self, jobs: str) -> Workload:
        """A whole search, with study and checkpoint store, whose programs are compiled."""
        evaluator, n_trials = self._splits_evaluator("2"), 200

        def make(_experiment: Experiment, _prices: Prices, _series: Mapping[str, Any] | None) -> Evaluator:
            return evaluator

        def run() -> None:
            with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
                run_search(
                    evaluator.experiment,
                    evaluator.prices,
                    store,
                    trials=n_trials,
                    jobs=int(jobs),
                    make_evaluator=make,
                )

        return Workload(run, units=n_trials)

    def _step(self, n_tokens: str, chunk_minutes: str) -> Workload:
        """Steps of a training without fees: 4 sets, 8 windows."""
        tables = {
            "update": {"chunk_minutes": int(chunk_minutes)},
            "objective": {"bout_offset_days": 30.0},
            "sgd": {"n_parameter_sets": 4, "batch_size": 8},
        }
        return self._training(n_tokens, 0.0, 10 if chunk_minutes == "60" else 100, tables)

    def _lanes(self) -> Workload:
        """Steps of a training with fees: 4 sets, 1 window."""
        return self._training("2", FEE, 5, {"sgd": {"n_parameter_sets": 4, "batch_size": 1}})

    def _training(self, n_tokens: str, fee: float, n_steps: int, tables: Mapping[str, Any]) -> Workload:
        study = inputs.months_study(self.folder, int(n_tokens), fee, **tables)
        training = Training(study, self._months_prices(n_tokens))
        state = init(training.program, training.initial)
        active = np.ones(training.n_sets, bool)
        return Workload(lambda: training.advance(state, active, n_steps), units=n_steps)

    def _optuna_process(self) -> Workload:
        return Workload(functools.partial(run_alone, ["optuna", "--trials", "200", "--quiet"]), cold=True)

    def _sgd_process(self) -> Workload:
        command = ["sgd", "--study", str(STUDY), "--set", f"data.source={self.folder}", "--steps", "51", "--quiet"]
        return Workload(functools.partial(run_alone, command), cold=True)

    def _process(self, command: str) -> Workload:
        """A command that reads a store with one run: ``--help``, ``select`` or ``runs``."""
        filled = Path(tempfile.mkdtemp(dir=self.folder.parent))
        run_in(filled, ["optuna", "--trials", "30", "--quiet"])
        return Workload(functools.partial(run_in, filled, command.split("_")), cold=True)


def run_alone(arguments: Iterable[str]) -> None:
    """Runs a command with an empty store and an empty cache of compiled programs."""
    with tempfile.TemporaryDirectory() as folder:
        run_in(Path(folder), arguments)


def run_in(folder: Path, arguments: Iterable[str]) -> None:
    """Runs a command with store and caches in a folder.

    Raises:
        RuntimeError: it fails.
    """
    kept = (name for name in os.environ if not name.startswith("JAX_") and name != "PYTHONDONTWRITEBYTECODE")
    environment = {name: os.environ[name] for name in kept}  # an installed package has its bytecode
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    command = [sys.executable, "-c", COMMAND, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise RuntimeError(f"quantsim {' '.join(arguments)}: {done.stderr[-500:]}")
