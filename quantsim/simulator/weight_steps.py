"""The loss of a pool because its weights move in one step per bar, while on the chain they move block by block.

At a bar whose weights move from ``w`` to ``w'``, arbitrageurs trade the pool to the new weights at once. This costs it
``KL(w' ‖ w)`` of log value without fees, and about as much with them. A move in ``m`` smaller steps costs one ``m``-th of
it. So a simulation loses the sum over its bars; a pool, whose steps are blocks of some seconds, loses next to nothing. The loss
is in proportion to the length of a bar: small on minutes, and larger than any skill on days.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.pools.base import PoolSetup
from quantsim.pools.steered.weights import Steering

__all__ = ["STEPS", "step_caution", "step_loss", "step_note"]

STEPS = "weight_steps"
"""The name of :func:`step_note` among the notes of an evaluator."""

_LONG_BARS = 60  # minutes
_NEGLIGIBLE = 0.01
"""Log loss per year up to which there is no caution."""


def step_loss(weights: NDArray[np.float64]) -> float:
    """Returns the log value that arbitrageurs take because the weights, (T, n), move in steps: ``Σ_t KL(w[t] ‖ w[t-1])``.

    It is nan if a weight is not positive, as ``interpolation = "published_optimal"`` allows.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sum(weights[1:] * np.log(weights[1:] / weights[:-1])))


def step_note(setup: PoolSetup[Any]) -> dict[str, str]:
    """Returns the note on results of any parameter set on bars of an hour or longer, by its name; else nothing."""
    pools = (setup, *(part.setup for part in setup.subsidiaries))
    if setup.bar_minutes < _LONG_BARS or not any(map(_pays_for_steps, pools)):
        return {}
    text = (
        f"on bars of {setup.bar_minutes} minutes, weights move in long steps, and pools that trade much lose more than on the "
        "chain; `quantsim simulate` says how much"
    )
    return {STEPS: text}


def _pays_for_steps(setup: PoolSetup[Any]) -> bool:
    """Whether arbitrageurs trade each step of the weights, and the length of the bars decides how long the steps are."""
    own = setup.own
    moves = isinstance(own, Steering) and own.moves and not own.trading_bars and setup.pool.name == "weighted"
    return moves and setup.do_arb and setup.arb_frequency == 1


def step_caution(setup: PoolSetup[Any], weights: NDArray[np.float64]) -> str | None:
    """Returns a caution if a simulation loses more than 1 % a year because weights move in steps; None if it does not.

    There is none for pools that are not visited at every bar, whose steps are those of the visits, and for portfolios that
    trade at market prices.

    Args:
        setup: setup of the simulated pool.
        weights: (T, n) weights at each bar.
    """
    if not _pays_for_steps(setup):
        return None
    loss, days = step_loss(weights), len(weights) * setup.bar_minutes / 1440.0
    if not loss * DAYS_PER_YEAR / days > _NEGLIGIBLE:  # nan, too
        return None
    lost = 100.0 * -math.expm1(-loss)
    shown = f"{lost:.{0 if lost >= 10.0 else 1}f} %"
    return (
        f"weights move in steps of {setup.bar_minutes} minutes, which costs about {shown} of the pool's value over these "
        f"{days:g} days; on the chain they move block by block: take shorter bars"
    )
