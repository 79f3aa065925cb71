"""Where training windows ("bouts") may begin, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.errors import WindowError
from quantsim.simulator import Evaluator

__all__ = ["TrainingWindows", "training_windows"]


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

    def draw(self, key: Array, batch_size: int) -> Array:
        """First bars of a batch, (batch_size,), uniform with replacement; a single one where there is no choice."""
        if self.n_starts == 1:
            return jnp.full(1, self.first)
        return self.first + self.stride * jax.random.randint(key, (batch_size,), 0, self.n_starts)


def training_windows(evaluator: Evaluator) -> TrainingWindows:
    """The windows that ``objective.bout_offset_days`` and ``objective.window_grid`` describe.

    Raises:
        WindowError: the offset leaves less than one chunk of the training period.
    """
    objective = evaluator.experiment.objective
    first, available = evaluator.splits["train"]
    room = round(objective.bout_offset_days * evaluator.prices.bars_per_day)
    stride = evaluator.setup.chunk_bars if objective.window_grid == "chunk" else 1
    if available - room < evaluator.setup.chunk_bars:
        days = available / evaluator.prices.bars_per_day
        raise WindowError(
            f"objective.bout_offset_days = {objective.bout_offset_days:g} leaves less than one chunk of the {days:g} days "
            "of training: lower it"
        )
    return TrainingWindows(first, stride, room // stride + 1, available - room)
