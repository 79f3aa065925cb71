"""The static shape of a pool: what decides which program is compiled, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jax import Array

from quantsim.rules import Output, Rule, RuleSettings

__all__ = ["FeeRates", "Market", "PoolSetup", "Window"]


@dataclass(frozen=True)
class PoolSetup:
    """A pool, its rule and its update settings, in bars. Hashable: two experiments of equal setup share one program.

    Attributes:
        rule: the strategy.
        settings: what of the experiment the rule reads.
        n_tokens: number of tokens, ``n``.
        bar_minutes: length of a bar, in minutes.
        chunk_bars: bars between decisions, ``C``.
        ramp_bars: bars over which a decided change is spread, ``I ≤ C``.
        maximum_change: largest weight change per bar.
        minimum_weight: lower guardrail.
        optimal_ramp: whether the ramp is the approximately optimal one instead of the linear one.
        initial_value: pool value at the first bar, in the quote currency.
        trades: whether arbitrageurs trade at all.
        arb_frequency: bars between their visits.
        charges: whether any fee, gas or arbitrage cost applies.
        has_gas: whether a trade has to earn a fixed cost.
        has_noise: whether noise traders follow the arbitrageurs.
    """

    rule: Rule
    settings: RuleSettings
    n_tokens: int
    bar_minutes: int
    chunk_bars: int
    ramp_bars: int
    maximum_change: float
    minimum_weight: float
    optimal_ramp: bool
    initial_value: float
    trades: bool
    arb_frequency: int
    charges: bool
    has_gas: bool
    has_noise: bool

    @property
    def holds(self) -> bool:
        """Whether the reserves never change."""
        return not self.trades or self.rule.output is Output.HOLD

    @property
    def moves(self) -> bool:
        """Whether the weights ever change."""
        return self.rule.output not in (Output.CONSTANT, Output.HOLD)


class FeeRates(NamedTuple):
    """What trading costs; scalars ().

    Attributes:
        swap_fee: share of what goes in, ``1 - γ``.
        arb_fee: the arbitrageur's own proportional cost, ``a``, half on each leg.
        gas_cost: fixed cost of a trade, in the quote currency.
        noise_trader_ratio: noise volume over arbitrage volume, ``ρ``.
        protocol_fee_split: share of the swap fee that leaves the pool, ``f``.
    """

    swap_fee: Array
    arb_fee: Array
    gas_cost: Array
    noise_trader_ratio: Array
    protocol_fee_split: Array


class Market(NamedTuple):
    """Prices as the compiled program takes them: always arguments, never constants folded into it.

    Attributes:
        prices: (T, n), quote currency per token.
        log_prices: (T, n), relative to the first bar (only differences are ever used).
        summed: (T, n), inclusive prefix sum of ``log_prices``; makes the closed form ``O(chunks)``.
    """

    prices: Array
    log_prices: Array
    summed: Array


@dataclass(frozen=True)
class Window:
    """The static shape of an evaluation window.

    Attributes:
        n_bars: number of bars, ``T``.
        bars_per_day: bars in a day, ``B``.
    """

    n_bars: int
    bars_per_day: int
