"""How often the statistics of results call noise significant, and planted trends: the tables of docs/statistics.md.

    python benchmarks/calibration.py FILE [--case NAME ...] [--studies N]   adds studies to FILE, one JSON line each
    python benchmarks/calibration.py FILE --table                           prints the tables in Markdown

A study is 384 days of training of the momentum rule, after 176 days of warm-up, on hourly prices of two synthetic tokens. The
daily log returns of constant weights with the same fees are subtracted. Trials are 100 random sets, or those of a whole search
by TPE. Each study is also judged where the null holds exactly: with the mean of every trial set to 0, and days
resampled in blocks. Studies that FILE has are not computed again, so a run that was interrupted goes on.
"""

from __future__ import annotations

import os

from quantsim.environment import xla_flags

os.environ.setdefault("XLA_FLAGS", xla_flags())
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are small

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, statistics
from quantsim.drivers.search import run_search
from quantsim.prices.synthetic import gbm, ou_trend

TOKENS = ["A", "B"]
PERIOD = {"start": "2020-01-01", "end": "2021-07-14"}
TRENDS = {"noise": 0.0, "weak": 0.0002, "strong": 0.0005}  # deviation of the drift, per hour
TRIALS = 100
LEVEL = 0.05
NULLS = 2  # resampled matrices per study


@dataclass(frozen=True)
class Case:
    """Studies of one kind.

    Attributes:
        prices: key of ``TRENDS``.
        fee: swap fee.
        searched: whether trials are those of a search; else they are random sets.
        studies: number of studies.
        objective: what the search maximises.
    """

    prices: str
    fee: float
    searched: bool
    studies: int
    objective: str = "daily_log_sharpe"


CASES = {
    "noise": Case("noise", 0.003, False, 400),
    "strong": Case("strong", 0.003, False, 200),
    "weak": Case("weak", 0.003, False, 200),
    "noise, TPE": Case("noise", 0.003, True, 60),
    "noise, TPE on skill": Case("noise", 0.003, True, 60, "information_ratio"),
    "noise, no fee": Case("noise", 0.0, False, 400),
    "strong, no fee": Case("strong", 0.0, False, 200),
    "weak, no fee": Case("weak", 0.0, False, 200),
    "noise, TPE, no fee": Case("noise", 0.0, True, 60),
}


def study(case: Case, seed: int, rule: str, parameters: Mapping[str, float]) -> Experiment:
    return Experiment.from_dict(
        {
            "seed": seed,
            "data": {"source": "synthetic:gbm", "tokens": TOKENS},
            "periods": {"train_start": date(2020, 6, 25), "train_end": date(2021, 7, 14)},
            "pool": {"rule": rule},
            "update": {"chunk_minutes": 1440, "maximum_change_per_minute": 3e-4, "max_memory_days": 180.0},
            "fees": {"swap_fee": case.fee},
            "parameters": parameters,
            "objective": {"metric": case.objective},
            "search": {"trials": TRIALS},
        }
    )


def prices_of(case: Case, seed: int) -> Prices:
    common = {"seed": seed, "volatility_per_hour": 0.008, **PERIOD}
    trend = TRENDS[case.prices]
    return ou_trend(TOKENS, trend_deviation_per_hour=trend, **common) if trend else gbm(TOKENS, **common)


def excess_of(case: Case, seed: int) -> np.ndarray:
    """Daily log returns of the trials of a study minus those of constant weights, (T, N)."""
    prices = prices_of(case, seed)
    momentum = study(case, seed, "momentum", {"memory_days": 20.0, "k_per_day": 20.0})
    evaluator = Evaluator(momentum, prices)
    returns = searched(momentum, evaluator) if case.searched else drawn(momentum, evaluator, seed)
    constant = study(case, seed, "balancer", {})
    benchmark = train_returns(Evaluator(constant, prices), [constant.initial_parameters({})])
    return (returns - benchmark).T


def train_returns(evaluator: Evaluator, sets: list[Mapping[str, Any]]) -> np.ndarray:
    stacked = {name: np.stack([one[name] for one in sets]) for name in sets[0]}
    return evaluator.evaluate_sets(stacked, ["daily_log_sharpe"]).daily_log_returns["train"]


def drawn(experiment: Experiment, evaluator: Evaluator, seed: int) -> np.ndarray:
    """Returns of random sets: for each token 1 to 200 days of memory and 0.1 to 1000 a day, log-uniform."""
    generator = np.random.default_rng(seed)
    memories = np.exp(generator.uniform(0.0, math.log(200.0), size=(TRIALS, len(TOKENS))))
    aggressiveness = np.exp(generator.uniform(math.log(0.1), math.log(1000.0), size=(TRIALS, len(TOKENS))))
    rows = zip(memories.tolist(), aggressiveness.tolist(), strict=True)
    sets = [experiment.initial_parameters({"memory_days": days, "k_per_day": k}) for days, k in rows]
    return train_returns(evaluator, sets)


def searched(experiment: Experiment, evaluator: Evaluator) -> np.ndarray:
    """Returns of all trials of a search, with the product's own sampler and ranges."""

    def same(_experiment: Experiment, _prices: Prices, _series: Mapping[str, Any] | None) -> Evaluator:
        return evaluator

    with tempfile.TemporaryDirectory() as folder, CheckpointStore(Path(folder) / "checkpoints.db") as store:
        run = run_search(experiment, evaluator.prices, store, make_evaluator=same)
        rows = store.checkpoints(run_id=run.run_id, metrics=())
    return train_returns(evaluator, [row.raw for row in rows])


def judged(excess: np.ndarray, seed: int) -> dict[str, float]:
    """Returns the p values of all tests; of a deflated ratio, 1 minus it."""
    ratios = statistics.sharpe(excess.T)
    best = int(np.nanargmax(ratios))
    effective, independent = statistics.effective_trials(excess), statistics.independent_trials(excess, seed=seed)
    across = float(np.nanstd(ratios)) * statistics.expected_maximum(effective)
    spa = statistics.superior_ability(excess, seed=seed)
    plain = statistics.superior_ability(excess, seed=seed, studentized=False)
    named = statistics.step_m(excess, level=LEVEL, seed=seed)
    return {
        "deflated": 1.0 - statistics.deflated_sharpe(excess[:, best], independent),
        "deflated, N_e": 1.0 - statistics.deflated_sharpe(excess[:, best], effective),
        "deflated, across": 1.0 - float(statistics.probabilistic_sharpe(excess[:, best], across)),
        "SPA, lower": spa.lower,
        "SPA, consistent": spa.consistent,
        "SPA, upper": spa.upper,
        "plain SPA, lower": plain.lower,
        "plain SPA, consistent": plain.consistent,
        "plain SPA, upper": plain.upper,
        "StepM": float(best not in named),
        "first trial": 1.0 - float(statistics.probabilistic_sharpe(excess[:, 0])),
        "effective trials": effective,
        "independent trials": independent,
        "clusters": float(statistics.cluster_count(excess)),
        "best ratio": float(ratios[best]) * math.sqrt(365.0),
    }


def line(name: str, seed: int) -> dict[str, Any]:
    """All figures of one study."""
    excess = excess_of(CASES[name], seed)
    overfitting = statistics.cscv(excess)
    block = statistics.block_length(excess)
    figures = judged(excess, seed) | {
        "probability of loss": overfitting.probability_of_loss,
        "PBO": overfitting.pbo,
        "block": block,
        "mean a year": float(excess.mean()) * 365.0,
    }
    centred = excess - excess.mean(axis=0)
    days = statistics.resampled_days(len(centred), block, NULLS, 10_000 + seed)
    return {"case": name, "seed": seed, **figures, "null": [judged(centred[row], seed) for row in days]}


TESTS = {
    "deflated Sharpe, independent trials": "deflated",
    "deflated Sharpe, effective trials": "deflated, N_e",
    "the same with the deviation across trials": "deflated, across",
    "SPA, lower": "SPA, lower",
    "SPA, consistent": "SPA, consistent",
    "SPA, upper": "SPA, upper",
    "SPA, consistent, not studentized": "plain SPA, consistent",
    "StepM names the best trial": "StepM",
    "probabilistic Sharpe of the first trial": "first trial",
}
MEANS = (
    "probability of loss",
    "PBO",
    "effective trials",
    "independent trials",
    "clusters",
    "block",
    "best ratio",
    "mean a year",
)


def table(lines: list[dict[str, Any]]) -> str:
    """The shares called significant of the studies, those where the null holds exactly, and means of figures."""
    cases = {name: [row for row in lines if row["case"] == name] for name in CASES}
    cases = {name: rows for name, rows in cases.items() if rows}
    nulls = {name: [one for row in rows for one in row["null"]] for name, rows in cases.items() if "noise" in name}

    def share(key: str) -> Callable[[list[dict[str, Any]]], str]:
        def cell(rows: list[dict[str, Any]]) -> str:
            found = float(np.mean([row[key] <= LEVEL for row in rows]))
            return f"{100 * found:.1f} ± {100 * math.sqrt(found * (1 - found) / len(rows)):.1f}"

        return cell

    def mean(key: str) -> Callable[[list[dict[str, Any]]], str]:
        return lambda rows: f"{np.mean([row[key] for row in rows]):.2f}"

    def part(title: str, of: Mapping[str, list[Any]], cells: Iterable[tuple[str, Callable[[list[Any]], str]]]) -> str:
        head = f"| {title} | {' | '.join(f'{name} ({len(rows)})' for name, rows in of.items())} |"
        body = [f"| {label} | {' | '.join(cell(rows) for rows in of.values())} |" for label, cell in cells]
        return "\n".join([head, "|---|" + "---:|" * len(of), *body])

    shares = [(label, share(key)) for label, key in TESTS.items()]
    return "\n\n".join(
        [
            part("% significant at 5 %", cases, shares),
            part("% where the null holds exactly", nulls, shares),
            part("mean", cases, [(key, mean(key)) for key in MEANS]),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="of JSON lines")
    parser.add_argument("--case", action="append", choices=list(CASES), help="a kind of studies; all by default")
    parser.add_argument("--studies", type=int, help="studies of each kind; by default those of the published table")
    parser.add_argument("--table", action="store_true", help="only print the tables")
    arguments = parser.parse_args()
    lines = [json.loads(row) for row in arguments.file.read_text().splitlines()] if arguments.file.exists() else []
    if arguments.table:
        print(table(lines))
        return
    there = {(row["case"], row["seed"]) for row in lines}
    with arguments.file.open("a") as file:
        for name in arguments.case or CASES:
            for seed in range(arguments.studies or CASES[name].studies):
                if (name, seed) not in there:
                    file.write(json.dumps(line(name, seed)) + "\n")
                    file.flush()


if __name__ == "__main__":
    main()
