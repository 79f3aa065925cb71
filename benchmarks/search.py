"""Best value found, against evaluations and against seconds: samplers, gradients and the hybrid driver on the same problems.

Run ``python benchmarks/search.py [--trials 200] [--seeds 3] [--plot FILE]``. Two bundled studies, without fees and with.
Every method starts from nothing, with its own seed; an evaluation is a trial, or one gradient step of one parameter set. What
is compared is the train value of the objective over the whole training period, as every row of the checkpoint store has it.
Seconds include the program's own work, not the first compilation, which all methods share.
"""

from __future__ import annotations

import os

from quantsim.environment import xla_flags

os.environ.setdefault("XLA_FLAGS", xla_flags())
os.environ.setdefault("JAX_ENABLE_X64", "1")

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from quantsim import CheckpointStore, Experiment, Prices, load_prices
from quantsim.config.locate import find_study
from quantsim.drivers.hybrid import run_hybrid
from quantsim.drivers.search import run_search
from quantsim.drivers.sgd import run_sgd

PROBLEMS = {"zero fee": "momentum_zero_fee", "fee 0.3 %": "momentum_fees"}
SAMPLERS = ("tpe", "cmaes", "nsga2", "qmc", "random")
MARKS = (0.25, 0.5, 1.0)

Trace = tuple[np.ndarray, np.ndarray, np.ndarray]
Method = Callable[[Experiment, Prices, CheckpointStore, int], object]


def searching(sampler: str) -> Method:
    def run(experiment: Experiment, prices: Prices, store: CheckpointStore, n: int) -> object:
        return run_search(experiment.override([f"search.sampler={sampler}"]), prices, store, trials=n)

    return run


def gradients(experiment: Experiment, prices: Prices, store: CheckpointStore, n: int) -> object:
    sets, reports = 4, 10
    steps = n // sets
    settings = {
        "sgd.steps": steps, "sgd.n_parameter_sets": sets, "sgd.batch_size": 1, "sgd.learning_rate": 0.1,
        "sgd.report_every": max(1, steps // reports), "objective.bout_offset_days": 0,
    }  # fmt: skip
    return run_sgd(experiment.override(f"{key}={value}" for key, value in settings.items()), prices, store)


def hybrid(experiment: Experiment, prices: Prices, store: CheckpointStore, n: int) -> object:
    trials, top = n // 2, 2
    steps = (n - trials) // (2 * top)
    settings = {
        "hybrid.rounds": 2, "hybrid.trials": trials // 2, "hybrid.top": top, "hybrid.steps": steps,
        "hybrid.min_gain": 0.0, "sgd.report_every": max(1, steps // 5), "sgd.learning_rate": 0.1,
    }  # fmt: skip
    return run_hybrid(experiment.override(f"{key}={value}" for key, value in settings.items()), prices, store)


METHODS: dict[str, Method] = {**{name: searching(name) for name in SAMPLERS}, "gradients": gradients, "hybrid": hybrid}


def trace(method: Method, experiment: Experiment, prices: Prices, n: int) -> Trace:
    """Evaluations, seconds and the best value so far, each (N,), row by row of the store."""
    with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
        begun = time.time()
        method(experiment, prices, store, n)
        rows = [row for run in store.find_runs() for row in store.checkpoints(run_id=run.run_id, metrics=())]
    rows.sort(key=lambda row: (row.created_at, row.step, row.parameter_set))
    count, last, costs = 0, {}, []
    for row in rows:
        if row.driver == "sgd":
            key = (row.run_id, row.parameter_set)
            count += row.step - last.get(key, 0)
            last[key] = row.step
        else:
            count += 1
        costs.append(count)
    values = np.array([-np.inf if row.objective is None else row.objective for row in rows])
    seconds = np.array([row.created_at.timestamp() - begun for row in rows])
    best = np.maximum.accumulate(np.where(np.isfinite(values), values, -np.inf))
    return np.array(costs), seconds, best


def best_at(found: Trace, evaluations: float) -> float:
    """The best value within a number of evaluations."""
    within = np.flatnonzero(found[0] <= evaluations)
    return float(found[2][within[-1]]) if within.size else float("nan")


def show(problem: str, found: dict[str, list[Trace]], n: int) -> Table:
    """Medians over the seeds, and the range of the last column."""
    marks = [round(share * n) for share in MARKS]
    table = Table("method", *(f"after {mark}" for mark in marks), "worst … best seed", "seconds", title=problem)
    for name, traces in found.items():
        columns = [np.array([best_at(each, mark) for each in traces]) for mark in marks]
        seconds = np.median([each[1][-1] for each in traces])
        last = columns[-1]
        cells = [f"{np.median(column):.4f}" for column in columns]
        table.add_row(name, *cells, f"{last.min():.4f} … {last.max():.4f}", f"{seconds:.1f}")
    return table


def plot(all_found: dict[str, dict[str, list[Trace]]], path: Path) -> None:
    """Best value against evaluations (left) and seconds (right), one line per method: the median seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6 * len(all_found)), layout="constrained")
    axes = figure.subplots(len(all_found), 2, squeeze=False, sharey="row")
    for row, (problem, found) in zip(axes, all_found.items(), strict=True):
        for name, traces in found.items():
            ranked = sorted(traces, key=lambda each: each[2][-1])
            evaluations, seconds, best = ranked[len(ranked) // 2]
            row[0].step(evaluations, best, where="post", label=name)
            row[1].step(seconds, best, where="post", label=name)
        final = [each[2][-1] for traces in found.values() for each in traces]
        row[0].set_ylim(min(final) - 0.6 * (max(final) - min(final)) - 0.02, max(final) + 0.02)
        row[0].set(title=problem, xlabel="evaluations", ylabel="best daily log Sharpe on train")
        row[1].set(title=problem, xlabel="seconds")
        row[1].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Runs everything and prints a table per problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    all_found: dict[str, dict[str, list[Trace]]] = {}
    for problem, study in PROBLEMS.items():
        base = Experiment.load(find_study(study))
        prices = load_prices(base.data.tokens, base.data.source)
        found = all_found.setdefault(problem, {name: [] for name in options.methods})
        for name in options.methods:
            trace(METHODS[name], base, prices, options.trials)  # compiles
            for seed in range(options.seeds):
                found[name].append(trace(METHODS[name], base.override([f"seed={seed}"]), prices, options.trials))
        Console().print(show(problem, found, options.trials))
    if options.plot:
        plot(all_found, options.plot)


if __name__ == "__main__":
    main()
