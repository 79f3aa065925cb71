"""Laws of pools that always trade along one curve: no round trip earns, and the numeraire does not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.testing.laws import require

__all__ = ["check_curve"]


_SAME = 1e-9  # of the initial value


def check_curve(
    called: str, run: Callable[[FloatArray], tuple[FloatArray, FloatArray]], prices: FloatArray, first: int
) -> None:
    """Checks a pool whose curve does not move, and whose costs are shares of what is traded.

    * **No round trip earns.** Where prices return to those of the first bar, the pool is worth what it was, or more: what it
      lost, somebody would have earned by trading there and back. The pool starts at market price, where it is worth least of
      all points of its curve, so this also says that its curve never comes closer to zero.
    * **The numeraire does not matter.** If the unit of all prices changes from bar to bar, the pool holds the same tokens.

    Args:
        called: name for messages.
        run: prices (T, n) → value (S,) and token amounts (S, n) in the window; the value in units of that of the first bar.
        prices: (T, n) prices.
        first: first bar of the window.

    Raises:
        ConformanceError: the pool breaks a law.
    """
    generator = np.random.default_rng(11)
    there_and_back = prices.copy()
    there_and_back[first::2] = prices[first]
    value, _ = run(there_and_back)
    least = float(value[::2].min())
    require(
        least >= 1.0 - _SAME,
        "no round trip earns",
        f"{called} loses {1.0 - least:.3g} of its value on a round trip of prices, so traders earn it; charge fees on what "
        "comes in, and let trades keep the invariant",
    )
    unit = np.exp(0.1 * generator.standard_normal((prices.shape[0], 1)))
    unit[first] = 1.0
    _, held = run(prices)
    _, other = run(prices * unit)
    scale = np.abs(held).max(axis=0)
    apart = float((np.abs(other - held) / np.where(scale > 0.0, scale, 1.0)).max())
    require(
        apart <= _SAME,
        "numeraire",
        f"{called} holds other tokens if prices are quoted in another unit: they differ by {apart:.3g}; let trades depend on "
        "ratios of prices alone",
    )
