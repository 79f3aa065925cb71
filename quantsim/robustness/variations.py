"""The number and the sizes of variations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from quantsim.errors import ConfigError
from quantsim.limits import MOST_COUNT

__all__ = ["KINDS", "Kind", "Variations"]

Kind = Literal["neighbours", "price_noise", "resampled_prices", "shifted_starts", "costs"]
"""A kind of variations."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of variations."""

_MOST = 10_000
_LARGEST = {
    "radius": 10.0,
    "price_noise": 0.5,
    "mean_block_days": 36_525.0,
    "shift_days": 36_525.0,
    "cost_factor": 100.0,
}


@dataclass(frozen=True, kw_only=True)
class Variations:
    """The number of variations of each kind, and their sizes.

    Attributes:
        n: number of variations of each kind.
        radius: largest distance of neighbours in each raw parameter; see :func:`~quantsim.robustness.neighbours`.
        price_noise: standard deviation of the independent noise on every log price.
        mean_block_days: mean length of the blocks of resampled prices, in days.
        shift_days: latest start of the pool after the beginning of a split, in days; at most a quarter of the split.
        cost_factor: costs lie between those of the study divided by this and multiplied by it.
        arb_fee: the highest arbitrage cost, where it is zero in the study.
        gas_cost_usd: the highest cost of a trade in USD, where it is zero in the study.
        seed: seed of all random numbers. More variations do not change the first ones.

    Raises:
        ConfigError: a value is out of range.
    """

    n: int = 100
    radius: float = 0.5
    price_noise: float = 0.001
    mean_block_days: float = 10.0
    shift_days: float = 30.0
    cost_factor: float = 2.0
    arb_fee: float = 0.001
    gas_cost_usd: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.n <= _MOST:
            raise ConfigError(f"n = {self.n} variations of each kind: give 1 to {_MOST:,}")
        for name, largest in _LARGEST.items():
            value, least = getattr(self, name), 1.0 if name == "cost_factor" else 0.0
            zero = name in ("price_noise", "cost_factor")
            if not (math.isfinite(value) and (least <= value if zero else least < value) and value <= largest):
                words = "at least" if zero else "above"
                raise ConfigError(f"{name} = {value} must be {words} {least:g} and at most {largest:g}")
        if not 0.0 <= self.arb_fee < 1.0:
            raise ConfigError(f"arb_fee = {self.arb_fee} must be at least 0 and below 1")
        if not 0.0 <= self.gas_cost_usd <= MOST_COUNT:
            raise ConfigError(f"gas_cost_usd = {self.gas_cost_usd} must be at least 0 and at most {MOST_COUNT:,}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed} must be from 0 to 2^63 - 1")
