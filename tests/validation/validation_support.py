"""Trials with known skill, as arrays and as runs in a store; nothing is simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim import CheckpointStore, Experiment
from quantsim.baseline import Baseline
from quantsim.checkpoints import Checkpoint
from quantsim.validation.trials import Trials

FloatArray = NDArray[np.float64]
Returns = Mapping[str, FloatArray]

DAYS = {"train": 270, "validation": 90, "test": 180}
STUDY = Experiment.load("momentum_fees")
METRIC = "daily_log_sharpe"


def returns_of(
    seed: int, n_trials: int = 60, skill: float = 0.0, n_factors: int = 5, days: Mapping[str, int] = DAYS
) -> tuple[Returns, Returns]:
    """Daily log returns of trials, split → (T, N), and of constant weights, split → (T,).

    The differences are mixtures of a few factors, as trials of one rule are, and cost a little each day.

    Args:
        seed: of the random numbers.
        n_trials: number of trials, N.
        skill: mean of the difference of the first trial, in its standard deviations a day.
        n_factors: number of factors.
        days: split → T.
    """
    random = np.random.default_rng(seed)
    loadings = random.normal(size=(n_factors, n_trials))
    trials, benchmark = {}, {}
    for split, n_days in days.items():
        market = 0.03 * random.normal(size=n_days)
        differences = random.normal(size=(n_days, n_factors)) @ loadings + 0.3 * random.normal(size=(n_days, n_trials))
        differences /= np.sqrt(np.square(loadings).sum(axis=0) + 0.09)
        drift = np.full(n_trials, -0.02)
        drift[0] = skill or drift[0]
        trials[split], benchmark[split] = market[:, None] + 0.004 * (differences + drift), market
    return trials, benchmark


def sharpes(returns: FloatArray) -> FloatArray:
    """Annualised Sharpe ratios of (T, N) returns, (N,)."""
    return np.sqrt(365.0) * returns.mean(axis=0) / returns.std(axis=0)


def rows_of(returns: Returns, run_id: str, driver: str = "search", n_sets: int = 1) -> list[Checkpoint]:
    """The checkpoints of a run with these returns; with several sets, each step has so many."""
    scores = {split: sharpes(values) for split, values in returns.items()}
    return [
        Checkpoint(
            run_id,
            index // n_sets,
            index % n_sets,
            driver,
            {"log_k": (float(index), 1.0), "logit_lamb": (0.0, 0.0)},
            metrics={split: {METRIC: float(values[index])} for split, values in scores.items()},
            daily_log_returns={split: values[:, index] for split, values in returns.items()},
        )
        for index in range(next(iter(returns.values())).shape[1])
    ]


def trials_of(seed: int, selected: int | None = None, **options: Any) -> Trials:
    """The same as arrays; the best on validation is selected unless another one is named."""
    returns, benchmark = returns_of(seed, **options)
    best = int(np.argmax(sharpes(returns["validation"]))) if selected is None else selected
    return Trials(tuple(rows_of(returns, "a" * 32)), best, returns, benchmark)


def store_run(
    store: CheckpointStore,
    returns: Returns,
    benchmark: Returns | None,
    experiment: Experiment = STUDY,
    driver: str = "search",
    n_sets: int = 1,
    **begin: Any,
) -> str:
    """Stores a finished run with these returns, and returns its id."""
    run_id = store.begin_run(
        experiment_id=experiment.identity,
        name=experiment.name,
        driver=driver,
        config=experiment.model_dump(mode="json"),
        **{"data_id": "d", **begin},
    )
    store.append(run_id, rows_of(returns, run_id, driver, n_sets))
    if benchmark is not None:
        store.set_baselines(
            run_id, {"constant_weights": Baseline("constant_weights", {split: {} for split in benchmark}, benchmark)}
        )
    store.finish_run(run_id)
    return run_id
