"""Speed of whole training steps: sampling, objective, gradient, update, tracking, all in one compiled program.

Run ``python benchmarks/training.py [--prices FOLDER]``: five months of minutes, momentum; see simulator.py for the prices.
Every figure is the median over repeated calls of some steps each, compilation not counted.
"""

from __future__ import annotations

import os

from quantsim.environment import XLA_FLAGS

os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)
os.environ["JAX_ENABLE_X64"] = "1"

import argparse
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table
from simulator import make_evaluator, make_prices

from quantsim.drivers.sgd.step import advance, init
from quantsim.drivers.sgd.training import Training

BOUT_DAYS = 30.0

# What, tokens, chunk in minutes, fee, parameter sets, windows per batch, room for windows in days, steps per call.
CASES = (
    ("zero fee, daily chunks, 4 sets x 8 windows", 2, 1440, 0.0, 4, 8, BOUT_DAYS, 100),
    ("zero fee, hourly chunks, 4 sets x 8 windows", 2, 60, 0.0, 4, 8, BOUT_DAYS, 10),
    ("zero fee, daily chunks, 4 sets x 8 windows", 5, 1440, 0.0, 4, 8, BOUT_DAYS, 50),
    ("zero fee, hourly chunks, 4 sets x 8 windows", 5, 60, 0.0, 4, 8, BOUT_DAYS, 5),
    ("fee 0.3 %, daily chunks, 1 set, 1 window", 2, 1440, 0.003, 1, 1, 0.0, 5),
    ("fee 0.3 %, daily chunks, 1 set, 1 window", 5, 1440, 0.003, 1, 1, 0.0, 2),
)


def seconds_per_step(
    folder: Path | None,
    tokens: int,
    chunk: int,
    fee: float,
    sets: int,
    batch: int,
    room: float,
    steps: int,
    repeats: int,
) -> float:
    """Median time of a step of a training on minute prices."""
    prices, _ = make_prices(tokens, folder)
    experiment = make_evaluator(prices, fee).experiment.override(
        [
            f"update.chunk_minutes={chunk}",
            f"objective.bout_offset_days={room}",
            f"sgd.n_parameter_sets={sets}",
            f"sgd.batch_size={batch}",
        ]
    )
    training = Training(experiment, prices)
    state, _ = advance(training.program, init(training.program, training.initial), training.inputs, jnp.asarray(1))
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        state, _ = jax.block_until_ready(advance(training.program, state, training.inputs, jnp.asarray(steps)))
        times.append((time.perf_counter() - begun) / steps)
    return statistics.median(times)


def main() -> None:
    """Runs all cases and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--prices", type=Path, help="folder with minute prices of BTC, ETH, SUI; synthetic ones without"
    )
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    table = Table("tokens", "training step", "ms", "steps per second", title="Five months of minutes")
    for what, tokens, *shape in CASES:
        seconds = seconds_per_step(options.prices, tokens, *shape, options.repeats)
        table.add_row(str(tokens), what, f"{1e3 * seconds:.2f}", f"{1 / seconds:,.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
