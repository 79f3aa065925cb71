"""Geometric Brownian motion with a trend: a drift that follows an Ornstein-Uhlenbeck process, which momentum can find."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.prices.synthetic.arithmetic import LN2, exponential, standard_normals, stream
from quantsim.prices.synthetic.checks import PerToken, check_number, check_per_token, value_of
from quantsim.prices.synthetic.gbm import Gbm
from quantsim.prices.table import Prices
from quantsim.prices.time_grid import DAY_MINUTES

__all__ = ["OuTrend", "ou_trend"]


@dataclass(frozen=True, kw_only=True)
class OuTrend(Gbm):
    """Parameters of geometric Brownian motions whose drifts move.

    To the drift of :class:`~quantsim.prices.synthetic.gbm.Gbm` each token adds its own trend: a stationary Ornstein-Uhlenbeck
    process around zero (Uhlenbeck and Ornstein 1930), sampled exactly at the bars and constant within each.

    Attributes:
        trend_half_life_days: time in which the expected trend falls by half.
        trend_deviation_per_hour: standard deviation of the trend, in log return per hour.
    """

    kind: ClassVar[str] = "ou-trend"

    trend_half_life_days: float = 14.0
    trend_deviation_per_hour: PerToken = 0.0005

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("trend_half_life_days", self.trend_half_life_days, 0.0, 36_525.0, above=True)
        check_per_token("trend_deviation_per_hour", self.trend_deviation_per_hour, 0.0, 1.0)

    def _drift(self, token: str, n_steps: int, hours: float) -> FloatArray:
        half_lives = hours * 60.0 / (self.trend_half_life_days * DAY_MINUTES)
        kept = float(exponential(np.array([-LN2 * half_lives]))[0])
        noise = standard_normals(stream(self.seed, "trend", token), n_steps)
        noise *= value_of("trend_deviation_per_hour", self.trend_deviation_per_hour, token)
        noise[1:] *= math.sqrt(1.0 - kept * kept)  # the first is drawn from the stationary distribution
        trend = itertools.accumulate(noise.tolist(), lambda before, shock: kept * before + shock)
        return super()._drift(token, n_steps, hours) + np.fromiter(trend, np.float64, n_steps)


def ou_trend(tokens: Sequence[str], **parameters: Any) -> Prices:
    """Returns prices with trends.

    Args:
        tokens: names, each once.
        **parameters: the attributes of :class:`OuTrend`, and of :class:`~quantsim.prices.synthetic.gbm.Gbm`.

    Raises:
        PriceError: a parameter or a token is invalid.

    Example:
        >>> ou_trend(["A", "B"], trend_half_life_days=14.0, trend_deviation_per_hour=0.0002).n_tokens
        2
    """
    return OuTrend(**parameters).prices(tokens)
