"""When a chain has blocks, updates and prices: block times, oracle delay, updates that come late or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import ConfigError
from quantsim.prices.instants import Time, microseconds

if TYPE_CHECKING:
    from quantsim.prices import Prices

__all__ = ["Chain", "bar_seconds", "load_times", "seconds_of"]

_MICRO = 1_000_000
_MOST_DECIMALS = 18


@dataclass(frozen=True)
class Chain:
    """The timing of a chain. Times are seconds.

    Attributes:
        block_seconds: seconds between blocks, which are at multiples of it; 12 on Ethereum.
        oracle_delay_seconds: age of the prices that an update reads.
        oracle_decimals: decimals of the oracles' prices, at most 18; many feeds in US dollars have 8.
        update_delay_seconds: how much later than planned each update comes.
        missed_updates: planned times, the starts of chunks, of updates that do not come at all.
        update_times: times at which updates are tried, instead of the start of each chunk; those that come less than an
            interval after the last one are refused, as by the contract. None for the planned times.

    Raises:
        ConfigError: a value is out of range, or ``update_times`` stands beside a delay or missed updates.
    """

    block_seconds: int = 12
    oracle_delay_seconds: int = 0
    oracle_decimals: int = _MOST_DECIMALS
    update_delay_seconds: int = 0
    missed_updates: tuple[Time, ...] = ()
    update_times: tuple[Time, ...] | None = None

    def __post_init__(self) -> None:
        limits = {
            "block_seconds": (1, 86_400),
            "oracle_delay_seconds": (0, 31_536_000),
            "oracle_decimals": (0, _MOST_DECIMALS),
            "update_delay_seconds": (0, 31_536_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ConfigError(f"{name} = {value!r} must be a whole number from {low} to {high:,}")
        if self.update_times is not None and (self.update_delay_seconds or self.missed_updates):
            other = "missed_updates" if self.missed_updates else "update_delay_seconds"
            raise ConfigError(f"update_times already say when updates come: leave {other} out")

    def block_at(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the last block at or before each second."""
        return np.asarray(seconds // self.block_seconds * self.block_seconds)

    def block_from(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the first block at or after each second."""
        return np.asarray(-(-seconds // self.block_seconds) * self.block_seconds)

    def check_missed(self, planned: NDArray[np.int64]) -> None:
        """Raises ConfigError if a missed update was not planned; arguments as for :meth:`tries`."""
        missed = seconds_of(self.missed_updates, "missed_updates")
        unknown = missed[~np.isin(missed, planned)]
        if unknown.size:
            stamp, *ends = (np.datetime64(int(second), "s") for second in (unknown[0], *planned[:1], *planned[-1:]))
            raise ConfigError(
                f"missed_updates: no update is planned at {stamp}; updates are planned at the starts of chunks, from "
                f"{' to '.join(map(str, ends))}"
            )

    def tries(self, planned: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the seconds of the blocks in which updates are tried, ascending.

        Args:
            planned: (U,) seconds of the starts of chunks.
        """
        if self.update_times is not None:
            return self.block_from(np.unique(seconds_of(self.update_times, "update_times")))
        missed = seconds_of(self.missed_updates, "missed_updates")
        return self.block_from(planned[~np.isin(planned, missed)] + self.update_delay_seconds)


def bar_seconds(prices: Prices) -> NDArray[np.int64]:
    """Returns the stamps of bars as seconds since 1970, (T,)."""
    return np.asarray(prices.times.astype("datetime64[s]").astype(np.int64))


def load_times(source: str | Path) -> tuple[np.datetime64, ...]:
    """Reads times, in UTC, from the column ``time`` of a table, such as those of updates.

    Raises:
        PriceError: the file cannot be read, or has no times.
    """
    from quantsim.prices.read import read_named

    return tuple(read_named(Path(source)).times_us.view("datetime64[us]"))


def seconds_of(times: tuple[Time, ...], name: str) -> NDArray[np.int64]:
    """Returns times as seconds since 1970."""
    return np.asarray([microseconds(time, name) // _MICRO for time in times], np.int64)
