"""Which selection method picks the parameter set that does best out of sample: paired differences over many folds.

``python benchmarks/selection.py --out FILE [--prices FOLDER] [--trials 80] [--folds N]`` runs folds, and appends one line of
JSON for each; folds that the file has are skipped, so a stopped run goes on. ``--table`` prints tables for docs/selection.md.

A fold is a search (TPE) on 180 days of training; each method picks one of its sets, with 60 days of validation; the pick runs
over the days after. Sources: bundled half-hours (ten pairs), minutes of a folder (--prices, all pairs), Brownian prices with a
planted trend and without. Three rules (on planted trends only momentum) and three fees; bars of an hour. Folds come in a fixed
random order, so that any part of them is a sample of all.

What is compared is the mean daily log return less that of constant weights with the same costs, a year. Folds on the same dates
are not independent: intervals resample whole test windows of a source (in blocks of three, which follow each other), or seeds.
"""

from __future__ import annotations

import os

from quantsim.environment import xla_flags

os.environ.setdefault("XLA_FLAGS", xla_flags())
os.environ.setdefault("JAX_ENABLE_X64", "1")

import argparse
import functools
import itertools
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, load_prices
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.picking import pick_among
from quantsim.checkpoints.returns import with_returns
from quantsim.drivers.search import run_search
from quantsim.prices.synthetic import ou_trend
from quantsim.statistics import LEAST_DAYS, resampled_days, step_m

METHODS = ("best_validation", "best_train", "train_and_validation", "validation_lower", "consistent", "plateau")
RULES = ("momentum", "anti_momentum", "mean_reversion_channel")
FEES = (0.0, 0.001, 0.003)
BUNDLED = ("BTC", "ETH", "LTC", "XRP", "EOS")
TREND_PER_HOUR = {"noise": 0.0, "weak trend": 0.0002, "strong trend": 0.0005}
"""Standard deviation of the planted drift."""
N_SEEDS = 60
N_SEARCHES = 2

WARM_UP, TRAIN, VALIDATION, TEST, SYNTHETIC_TEST = 60, 180, 60, 30, 90
"""Days. Synthetic prices have longer tests, because they cost little and say more."""
BAR_MINUTES = 60
METRIC = "daily_log_sharpe"
DAYS_PER_YEAR = 365.0
N_RESAMPLES = 4000
BLOCK = 3.0
"""Mean length of a block of consecutive test windows, of 30 days each."""

BY_WORSE, BY_INFORMATION, RANDOM = "worse", "information", "random"
SHOWN = {name: f"`{name}`" for name in METHODS} | {
    BY_WORSE: "the worse of train and validation",
    BY_INFORMATION: "best validation ratio of the difference to constant weights",
    RANDOM: "a random set",
}
OTHERS = [name for name in SHOWN if name != "best_validation"]
REAL = ("bundled", "folder")
SYNTHETIC = "synthetic"
COLUMNS = (
    {"2017 to 2019": ("bundled",), "2023 to 2024": ("folder",), "both": REAL}
    | {name: (name,) for name in TREND_PER_HOUR}
    | {"all": (*REAL, *TREND_PER_HOUR)}
)


@dataclass(frozen=True)
class Fold:
    """One search and its test.

    Attributes:
        source: "bundled", "folder", or a key of ``TREND_PER_HOUR``.
        tokens: of the pool.
        window: number of the window of the source, or seed of synthetic prices.
        rule: the strategy.
        fee: swap fee.
        search: number of the search, each with a seed of its own.
    """

    source: str
    tokens: tuple[str, ...]
    window: int
    rule: str
    fee: float
    search: int = 0

    @property
    def key(self) -> str:
        return f"{self.source}|{'-'.join(self.tokens)}|{self.window}|{self.rule}|{self.fee:g}|{self.search}"


def rules_on(source: str) -> tuple[str, ...]:
    """The rules that are searched: all, but on trends only the one that can find them."""
    return ("momentum",) if TREND_PER_HOUR.get(source) else RULES


def folds(tokens: dict[str, tuple[str, ...]], windows: dict[str, int]) -> list[Fold]:
    """All folds, in their order."""
    markets = [
        (source, pair, window)
        for source, known in tokens.items()
        for pair in itertools.combinations(known, 2)
        for window in range(windows[source])
    ]
    markets += [(name, ("A", "B"), seed) for name in TREND_PER_HOUR for seed in range(N_SEEDS)]
    every = [Fold(*market, rule, fee) for market in markets for rule in rules_on(market[0]) for fee in FEES]
    random.Random(0).shuffle(every)  # noqa: S311
    return [replace(fold, search=search) for search in range(N_SEARCHES) for fold in every]


def experiment_of(fold: Fold, first: date) -> Experiment:
    """The study of a fold, on prices in memory that begin at a date."""
    begin = first + timedelta(days=WARM_UP + (0 if fold.source in TREND_PER_HOUR else fold.window * TEST))
    test = SYNTHETIC_TEST if fold.source in TREND_PER_HOUR else TEST
    ends = [begin + timedelta(days=days) for days in (0, TRAIN, TRAIN + VALIDATION, TRAIN + VALIDATION + test)]
    names = ("train_start", "train_end", "validation_end", "test_end")
    return Experiment.from_dict(
        {
            "name": "fold",
            "seed": fold.window + 1000 * fold.search,
            "data": {"tokens": list(fold.tokens)},
            "periods": dict(zip(names, ends, strict=True)),
            "pool": {"rule": fold.rule},
            "update": {"chunk_minutes": 1440, "maximum_change_per_minute": 3e-4, "max_memory_days": WARM_UP},
            "fees": {"swap_fee": fold.fee},
            "objective": {"metric": METRIC},
        }
    )


class Sources:
    """The prices of every fold."""

    def __init__(self, folder: Path | None) -> None:
        self._real: dict[str, Prices] = {"bundled": load_prices(BUNDLED, bar_minutes=BAR_MINUTES)}
        if folder is not None:
            names = tuple(sorted(path.stem for path in folder.iterdir()))
            self._real["folder"] = load_prices(names, folder, bar_minutes=BAR_MINUTES)

    def folds(self) -> list[Fold]:
        """All folds on these prices."""
        tokens = {name: prices.tokens for name, prices in self._real.items()}
        days = {
            name: (prices.times[-1].astype("M8[D]") - self._first(prices)).astype(int)
            for name, prices in self._real.items()
        }
        return folds(tokens, {name: int(n - WARM_UP - TRAIN - VALIDATION) // TEST for name, n in days.items()})

    def of(self, fold: Fold) -> tuple[Prices, date]:
        """The prices of a fold, and their first whole day."""
        prices = self._real[fold.source] if fold.source in self._real else synthetic(fold.source, fold.window)
        return prices, self._first(prices).astype(object)

    @staticmethod
    def _first(prices: Prices) -> np.datetime64:
        return (prices.times[0] - np.timedelta64(1, "us")).astype("M8[D]") + 1


@functools.lru_cache(maxsize=8)
def synthetic(name: str, seed: int) -> Prices:
    """Two independent tokens that move by 0.8 % an hour, with a trend of half-life 14 days."""
    first = date(2021, 1, 1)
    return ou_trend(
        ("A", "B"),
        seed=seed,
        volatility_per_hour=0.008,
        trend_deviation_per_hour=TREND_PER_HOUR[name],
        trend_half_life_days=14.0,
        start=f"{first}",
        end=f"{first + timedelta(days=WARM_UP + TRAIN + VALIDATION + SYNTHETIC_TEST + 2)}",
        bar_minutes=BAR_MINUTES,
    )


def run(fold: Fold, prices: Prices, first: date, trials: int) -> dict[str, Any]:
    """Searches, picks, and returns the excess over constant weights of every pick on the test, in logs a year."""
    begun = time.perf_counter()
    experiment = experiment_of(fold, first)
    evaluator = Evaluator(experiment, prices)
    with tempfile.TemporaryDirectory() as place, CheckpointStore(Path(place) / "checkpoints.db") as store:
        done = run_search(experiment, prices, store, trials=trials, make_evaluator=lambda *_: evaluator)
        runs = [store.run(done.run_id)]
        picks = {name: pick_among(store, experiment, runs, name, evaluator=evaluator).checkpoint for name in METHODS}
        rows = with_returns(store, runs, store.checkpoints(run_id=done.run_id), ("train", "validation", "test"))
        constant = store.baselines(done.run_id)["constant_weights"].daily_log_returns
    over = np.array([DAYS_PER_YEAR * np.mean(row.daily_log_returns["test"] - constant["test"]) for row in rows])
    place_of = {row.checkpoint_id: index for index, row in enumerate(rows)}
    excess = {name: over[place_of[row.checkpoint_id]] for name, row in picks.items()}
    excess[BY_WORSE] = over[_best_by_worse(rows)]
    excess[BY_INFORMATION] = over[_best_by_information(rows, constant["validation"])]
    excess[RANDOM] = over[: experiment.search.n_startup_trials].mean()
    return {
        "key": fold.key,
        "source": fold.source,
        "window": fold.window,
        "rule": fold.rule,
        "fee": fold.fee,
        "trials": len(rows),
        "excess": {name: round(float(value), 6) for name, value in excess.items()},
        "seconds": round(time.perf_counter() - begun, 2),
    }


def _best_by_worse(rows: Sequence[Checkpoint]) -> int:
    """The row whose worse metric of train and validation is the best."""
    return int(
        np.argmax(np.min([[row.metrics[split][METRIC] for row in rows] for split in ("train", "validation")], axis=0))
    )


def _best_by_information(rows: Sequence[Checkpoint], constant: np.ndarray) -> int:
    """The row with the best ratio on validation of the difference to constant weights, mean over deviation."""
    over = np.array([row.daily_log_returns["validation"] for row in rows]) - constant
    return int(np.argmax(over.mean(axis=1) / (over.std(axis=1) + 1e-8)))


Results = Sequence[dict[str, Any]]
Value = Callable[[dict[str, float]], float]


def windows_of(results: Results) -> dict[str, list[Results]]:
    """The results by kind of prices and test window, in their order.

    A seed of synthetic prices is one window, because prices with and without a trend have the same random numbers.
    """
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for each in results:
        kind = SYNTHETIC if each["source"] in TREND_PER_HOUR else each["source"]
        found.setdefault(kind, {}).setdefault(each["window"], []).append(each)
    return {kind: [windows[number] for number in sorted(windows)] for kind, windows in found.items()}


def block_of(kind: str) -> float:
    """The mean number of consecutive windows that are resampled together."""
    return 1.0 if kind == SYNTHETIC else BLOCK


def with_interval(results: Results, value: Value) -> tuple[float, float, float]:
    """The mean of a value over folds, and its 95 % interval, from resampled windows of each source."""
    sums, counts = np.zeros(N_RESAMPLES), np.zeros(N_RESAMPLES)
    for number, (kind, windows) in enumerate(windows_of(results).items()):
        picked = resampled_days(len(windows), block_of(kind), N_RESAMPLES, seed=number)
        sums += np.array([sum(value(each["excess"]) for each in window) for window in windows])[picked].sum(axis=1)
        counts += np.array([len(window) for window in windows])[picked].sum(axis=1)
    lower, upper = np.quantile(sums / counts, [0.025, 0.975])
    return float(np.mean([value(each["excess"]) for each in results])), float(lower), float(upper)


def named(results: Results, names: Sequence[str], sign: float) -> str:
    """The picks that StepM tells from ``best_validation``, with at most 5 % risk of one wrong name."""
    grouped = windows_of(results)
    windows = [window for found in grouped.values() for window in found]
    if len(windows) < LEAST_DAYS:
        return "too few windows"
    means = [[np.mean([_difference(name)(each["excess"]) for each in window]) for name in names] for window in windows]
    block = max(block_of(kind) for kind in grouped)
    found = step_m(sign * np.array(means), block=block, n_resamples=N_RESAMPLES)
    return ", ".join(SHOWN[names[index]] for index in found) or "none"


def table(results: Results) -> Iterator[str]:
    """The lines of the tables in docs/selection.md."""

    def of(sources: Sequence[str], **where: Any) -> Results:
        kept = [each for each in results if each["source"] in sources and each["rule"] in rules_on(each["source"])]
        return [each for each in kept if all(each[name] == value for name, value in where.items())]

    def rows(names: Sequence[str], columns: dict[str, Results], value: Callable[[str], Value]) -> Iterator[str]:
        yield f"| pick | {' | '.join(columns)} |"
        yield "|---|" + "---|" * len(columns)
        for name in names:
            cells = [_shown(*with_interval(found, value(name))) for found in columns.values()]
            yield f"| {SHOWN[name]} | {' | '.join(cells)} |"

    columns = {title: found for title, sources in COLUMNS.items() if (found := of(sources))}
    yield from ("Folds and windows:", "")
    for title, found in columns.items():
        count = sum(map(len, windows_of(found).values()))
        yield f"* {title}: {len(found)} folds, {count} windows"
    yield from ("", "Excess over constant weights, logs a year:", "")
    yield from rows(list(SHOWN), columns, _own)
    yield from ("", "Less that of `best_validation` on the same fold:", "")
    yield from rows(OTHERS, columns, _difference)
    names = [name for name in OTHERS if name != RANDOM]
    for word, sign in (("better", 1.0), ("worse", -1.0)):
        yield f"| named {word} | {' | '.join(named(found, names, sign) for found in columns.values())} |"
    by_ranks = [_shown(*with_interval(found, _over_worse)) for found in columns.values()]
    yield f"| `train_and_validation` less {SHOWN[BY_WORSE]} | {' | '.join(by_ranks)} |"
    parts = {rule: of(REAL, rule=rule) for rule in RULES} | {f"fee {fee:.1%}": of(REAL, fee=fee) for fee in FEES}
    yield from ("", "The same on real prices, by rule and by fee:", "")
    yield from rows(OTHERS, {title: found for title, found in parts.items() if found}, _difference)


def _own(name: str) -> Value:
    return lambda excess: excess[name]


def _difference(name: str) -> Value:
    return lambda excess: excess[name] - excess["best_validation"]


def _over_worse(excess: dict[str, float]) -> float:
    return excess["train_and_validation"] - excess[BY_WORSE]


def _shown(mean: float, lower: float, upper: float) -> str:
    """Bold where the interval does not contain 0."""
    text = f"{mean:+.2f} ({lower:+.2f} … {upper:+.2f})"
    return text if lower <= 0.0 <= upper else f"**{text}**"


def stored(path: Path) -> list[dict[str, Any]]:
    """The complete lines of the file."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> None:
    """Runs folds that the file does not have, or prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prices", type=Path, help="a folder with one file per token")
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--folds", type=int, help="how many to run; all unless given")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        print("\n".join(table(stored(options.out))))
        return
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    done = {each["key"] for each in stored(options.out)}
    sources = Sources(options.prices)
    missing = [fold for fold in sources.folds() if fold.key not in done]
    print(f"{len(done)} folds are done, {len(missing)} are not")
    with options.out.open("a", encoding="utf-8") as file:
        for fold in missing[: options.folds]:
            file.write(json.dumps(run(fold, *sources.of(fold), options.trials)) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
