"""Prices, studies and compiled programs that several benchmarks share. Import it after ``quantsim.prepare_environment``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from compiled_loop import Loop, fee_recursion

from quantsim import Evaluator, Experiment, Prices, load_prices, simulate
from quantsim.prices import available

TOKENS = ("BTC", "ETH", "SUI", "SYN1", "SYN2")
FEE = 0.003
METRIC = "daily_log_sharpe"
STUDY = Path(__file__).with_name("minutes.toml")
FIRST_DAY, LAST_DAY = np.datetime64("2023-05-04", "s"), np.datetime64("2024-09-01", "s")
"""The range of the prices that :func:`price_folder` makes."""

Sets = dict[str, np.ndarray]


def price_folder(given: Path | None, into: Path) -> Path:
    """Fills a folder with minute closes of all ``TOKENS``, and returns it.

    Args:
        given: folder of price files; tokens that it does not have are synthetic. None for synthetic prices of all tokens.
        into: empty folder. Files of ``given`` are linked.
    """
    there = {coverage.token: coverage.path for coverage in available(str(given))} if given else {}
    real = [token for token in TOKENS if token in there]
    common = None
    if real:
        prices = load_prices(real, str(given), start=FIRST_DAY, end=LAST_DAY).prices
        common = np.diff(np.log(prices), axis=0, prepend=np.log(prices[:1])).mean(axis=1, keepdims=True)
    for token in real:
        os.symlink(there[token].resolve(), into / f"{token}{there[token].suffix}")
    missing = [token for token in TOKENS if token not in real]
    times = pd.date_range(FIRST_DAY, LAST_DAY, freq="min", inclusive="left", tz="UTC")
    closes = np.exp(synthetic_log_prices(len(times), len(missing), common))
    for token, column in zip(missing, closes.T, strict=True):
        pd.DataFrame({"timestamp": times, "close": column}).to_parquet(into / f"{token}.parquet", index=False)
    return into


def synthetic_log_prices(n_bars: int, n_tokens: int, common: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Log prices (T, n) of minutes.

    Returns of all tokens share a factor, and their volatility differs from day to day.

    Args:
        n_bars: number of minutes, ``T``.
        n_tokens: number of tokens, ``n``.
        common: returns of the factor, (T, 1), such as those of real tokens; random by default.
        seed: seed.
    """
    generator = np.random.default_rng(seed)
    daily = np.exp(0.5 * generator.standard_normal(-(-n_bars // 1440)))
    volatility = 5e-4 * np.repeat(daily, 1440)[:n_bars, None]
    if common is None:
        common = volatility * generator.standard_normal((n_bars, 1))
    returns = generator.standard_normal((n_bars, n_tokens))
    returns *= volatility
    returns += common
    return np.cumsum(returns, axis=0, out=returns)


def synthetic_prices(n_bars: int, n_tokens: int) -> Prices:
    """Minutes of ``n_tokens`` synthetic tokens from 2020 on, in memory."""
    times = np.datetime64("2020-01-01", "s") + 60 * np.arange(n_bars).astype("timedelta64[s]")
    names = tuple(f"SYN{index + 1}" for index in range(n_tokens))
    prices = synthetic_log_prices(n_bars, n_tokens)
    return Prices(times, np.exp(prices, out=prices), names, 1)


def synthetic_study(n_tokens: int, days: int, warm_up_days: int, *, fees: bool) -> tuple[Experiment, Prices]:
    """Momentum on ``days`` of synthetic minutes after ``warm_up_days``, as a study with its prices."""
    prices = synthetic_prices((warm_up_days + days) * 1440, n_tokens)
    begin, end = prices.times[warm_up_days * 1440], prices.times[-1] + np.timedelta64(60, "s")
    study = Experiment.from_dict(
        {
            "data": {"tokens": list(prices.tokens)},
            "periods": {"train_start": str(begin), "train_end": str(end)},
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": float(warm_up_days)},
            "fees": {"swap_fee": FEE if fees else 0.0},
            "parameters": {"memory_days": 10.0, "k_per_day": 20.0},
        }
    )
    return study, prices


def splits_study(folder: Path, n_tokens: int) -> Experiment:
    """Four months of training, one of validation, one of test, with fees; 263 520 bars."""
    tokens = ", ".join(f'"{token}"' for token in TOKENS[:n_tokens])
    return Experiment.load(STUDY, [f"data.source={folder}", f"data.tokens=[{tokens}]"])


def months_study(folder: Path, n_tokens: int, fee: float, rule: str = "momentum", **tables: Any) -> Experiment:
    """151 days of training after 150 days of warm-up, without other splits."""
    return Experiment.from_dict(
        {
            "data": {"source": str(folder), "tokens": list(TOKENS[:n_tokens])},
            "periods": {"train_start": "2024-03-30", "train_end": "2024-08-28"},
            "pool": {"rule": rule},
            "fees": {"swap_fee": fee},
            "parameters": {"memory_days": 20.0, "k_per_day": 20.0} if rule == "momentum" else {},
            **tables,
            "update": {"max_memory_days": 150.0, **tables.get("update", {})},
        }
    )


def spread_sets(experiment: Experiment, n_sets: int) -> Sets:
    """Parameter sets around the study's own, raw name → (S, m); the first is the study's own."""
    generator = np.random.default_rng(0)
    sets = {}
    for name, value in experiment.initial_parameters().items():
        noise = 0.3 * generator.standard_normal((n_sets, *value.shape)) * (name in experiment.trainable)
        noise[0] = 0.0
        sets[name] = value + noise
    return sets


def plain_loops(evaluator: Evaluator) -> list[Loop]:
    """The plain loop on the bars of every split, with the weights of the study's own parameters."""
    experiment, prices = evaluator.experiment, evaluator.prices
    weights = simulate(experiment, prices=prices, split="all").weights
    begin = evaluator.splits["train"][0]
    log_prices = np.log(prices.prices)
    return [
        fee_recursion(log_prices[first : first + n_bars], weights[first - begin : first - begin + n_bars], FEE)
        for first, n_bars in evaluator.splits.values()
    ]


class Programs:
    """A metric over the training period of an evaluator and its gradient, compiled for a number of parameter sets."""

    def __init__(self, evaluator: Evaluator, n_sets: int) -> None:
        first, n_bars = evaluator.splits["train"]
        self.objective = evaluator.objective([first], n_bars, metric=METRIC)
        self.starts = jnp.asarray([first])
        self.sets = {name: jnp.asarray(rows) for name, rows in spread_sets(evaluator.experiment, n_sets).items()}

        def lanes(of: Callable[..., Any]) -> Callable[..., Any]:
            def run(objective: Any, sets: Mapping[str, jax.Array], starts: jax.Array) -> Any:
                return objective.map_sets(of(lambda params: jnp.mean(objective(params, starts))), sets)

            return jax.jit(run)

        self._value, self._gradient = lanes(lambda function: function), lanes(jax.value_and_grad)

    def value(self) -> Any:
        """The metric of every set, (S,)."""
        return self._value(self.objective, self.sets, self.starts)

    def gradient(self) -> Any:
        """The same, and its gradient, raw name → (S, m)."""
        return self._gradient(self.objective, self.sets, self.starts)
