"""Variations of prices: noise on every bar, and resampled blocks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.prices.synthetic.arithmetic import exponential, standard_normals, stream
from quantsim.prices.synthetic.block_bootstrap import resampled_growth, resampled_rows

__all__ = ["noisy_prices", "resampled_prices"]


def noisy_prices(prices: FloatArray, noise: float, seed: int, index: int) -> FloatArray:
    """Returns prices times ``exp(noise·ε)``, with ``ε`` independent standard normal for every bar and token.

    Args:
        prices: (T, n).
        noise: standard deviation.
        seed: seed of the random numbers.
        index: number of the variation.
    """
    drawn = standard_normals(stream(seed, "price noise", str(index)), prices.size).reshape(prices.shape)
    return prices * exponential(noise * drawn)


def resampled_prices(
    prices: FloatArray, parts: Iterable[tuple[int, int]], mean_block: float, seed: int, index: int
) -> FloatArray:
    """Returns prices whose growth is resampled in blocks, within each part; all tokens take the same rows.

    So the prices of a test period are resampled from the test period alone, and the level goes on from part to part.

    Args:
        prices: (T, n).
        parts: first bar and end of each part, which follow each other from 0 to ``T``.
        mean_block: mean length of a block, in bars.
        seed: seed of the random numbers.
        index: number of the variation.
    """
    rows = []
    for number, (first, end) in enumerate(parts):
        n_steps = end - max(first, 1)  # no step leads to bar 0
        drawn = resampled_rows(n_steps, n_steps, mean_block, seed, "variation", str(index), str(number))
        rows.append(max(first, 1) - 1 + drawn)
    return np.asarray(prices[0] * resampled_growth(prices, np.concatenate(rows)), np.float64)
