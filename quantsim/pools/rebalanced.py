r"""A portfolio that is rebalanced to its weights at market prices, off the chain, with the costs of an exchange.

The portfolio is what a fund of the traditional kind does with the same weights. At a visit it trades to the weights ``u`` of
the bar before, then to the new ones, ``w``. Each trade costs ``τ`` of the value that is sold, and half the spread of a token of
what is bought or sold of it. With ``s`` the shares of its value after the prices have moved, and ``V`` that value,

    V ← V · (1 - c(s, u)) (1 - c(u, w)) φ,    c(a, b) = Σ_i τ max(a_i - b_i, 0) + ½ h_i |a_i - b_i|,

where ``h`` are spreads, and ``φ`` takes the annual fee of the manager in equal parts. The reserves are at their weights after
every visit, so the shares at the next follow from the weights and the price moves in between: no recursion is left.

Loss versus rebalancing (arXiv:2208.06046) compares a pool with such a portfolio without costs, rebalancing versus rebalancing
(arXiv:2410.23404) with one that pays them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import Field

from quantsim.lazy_jax import Array, jnp
from quantsim.pools.base import Params, Path, Pool, PoolSetup, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.hours import HoursSettings, check_hours, visit_bars, with_hours
from quantsim.pools.steered.run import held_between, steered_run
from quantsim.pools.steered.steering import rule_outputs, steered_parameters, steering_of
from quantsim.pools.steered.weights import Steering
from quantsim.rules import RuleSettings

__all__ = ["POOL", "RebalancedSettings", "Rebalancing"]

_MINUTES_PER_YEAR = 525_960  # of 365.25 days

Spread = Annotated[float, Field(ge=0.0, lt=1.0)]


class RebalancedSettings(HoursSettings):
    """Settings of a portfolio that is rebalanced off the chain; ``fees.swap_fee`` is the exchange's fee on what is sold.

    ``minimum_weight`` is ``0.1/n`` by default. A bound is one number, or one per token.
    """

    spread: Spread | tuple[Spread, ...] = 0.0
    """Difference of ask and bid as a share of the price: one number, or one per token. Trades cost half of it."""
    annual_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the portfolio that its manager takes in a year, in equal parts at every rebalancing."""


@dataclass(frozen=True)
class Rebalancing(Steering):
    """The static properties of a portfolio; durations are in bars.

    Attributes:
        half_spreads: half of each token's spread.
        kept: share of the value that the manager leaves at each visit.
    """

    half_spreads: tuple[float, ...] = ()
    kept: float = 1.0


def run(setup: PoolSetup[Rebalancing], params: Params, market: Market, rates: FeeRates, window: Window) -> Run:
    """Runs the portfolio over a window; see :attr:`quantsim.pools.base.Pool.run`."""

    def held(weights: Array) -> Run:
        prices = window.cut(market.prices)
        if window.path is Path.HOLD:
            return ReserveRun((setup.initial_value * weights[0] / prices[0])[None], prices, stride=window.n_bars)
        stride = setup.arb_frequency
        visits = visit_bars(setup.own, window.n_bars, stride)
        now, old = weights[visits], weights[visits[1:] - stride]
        valued = now[:-1] * jnp.exp(jnp.diff(window.cut(market.log_prices)[visits], axis=0))
        gain = jnp.sum(valued, axis=-1)
        fee = rates.swap_fee[visits[1:]] if rates.swap_fee.ndim else rates.swap_fee
        paid = _kept(valued / gain[:, None], old, fee, setup.own) * _kept(old, now[1:], fee, setup.own)
        growth = jnp.cumsum(jnp.log(gain * paid * setup.own.kept))
        value = setup.initial_value * jnp.exp(jnp.concatenate([jnp.zeros(1, growth.dtype), growth]))
        return held_between(value[:, None] * now / prices[visits], prices, visits)

    return steered_run(setup, params, market, window, held)


def _kept(before: Array, after: Array, fee: Array, own: Rebalancing) -> Array:
    """Returns the share of the value that a trade from shares to others leaves, (V,)."""
    change = after - before
    sold = jnp.sum(jnp.maximum(-change, 0.0), axis=-1)
    return 1.0 - fee * sold - jnp.sum(jnp.asarray(own.half_spreads) * jnp.abs(change), axis=-1)


def _static(view: PoolView, bar_minutes: int, settings: RuleSettings) -> Rebalancing:
    own = cast(RebalancedSettings, view.pool)
    steering = with_hours(steering_of(view, bar_minutes, settings), view, bar_minutes)
    step = math.gcd(own.arb_frequency, steering.chunk_bars)  # visits meet the bars of a chunk that are multiples of it
    visits = math.ceil((steering.trading_bars or steering.chunk_bars) / step) * step / own.arb_frequency
    per_year = visits * _MINUTES_PER_YEAR / view.update.chunk_minutes
    return Rebalancing(
        **vars(steering),
        half_spreads=tuple(0.5 * spread for spread in _spreads(view)),
        kept=float((1.0 - own.annual_fee) ** (1.0 / per_year)),
    )


def _spreads(view: PoolView) -> tuple[float, ...]:
    spread = cast(RebalancedSettings, view.pool).spread
    return spread if isinstance(spread, tuple) else (spread,) * len(view.tokens)


def _check(view: PoolView, human: Any) -> None:
    check_hours(view, human)
    if len(_spreads(view)) != len(view.tokens):
        raise ValueError(f"{view.told('spread')} must be one number, or one for each of {', '.join(view.tokens)}")


def paths(setup: PoolSetup[Rebalancing], *, every_bar: bool) -> dict[Path, str | None]:
    """Returns the paths, cheapest first, each with the reason why it does not support this setup, or None."""
    never = None if setup.do_arb else "the portfolio is never rebalanced"
    return {
        Path.HOLD: "the portfolio is rebalanced" if setup.do_arb else None,
        Path.PER_BAR: never,
        Path.CLOSED_FORM: "the portfolio has costs that depend on every visit",
        Path.FEES: "costs of a portfolio need no sequential pass: take path = 'per_bar'",
    }


POOL = Pool(
    name="rebalanced",
    description="rebalanced to its weights at market prices, with the costs of an exchange and a manager's fee",
    run=run,
    settings=RebalancedSettings,
    layout=steered_parameters,
    paths=paths,
    static=_static,
    decisions=rule_outputs,
    check=_check,
    charges=("swap_fee",),
    follows_schedule=True,
    trade_costs="costs of rebalancing, and the manager's fee",
    export_remark="it is a portfolio, not a contract: its weights can be those of a weighted pool",
)
