"""The model of elastic noise volume, as a table of a study: expected volume by fee, pool value, volatility and hour.

    E[volume per day] = A (TVL/$1M)^b exp(-ε (fee/fee₀ - 1)) (σ/σ₀)^d h(hour)

The fee acts exponentially: ``ε`` is the elasticity of volume at the reference fee ``fee₀``, and ``ε·fee/fee₀`` at any fee. So
volume is finite at a fee of zero, and the revenue of noise trades, fee times volume, is largest where the elasticity is 1, at
``fee₀/ε``. With a constant elasticity, revenue would have no largest value: it would grow without bound towards one end.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from quantsim.settings.base import Section
from quantsim.settings.decides import Decides
from quantsim.settings.kinds import Days, Number, Positive

__all__ = [
    "COEFFICIENTS",
    "HOURS_PER_DAY",
    "LARGEST_TVL_ELASTICITY",
    "MOST_DRAWS",
    "REFERENCE_TVL",
    "VolumeModel",
    "VolumeShape",
]

COEFFICIENTS = ("usd_per_day", "tvl_elasticity", "fee_elasticity", "volatility_elasticity")
"""The parameters of which a fit has posterior draws, in the order of a draw."""

REFERENCE_TVL = 1e6
"""Pool value at which ``usd_per_day`` is the expected volume, in USD."""

LARGEST_TVL_ELASTICITY = 1.5

HOURS_PER_DAY = 24
MOST_DRAWS = 256

Draw = tuple[
    Positive,
    Annotated[Number, Field(ge=0.0, le=LARGEST_TVL_ELASTICITY)],
    Annotated[Number, Field(ge=0.0, le=100.0)],
    Annotated[Number, Field(ge=-10.0, le=10.0)],
]


class VolumeShape(NamedTuple):
    """What a compiled program needs to know of elastic volume.

    Attributes:
        volatility_bars: bars over which volatility is measured.
        quantile: level of the quantile over draws; None for the mean.
    """

    volatility_bars: int
    quantile: float | None


def _of_a_day(hours: tuple[float, ...]) -> tuple[float, ...]:
    if hours and len(hours) != HOURS_PER_DAY:
        raise ValueError(f"has {len(hours)} values: give one for each hour of the day, from 00:00 UTC, or none")
    if hours and abs(sum(hours) / HOURS_PER_DAY - 1.0) > 1e-6:
        raise ValueError(f"has the mean {sum(hours) / HOURS_PER_DAY:g}: divide by it, so that a day has the mean 1")
    return hours


class VolumeModel(Section, decides=Decides.VALUE):
    """The expected volume of noise traders. ``quantsim fit-volume`` estimates it from the history of a pool.

    ``usd_per_day`` is the volume of a pool worth $1M at the reference fee and the reference volatility. Volatilities are
    standard deviations of log returns per square root of a day, of the ratio of two tokens' prices; for more than two tokens
    the root of the mean variance of all pairs.
    """

    usd_per_day: Positive
    """Expected volume per day of a pool of 1M USD, at the reference fee and volatility, in USD."""
    tvl_elasticity: Annotated[Number, Field(ge=0.0, le=LARGEST_TVL_ELASTICITY)] = 1.0
    """Elasticity of volume to the pool's value."""
    fee_elasticity: Annotated[Number, Field(ge=0.0, le=100.0)] = 1.0
    """Elasticity of volume to the fee at the reference fee, as a positive number; proportional to the fee elsewhere."""
    volatility_elasticity: Annotated[Number, Field(ge=-10.0, le=10.0)] = 0.0
    """Elasticity of volume to volatility."""
    reference_fee: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.003
    """Fee at which ``usd_per_day`` and ``fee_elasticity`` hold."""
    reference_volatility: Annotated[float, Field(gt=0.0, le=10.0)] = 0.04
    """Volatility at which ``usd_per_day`` holds, per square root of a day."""
    volatility_days: Annotated[Days, Field(gt=0.0)] = 7.0
    """Days before a bar over which volatility is measured."""
    hours: Annotated[tuple[Annotated[float, Field(ge=0.0)], ...], AfterValidator(_of_a_day)] = ()
    """Volume in each hour of the day, UTC, relative to the mean of the day; none for a constant one."""
    draws: Annotated[tuple[Draw, ...], Field(max_length=MOST_DRAWS)] = ()
    """Posterior draws of a fit: the volume in USD, and the elasticities to value, fee and volatility."""
    fee_is_identified: bool = True
    """Whether the elasticity to the fee comes from data, rather than from a prior."""

    def coefficients(self, n_draws: int = 0) -> NDArray[np.float64]:
        """Returns the first draws, or the point estimate if ``n_draws`` is 0: (D, 4), with the logarithm of the volume."""
        rows = self.draws[:n_draws] if n_draws else [tuple(getattr(self, name) for name in COEFFICIENTS)]
        found = np.asarray(rows, np.float64)
        found[:, 0] = np.log(found[:, 0])
        return found

    def exposure(self, first_minute: int, bar_minutes: int, n_bars: int) -> NDArray[np.float64]:
        """Returns the days of average volume that pass in each bar, (T,), by the hours of the day.

        Args:
            first_minute: minute of the day at which the first bar ends, in UTC.
            bar_minutes: length of a bar, in minutes.
            n_bars: number of bars.
        """
        if not self.hours:
            return np.full(n_bars, bar_minutes / 1440.0)
        passed = np.concatenate([[0.0], np.cumsum(np.repeat(self.hours, 60))]) / 1440.0  # since midnight, by minute
        ends = first_minute + bar_minutes * np.arange(-1, n_bars)
        days, minutes = np.divmod(ends, 1440)
        return np.diff(days + passed[minutes])
