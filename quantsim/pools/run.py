"""The result of a pool over a window: what it can be asked, and a run of reserves, from which all of it follows."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import Bars
from quantsim.lazy_jax import Array, jnp
from quantsim.objective import Period

if TYPE_CHECKING:
    from quantsim.pools.exogenous_swaps import Fills

__all__ = ["ReserveRun", "Run"]


class Run(abc.ABC):
    """The result of a pool over a window. Bars count from the window's first bar; bars and periods are static."""

    @abc.abstractmethod
    def value_at(self, bars: Bars) -> Array:
        """Returns the pool value at chosen bars, (S,), in the quote currency."""

    @abc.abstractmethod
    def reserves_at(self, bars: Bars) -> Array:
        """Returns the token amounts in the pool at chosen bars, (S, n)."""

    @abc.abstractmethod
    def shares_at(self, bars: Bars) -> Array:
        """Returns each token's share of the pool value at chosen bars, (S, n)."""

    def weights_at(self, bars: Bars) -> Array:
        """Returns the weights at chosen bars, (S, n): shares of value unless the pool has its own weights."""
        return self.shares_at(bars)

    def weight_change(self, periods: Sequence[Period]) -> Array:
        """Returns ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` for each period, (P,); zero for a pool without its own weights."""
        return jnp.zeros(len(periods))

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        """Returns the fees that stay in the pool in each period, (P,), in the quote currency."""
        return jnp.zeros(len(periods))

    def fees_by_bar(self, n_bars: int) -> Array | None:
        """Returns the fees that stay in the pool at each bar of the window, (T,), in the quote currency; None if unknown."""
        return None

    def noise_by_bar(self, n_bars: int) -> Array | None:
        """Returns the part of these fees that noise traders of elastic volume pay, (T,); None without elastic volume."""
        return None

    def state_at(self, bars: Bars) -> dict[str, Array]:
        """Returns what else describes the pool at chosen bars: name → (S,), or (S, n) for a series of each token."""
        return {}

    def log_invariant_at(self, bars: Bars) -> Array | None:
        """Returns the logarithm of what no trade lowers, at bars, (S,); None if unknown, or if it also falls otherwise."""
        return None

    def fills(self) -> Fills | None:
        """Returns the results of exogenous swaps; None if there are none."""
        return None


@dataclass(frozen=True, eq=False)
class ReserveRun(Run):
    """A run with reserves that change only when arbitrageurs visit.

    Attributes:
        reserves: (V, n) token amounts after the visits at bars 0, ``k``, 2``k``, …
        prices: (T, n) prices in the window.
        stride: bars between visits, ``k``.
        value: (T,) pool value, if known more precisely than the value of the reserves; None otherwise.
        weights: (n,) or (T, n) weights; None for a pool without its own weights.
        earned: (V,) fees that stay in the pool at each visit, in the quote currency; None without fees.
    """

    reserves: Array
    prices: Array
    stride: int = 1
    value: Array | None = None
    weights: Array | None = None
    earned: Array | None = None

    def reserves_at(self, bars: Bars) -> Array:
        if not self._are_all(bars):
            return self.reserves[bars // self.stride]
        return jnp.repeat(self.reserves, self.stride, axis=0)[: bars.size] if self.stride > 1 else self.reserves

    def value_at(self, bars: Bars) -> Array:
        if self.value is None:
            return jnp.sum(self.reserves_at(bars) * self._prices_at(bars), axis=-1)
        return self.value if self._are_all(bars) else self.value[bars]

    def shares_at(self, bars: Bars) -> Array:
        return self.reserves_at(bars) * self._prices_at(bars) / self.value_at(bars)[:, None]

    def weights_at(self, bars: Bars) -> Array:
        if self.weights is None:
            return self.shares_at(bars)
        weights = jnp.broadcast_to(self.weights, self.prices.shape)
        return weights if self._are_all(bars) else weights[bars]

    def log_invariant_at(self, bars: Bars) -> Array | None:
        if self.weights is None or self.weights.ndim > 1:
            return None
        return jnp.log(self.reserves_at(bars)) @ self.weights

    def fee_revenue(self, periods: Sequence[Period]) -> Array:
        if self.earned is None:
            return jnp.zeros(len(periods))
        return jnp.stack([jnp.sum(self.earned[period.visits(self.stride)]) for period in periods])

    def fees_by_bar(self, n_bars: int) -> Array | None:
        fees = jnp.zeros(n_bars)
        return fees if self.earned is None else fees.at[:: self.stride].set(self.earned)

    def _prices_at(self, bars: Bars) -> Array:
        return self.prices if self._are_all(bars) else self.prices[bars]

    def _are_all(self, bars: Bars) -> bool:
        return np.array_equal(bars, np.arange(self.prices.shape[0]))
