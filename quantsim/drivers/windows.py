"""Training windows ("bouts"): possible starts, and sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.errors import WindowError
from quantsim.simulator import Evaluator

__all__ = ["Sampling", "TrainingWindows", "training_windows"]

Sampling = Literal["uniform", "exponential", "stratified", "exhaustive"]

_GROWTH = 5.0
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True)
class TrainingWindows:
    """Windows of equal length inside the training period; static under ``jit``.

    Attributes:
        first: earliest first bar.
        stride: bars between possible first bars.
        n_starts: number of possible first bars.
        n_bars: length of each window.
    """

    first: int
    stride: int
    n_starts: int
    n_bars: int

    @property
    def starts(self) -> NDArray[np.int64]:
        """All possible first bars, (n_starts,)."""
        return self.first + self.stride * np.arange(self.n_starts)

    def is_fixed(self, batch_size: int, sampling: Sampling) -> bool:
        """Whether every batch has the same windows."""
        return self.n_starts == 1 or (sampling == "exhaustive" and batch_size >= self.n_starts)

    def batch(self, batch_size: int, sampling: Sampling) -> int:
        """Returns the number of windows of a batch."""
        return self.n_starts if self.is_fixed(batch_size, sampling) else batch_size

    def draw(self, key: Array, step: Array, batch_size: int, sampling: Sampling) -> Array:
        """Returns the first bars of a step's batch, (batch_size,); a single one if there is only one possible start.

        * ``uniform``: independent uniform draws, with replacement.
        * ``exponential``: like ``uniform``, with a density proportional to ``exp(5 s)``, ``s`` from 0 (earliest start) to 1.
        * ``stratified``: one from each of ``batch_size`` equal parts of the possible starts.
        * ``exhaustive``: all starts in rounds, in the order ``(offset + i·a) mod n``, with ``a`` near the golden section of
          ``n`` and coprime to it, so that successive starts are far apart, and a new offset in every round. A batch with all
          starts has each once.

        Args:
            key: random key of the run.
            step: () number of completed steps.
            batch_size: number of windows.
            sampling: the method, one of the above.
        """
        n = self.n_starts
        if n == 1:
            return jnp.full(1, self.first)
        if self.is_fixed(batch_size, sampling):
            return jnp.asarray(self.starts)
        own = jax.random.fold_in(key, step)
        if sampling == "uniform":
            places = jax.random.randint(own, (batch_size,), 0, n)
        elif sampling == "exponential":
            shares = jnp.log1p(jax.random.uniform(own, (batch_size,)) * jnp.expm1(_GROWTH)) / _GROWTH
            places = jnp.minimum(jnp.floor(shares * n), n - 1).astype(jnp.int64)
        elif sampling == "stratified":
            shares = (jnp.arange(batch_size) + jax.random.uniform(own, (batch_size,))) / batch_size
            places = jnp.minimum(jnp.floor(shares * n), n - 1).astype(jnp.int64)
        else:
            count = step * batch_size + jnp.arange(batch_size)
            offsets = jax.vmap(lambda turn: jax.random.randint(jax.random.fold_in(key, turn), (), 0, n))(count // n)
            places = (offsets + (count % n) * _spread(n)) % n
        return self.first + self.stride * places


def _spread(n: int) -> int:
    """Returns a multiplier that is coprime to ``n`` and near its golden section."""
    wanted = max(1, round(_GOLDEN * n))
    return next(a for a in range(wanted, wanted + n) if math.gcd(a, n) == 1)


def training_windows(evaluator: Evaluator) -> TrainingWindows:
    """Returns the windows of ``objective.bout_offset_days`` and ``objective.window_grid``.

    Raises:
        WindowError: the offset leaves less than one chunk of the training period.
    """
    objective = evaluator.experiment.objective
    first, available = evaluator.splits["train"]
    room = round(objective.bout_offset_days * evaluator.prices.bars_per_day)
    stride = evaluator.chunk_bars if objective.window_grid == "chunk" else 1
    if available - room < evaluator.chunk_bars:
        days = available / evaluator.prices.bars_per_day
        raise WindowError(
            f"objective.bout_offset_days = {objective.bout_offset_days:g} leaves less than one chunk of the {days:g} days "
            "of training: lower it"
        )
    return TrainingWindows(first, stride, room // stride + 1, available - room)
