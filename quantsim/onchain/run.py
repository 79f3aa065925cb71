"""Runs a pool's updates over prices, one after the other, in the contracts' integers."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.contract.pool import PoolState, initial_pool, interpolated_weights
from quantsim.contract.rules import RuleState
from quantsim.contract.update import Performed, Settings, observe, perform_update
from quantsim.errors import ContractError, PriceError
from quantsim.onchain.chain import Chain
from quantsim.onchain.settings import ContractPool

__all__ = ["ChainRun", "ChainUpdate", "oracle_prices", "run_on_chain", "warmed_up"]


@dataclass(frozen=True)
class ChainUpdate:
    """An update that the contract performed.

    Attributes:
        time: second of the block.
        prices: (n,) prices of the oracles.
        performed: the update.
    """

    time: int
    prices: tuple[int, ...]
    performed: Performed

    def move(self) -> tuple[int, ...]:
        """Returns the change that the update wants over an interval, (n,), with 18 decimals."""
        return tuple(new - old for new, old in zip(self.performed.updated, self.performed.current, strict=True))

    @property
    def not_stored(self) -> tuple[bool, ...]:
        """Whether each token's weight is to move, but by too little a second to be stored, (n,)."""
        return tuple(
            bool(move) and not each for move, each in zip(self.move(), self.performed.pool.multipliers, strict=True)
        )


@dataclass(frozen=True, eq=False)
class ChainRun:
    """The updates of a pool over a period of ``T`` bars.

    Attributes:
        start: the rule's state at the first bar.
        pool: the pool at the first bar.
        updates: the updates, in order.
        refused: seconds of tries before the interval had passed.
        reverted: seconds and reasons of updates that failed; weights go on moving as before.
        weights: (T, n) weights in force at each bar, with 18 decimals.
        held_bars: number of bars at which weights stood still because one had reached its rail.
    """

    start: RuleState
    pool: PoolState
    updates: tuple[ChainUpdate, ...]
    refused: tuple[int, ...]
    reverted: tuple[tuple[int, str], ...]
    weights: NDArray[np.int64]
    held_bars: int


def run_on_chain(
    pool: ContractPool,
    times: NDArray[np.int64],
    prices: FloatArray,
    first: int,
    n_bars: int,
    chunk_bars: int,
    chain: Chain | None = None,
) -> ChainRun:
    """Creates a pool at a bar, and runs its updates from the next chunk on.

    The rule's state warms up on the prices before, at the starts of chunks, as estimators of a simulation do.

    Args:
        pool: settings and initial weights.
        times: (T_all,) seconds of the bars.
        prices: (T_all, n) prices of the pool's tokens.
        first: first bar of the period.
        n_bars: number of bars of the period, ``T``.
        chunk_bars: bars between planned updates.
        chain: timing of the chain.

    Raises:
        PriceError: the oracle delay reaches back before the first price.
        ContractError: a price does not fit, or weights cannot be computed.
    """
    chain = chain or Chain()
    bars = slice(first, first + n_bars)
    state = warmed_up(pool.settings, prices[first % chunk_bars : first + 1 : chunk_bars], chain)
    created = initial_pool(pool.initial_weights, int(times[first]))
    tries = chain.tries(times[bars][chunk_bars::chunk_bars])
    tries = tries[(tries > times[first]) & (tries <= times[bars][-1])]
    read = _bars_read(times, tries, chain)
    updates, refused, reverted = [], [], []
    current, last_run, now = created, 0, state
    for time, bar in zip(tries.tolist(), read.tolist(), strict=True):
        if time - last_run < pool.settings.update_interval:
            refused.append(time)
            continue
        data = oracle_prices(prices[bar], chain)
        try:
            performed = perform_update(pool.settings, now, current, data, time, last_run)
        except ContractError as error:
            reverted.append((time, str(error)))
            continue
        updates.append(ChainUpdate(time, data, performed))
        current, now, last_run = performed.pool, performed.state, time
    found = tuple(updates)
    weights, held = _bar_weights(created, found, chain.block_at(times[bars]))
    return ChainRun(state, created, found, tuple(refused), tuple(reverted), weights, held)


def warmed_up(settings: Settings, prices: FloatArray, chain: Chain) -> RuleState:
    """Returns the rule's state after prices, (K, n), one row per update: averages start at the first row, all else at zero."""
    rows = [oracle_prices(row, chain) for row in prices]
    state = RuleState(rows[0], settings.rule.initial(rows[0]))
    for row in rows[1:]:
        state = observe(settings, state, row)
    return state


def oracle_prices(prices: FloatArray, chain: Chain) -> tuple[int, ...]:
    """Returns prices as an oracle gives them, (n,): the nearest number with its decimals, with 18 decimals.

    Raises:
        PriceError: a price is too small for the oracle's decimals.
    """
    unit = Decimal(1).scaleb(-chain.oracle_decimals)
    found = []
    with decimal.localcontext(decimal.Context(prec=100)):
        for price in prices.tolist():
            fixed = int(Decimal(repr(price)).quantize(unit).scaleb(18))  # the digits of the price as written
            if fixed <= 0:
                raise PriceError(
                    f"price {price!r} is 0 with {chain.oracle_decimals} decimals: take more oracle_decimals"
                )
            found.append(fixed)
    return tuple(found)


def _bars_read(times: NDArray[np.int64], blocks: NDArray[np.int64], chain: Chain) -> NDArray[np.int64]:
    """Returns the bar whose price each update reads: the last one known, less the oracle's delay."""
    read = np.searchsorted(times, blocks - chain.oracle_delay_seconds, side="right") - 1
    if (read < 0).any():
        raise PriceError(
            f"oracle_delay_seconds = {chain.oracle_delay_seconds} reaches back before the first price: take prices that begin "
            "earlier"
        )
    return np.asarray(read, np.int64)


def _bar_weights(
    created: PoolState, updates: tuple[ChainUpdate, ...], blocks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Returns the weights in force in each block, (T, n), and in how many of them interpolation had ended at a rail."""
    rows, held = [], 0
    for pool, inside in _segments(created, updates, blocks):
        rows.append(interpolated_weights(pool, inside))
        held += int((inside >= pool.last_interpolation).sum()) if any(pool.multipliers) else 0
    return np.concatenate(rows), held


def _segments(
    created: PoolState, updates: tuple[ChainUpdate, ...], blocks: NDArray[np.int64]
) -> Iterator[tuple[PoolState, NDArray[np.int64]]]:
    """Yields each pool, from its update to the next, with the blocks between; none before its update."""
    pools = [created, *(update.performed.pool for update in updates)]
    bounds = [0, *np.searchsorted(blocks, [update.time for update in updates]).tolist(), blocks.size]
    for pool, begin, end in zip(pools, bounds[:-1], bounds[1:], strict=True):
        yield pool, np.maximum(blocks[begin:end], pool.last_update)
