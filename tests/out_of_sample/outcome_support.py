"""A small study with folds, and results of its folds that nothing had to train."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np

from quantsim import Evaluator, Experiment, Prices
from quantsim.baseline import Baseline
from quantsim.checkpoints import Checkpoint
from quantsim.folds import Fold, Span, walk_forward
from quantsim.out_of_sample import FoldResult
from quantsim.out_of_sample.schedule import fold_experiment

START, DAY = datetime(2021, 1, 1, tzinfo=UTC), timedelta(days=1)
HISTORY, TRAIN, TEST, FOLDS = 10, 24, 16, 3
END = START + (TRAIN + FOLDS * TEST) * DAY
BAR_MINUTES = 240

STUDY = Experiment.from_dict(
    {
        "name": "small",
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": START, "train_end": START + TRAIN * DAY, "test_end": END},
        "pool": {"rule": "momentum"},
        "update": {"chunk_minutes": 1440, "max_memory_days": float(HISTORY)},
        "fees": {"swap_fee": 0.003},
        "parameters": {"memory_days": 4.0, "k_per_day": 5.0},
    }
)
SETS = ({"memory_days": 2.0, "k_per_day": 40.0}, {"memory_days": 5.0, "k_per_day": 10.0}, {"memory_days": [1.0, 8.0]})


@functools.cache
def small_prices(seed: int = 3) -> Prices:
    """Random walks from the history before the first fold to the end of the last."""
    bars_per_day = 1440 // BAR_MINUTES
    n_bars = (HISTORY + TRAIN + FOLDS * TEST) * bars_per_day
    steps = 0.015 * np.random.default_rng(seed).standard_normal((n_bars, 2))
    first = np.datetime64((START - HISTORY * DAY).replace(tzinfo=None), "s")
    times = first + (BAR_MINUTES * np.arange(n_bars)).astype("timedelta64[m]")
    return Prices(times, np.exp(np.cumsum(steps, axis=0)) * [20_000.0, 1_000.0], ("BTC", "ETH"), BAR_MINUTES)


@functools.cache
def folds() -> tuple[Fold, ...]:
    return walk_forward(START, END, train_days=TRAIN, test_days=TEST)


@functools.cache
def evaluator(fold: Fold) -> Evaluator:
    return Evaluator(fold_experiment(STUDY, fold), small_prices())


def results_of(sets: Sequence[Mapping[str, Any]]) -> list[FoldResult[Fold]]:
    """The results of folds on which these parameters were selected."""
    found = []
    for fold, params in zip(folds(), sets, strict=True):
        raw = STUDY.initial_parameters(params)
        evaluation = evaluator(fold).evaluate_sets({name: values[None] for name, values in raw.items()})
        row = Checkpoint(
            run_id=f"{fold.position}" * 32,
            step=0,
            parameter_set=0,
            driver="search",
            raw=raw,
            metrics=evaluation.metrics_of(0),
            daily_log_returns=evaluation.returns_of(0),
        )
        found.append(FoldResult(fold, row.run_id, row))
    return found


def store_of(results: Sequence[FoldResult[Any]], *, empty: bool = False) -> Any:
    """What an outcome needs of a store: baselines of runs, and single checkpoints."""
    rows = {result.checkpoint.checkpoint_id: result.checkpoint for result in results}

    def baselines(run_id: str) -> dict[str, Baseline]:
        return {} if empty else evaluator(folds()[int(run_id[0])]).baselines()

    return SimpleNamespace(baselines=baselines, get=rows.__getitem__)


def groups_of(n_groups: int) -> list[Span]:
    """Equal groups of the whole range."""
    length = (TRAIN + FOLDS * TEST) // n_groups
    return [Span(START + index * length * DAY, START + (index + 1) * length * DAY) for index in range(n_groups)]
