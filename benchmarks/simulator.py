"""Times the simulator and its gradient on 151 days of minute bars, daily chunks, 2 and 5 tokens.

    python benchmarks/simulator.py [--prices FOLDER] [--repeats N]

FOLDER holds one parquet or CSV file of 1-minute closes per token; tokens it lacks, or all of them without it, are synthetic: a
common factor and a part of their own, with a volatility that changes from day to day. Every figure is the median of repeated
calls of a compiled program, in milliseconds. The reference is the same fee recursion as one plain compiled loop (numba,
``pip install 'quantsim[bench]'``), timed in the same run; the ratio is ours over the loop's.
"""

from __future__ import annotations

import os

from quantsim.environment import XLA_FLAGS

os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from compiled_loop import fee_recursion
from rich.console import Console
from rich.table import Table

from quantsim import Evaluator, Experiment, Prices, load_prices
from quantsim.pools import Path as PoolPath
from quantsim.pools import Window
from quantsim.pools.weighted.interpolation import bar_weights
from quantsim.pools.weighted.steering import window_ramps
from quantsim.prices import available
from quantsim.simulator import evaluate, signals

DAYS, WARM_UP_DAYS = 151, 150
MINUTES = 1440 * (DAYS + WARM_UP_DAYS)
TOKENS = ("BTC", "ETH", "SUI", "SYN1", "SYN2")
FEE = 0.003
METRIC = "daily_log_sharpe"


def synthetic_log_prices(n_tokens: int, common: np.ndarray | None, seed: int = 0) -> np.ndarray:
    """Log prices (T, n) whose minute returns share a factor: that of the real tokens where there are any."""
    generator = np.random.default_rng(seed)
    volatility = np.repeat(np.exp(0.5 * generator.standard_normal(DAYS + WARM_UP_DAYS)), 1440)[:, None]
    if common is None:
        common = 5e-4 * volatility * generator.standard_normal((MINUTES, 1))
    own = 5e-4 * volatility * generator.standard_normal((MINUTES, n_tokens))
    return np.cumsum(common + own, axis=0)


def make_prices(n_tokens: int, folder: Path | None) -> tuple[Prices, int]:
    """Prices of the first ``n_tokens`` tokens, and how many of them are real."""
    first, last = np.datetime64("2023-11-01", "s"), np.timedelta64(60 * MINUTES, "s")
    there = {coverage.token for coverage in available(str(folder))} if folder else set()
    real = [token for token in TOKENS[:n_tokens] if token in there]
    columns, common = [], None
    if real:
        table = load_prices(real, str(folder), start=first, end=first + last)
        columns = list(table.prices.T)
        returns = np.diff(np.log(table.prices), axis=0, prepend=np.log(table.prices[:1]))
        common = returns.mean(axis=1, keepdims=True)
    missing = n_tokens - len(real)
    columns += list(np.exp(synthetic_log_prices(missing, common)).T) if missing else []
    times = first + 60 * np.arange(MINUTES).astype("timedelta64[s]")
    return Prices(times, np.stack(columns, axis=1), TOKENS[:n_tokens], 1), len(real)


def make_evaluator(prices: Prices, fee: float, rule: str = "momentum", **tables: Any) -> Evaluator:
    start = prices.times[1440 * WARM_UP_DAYS]
    end = prices.times[-1] + np.timedelta64(60, "s")
    study = {
        "data": {"tokens": list(prices.tokens)},
        "periods": {"train_start": str(start), "train_end": str(end)},
        "pool": {"rule": rule},
        "update": {"max_memory_days": float(WARM_UP_DAYS)},
        "fees": {"swap_fee": fee},
        "parameters": {"memory_days": 20.0, "k_per_day": 20.0} if rule == "momentum" else {},
        **tables,
    }
    return Evaluator(Experiment.from_dict(study), prices)


def median_ms(call: Callable[[], Any], repeats: int) -> float:
    """Median time of a call, the first (which compiles) not counted."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(times)


class Case:
    """One evaluator with compiled value and gradient for a number of lanes."""

    def __init__(self, evaluator: Evaluator, n_lanes: int) -> None:
        first, n_bars = evaluator.splits["train"]
        plan, starts = evaluator.planner.plan(first, n_bars, (METRIC,))
        market, rates = evaluator.market, evaluator.rates
        generator = np.random.default_rng(0)
        raw = evaluator.experiment.initial_parameters()
        moved = evaluator.experiment.trainable
        sets = {
            name: np.stack(
                [value + 0.3 * generator.standard_normal(value.shape) * (name in moved) for _ in range(n_lanes)]
            )
            for name, value in raw.items()
        }
        self.sets = evaluator.arrays(sets, 2)

        def one(params: dict[str, jax.Array], market: Any) -> jax.Array:
            return evaluate.evaluate_windows(plan, params, market, rates, starts)[METRIC][0]

        def lanes(function: Callable[..., Any]) -> Callable[..., Any]:
            return jax.jit(
                lambda sets, market: evaluate.lanes(lambda p: function(p, market), sets, sequential=plan.maps_lanes)
            )

        value, gradient = lanes(one), lanes(jax.value_and_grad(one))
        self.value = lambda: value(self.sets, market)
        self.gradient = lambda: gradient(self.sets, market)


def window_inputs(evaluator: Evaluator) -> tuple[np.ndarray, np.ndarray]:
    """Log prices and weights of the window, as the plain loop takes them, and as our pass gets them."""
    first, n_bars = evaluator.splits["train"]
    setup = evaluator.setup
    params = evaluator.arrays(evaluator.experiment.initial_parameters())
    outputs = signals.chunk_signals(setup, params, evaluator.market, 0)
    window = Window(jax.numpy.asarray(first), n_bars, PoolPath.FEES, 0, outputs.decisions)
    weights = bar_weights(window_ramps(setup, params, window), n_bars, setup.own)
    return np.asarray(evaluator.market.log_prices[first : first + n_bars]), np.asarray(weights)


def run(n_tokens: int, folder: Path | None, repeats: int) -> list[tuple[str, float, float | None]]:
    """Rows of (what, ours in ms, the plain loop's in ms)."""
    prices, n_real = make_prices(n_tokens, folder)
    free, charged = make_evaluator(prices, 0.0), make_evaluator(prices, FEE)
    rows: list[tuple[str, float, float | None]] = []
    for n_lanes in (1, 64):
        case = Case(free, n_lanes)
        rows.append((f"zero fee, value, {n_lanes} lanes", median_ms(case.value, repeats), None))
        rows.append((f"zero fee, value and gradient, {n_lanes} lanes", median_ms(case.gradient, repeats), None))
    log_prices, weights = window_inputs(charged)
    loop = fee_recursion(log_prices, weights, FEE)
    loop_ms = None if loop is None else median_ms(loop.call, max(3, repeats // 4))
    case = Case(charged, 1)
    rows.append(("fees, value", median_ms(case.value, max(3, repeats // 4)), loop_ms))
    rows.append(("fees, value and gradient", median_ms(case.gradient, max(3, repeats // 4)), loop_ms))
    traded = f", trades in {loop.traded:.0%} of the bars with fees" if loop else ""
    print(f"{n_tokens} tokens ({n_real} real, {n_tokens - n_real} synthetic){traded}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, help="folder of 1-minute closes, one file per token")
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    with jax.enable_x64(True):
        for n_tokens in (2, 5):
            table = Table("151 days of minute bars", "median ms", "plain loop ms", "ratio")
            for what, ours, loop in run(n_tokens, arguments.prices, arguments.repeats):
                table.add_row(what, f"{ours:.2f}", f"{loop:.2f}" if loop else "", f"{ours / loop:.1f}" if loop else "")
            Console().print(table)


if __name__ == "__main__":
    main()
