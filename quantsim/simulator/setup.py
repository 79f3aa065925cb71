"""What the compiled programs take: the static shape of a pool, and the arrays that are never static."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.errors import ConfigError
from quantsim.rules import Output, Rule, RuleSettings

__all__ = ["FeeRates", "Market", "PoolSetup", "fee_rates", "market", "pool_setup"]


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
    def shows_shares(self) -> bool:
        """Whether the pool has no weights of its own, so that its shares of value are shown as weights."""
        return self.rule.output is Output.HOLD

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


def pool_setup(experiment: Experiment, bar_minutes: int) -> PoolSetup:
    """The setup of an experiment on bars of a given length.

    Raises:
        ConfigError: the chunk or the ramp is not a whole number of bars.
    """
    update, fees = experiment.update, experiment.fees
    return PoolSetup(
        rule=experiment.rule,
        settings=RuleSettings(update.chunk_minutes, update.max_memory_days, update.use_alt_lamb),
        n_tokens=len(experiment.data.tokens),
        bar_minutes=bar_minutes,
        chunk_bars=_whole_bars("update.chunk_minutes", update.chunk_minutes, bar_minutes),
        ramp_bars=_whole_bars("update.interpolation_minutes", experiment.interpolation_minutes, bar_minutes),
        maximum_change=update.maximum_change_per_minute * bar_minutes,
        minimum_weight=experiment.minimum_weight,
        optimal_ramp=update.interpolation == "optimal",
        initial_value=experiment.pool.initial_value_usd,
        trades=experiment.pool.do_arb,
        arb_frequency=experiment.pool.arb_frequency,
        charges=fees.any,
        has_gas=fees.gas_cost_usd > 0,
        has_noise=fees.noise_trader_ratio > 0 and fees.swap_fee > 0,
    )


def fee_rates(experiment: Experiment) -> FeeRates:
    """The fees of an experiment, as arguments of the compiled program."""
    fees = experiment.fees
    rates = (fees.swap_fee, fees.arb_fee, fees.gas_cost_usd, fees.noise_trader_ratio, fees.protocol_fee_split)
    return FeeRates(*(jnp.asarray(rate, jnp.float64) for rate in rates))


def market(prices: NDArray[np.float64]) -> Market:
    """Prices ``(T, n)`` as arguments of the compiled program. The prefix sums are made here, once per data set."""
    log_prices = np.log(prices / prices[0])
    summed = np.cumsum(log_prices, axis=0, dtype=np.longdouble).astype(np.float64)
    return Market(jnp.asarray(prices), jnp.asarray(log_prices), jnp.asarray(summed))


def _whole_bars(key: str, minutes: int, bar_minutes: int) -> int:
    if minutes % bar_minutes:
        raise ConfigError(f"{key} = {minutes} must be a multiple of the {bar_minutes}-minute bars of the prices")
    return minutes // bar_minutes
