"""A pool of one's own: close to constant sum within a band of prices. Name it in a study as "examples/own_pool.py:band_pool".

Two tokens, A and B. The price of A in B starts at ``p0`` and is ``p0 exp(b (z - z0))`` where the pool is at place ``z`` of its
band, from -1, where it holds A only, to 1, where it holds B only. Per unit of liquidity it holds

    x(z) = (1 - z) / 2,    y(z) = p0 exp(-b z0) (exp(b z) - exp(-b)) / (2 b),

so ``dy = -price dx``, and for a narrow band ``b`` the sum ``p0 x + y`` hardly changes. Fees are kept beside the curve.
"""

from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field

from quantsim.parameters import ParameterSpec
from quantsim.parameters.spec import LOG2
from quantsim.pools import FeeRates, Market, Path, Pool, PoolSettings, PoolSetup, ReserveRun, Window
from quantsim.pools.market import at_bars

band = ParameterSpec(
    raw_name="log_band",
    human_name="band",
    unit="",
    description="half width of the band, in the logarithm of the price",
    transform=LOG2,
    default=0.2,
    low=0.02,
    high=1.0,
    log=True,
)


class BandSettings(PoolSettings):
    """``start_at`` is the place in the band at the first bar."""

    start_at: Annotated[float, Field(gt=-1.0, lt=1.0)] = 0.0


def run(
    setup: PoolSetup[BandSettings], params: Mapping[str, Array], market: Market, rates: FeeRates, window: Window
) -> ReserveRun:
    visits = slice(None, None, setup.arb_frequency)
    width, start = jnp.exp2(params["log_band"][0]), jnp.asarray(setup.own.start_at)
    prices = window.cut(market.prices)
    price, rates = prices[visits, 0] / prices[visits, 1], at_bars(rates, visits)
    target = start + jnp.log(price / price[0]) / width  # where the pool is at market price
    if not setup.do_arb:
        place = jnp.full_like(target, setup.own.start_at)
    elif window.path is Path.PER_BAR:
        place = jnp.clip(target, -1.0, 1.0)
    else:
        slack = -jnp.log1p(-rates.swap_fee) / width * jnp.ones_like(target)  # nobody trades within it

        def visit(place: Array, bar: tuple[Array, Array]) -> tuple[Array, Array]:
            to, around = bar
            place = jnp.clip(jnp.clip(place, to - around, to + around), -1.0, 1.0)
            return place, place

        place = jax.lax.scan(visit, start, (target, slack))[1]
    y_scale = price[0] * jnp.exp(-width * start) / (2.0 * width)
    held = jnp.stack([0.5 * (1.0 - place), y_scale * (jnp.exp(width * place) - jnp.exp(-width))], axis=-1)
    came_in = jnp.maximum(jnp.diff(held, axis=0, prepend=held[:1]), 0.0)
    kept = rates.swap_fee / (1.0 - rates.swap_fee) * (1.0 - rates.protocol_fee_split)
    fees = came_in * jnp.broadcast_to(kept, place.shape)[:, None]
    liquidity = setup.initial_value / jnp.sum(held[0] * prices[0])
    reserves = liquidity * (held + jnp.cumsum(fees, axis=0))
    earned = liquidity * jnp.sum(fees * prices[visits], axis=-1)
    return ReserveRun(reserves, prices, setup.arb_frequency, earned=earned)


def paths(setup: PoolSetup[BandSettings], *, every_bar: bool) -> dict[Path, str | None]:
    return {Path.PER_BAR: "a swap fee needs path = 'fees'" if setup.costs.charges else None, Path.FEES: None}


band_pool = Pool(
    name="band_pool",
    description="two tokens, close to constant sum within a band of prices",
    run=run,
    settings=BandSettings,
    parameters=(band,),
    paths=paths,
    charges=("swap_fee", "protocol_fee_split"),
    n_tokens=2,
    fixed_curve={},
)
