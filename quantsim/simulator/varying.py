"""Loads and checks the series of an experiment's ``series`` table, and aligns them with the bars of the prices."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.errors import ConfigError, PriceError
from quantsim.prices import Prices
from quantsim.prices.instants import text
from quantsim.prices.series import ORACLE, check_values, load_series
from quantsim.prices.supply import SUPPLY, SupplyChanges, load_supply
from quantsim.prices.trades import Trades, load_trades
from quantsim.prices.weights import WEIGHTS, WeightUpdates, load_weights

__all__ = ["Varying", "load_varying"]

TRADES = "trades"


@dataclass(frozen=True, eq=False)
class Varying:
    """The series of an experiment on the ``T`` bars of its prices.

    Attributes:
        costs: setting → (T,), for those of ``swap_fee``, ``arb_fee`` and ``gas_cost_usd`` that vary; nan before they begin.
        oracle: (T, n) oracle series; None if there is none.
        trades: exogenous swaps; None if there are none.
        weights: (T, n) given weights; nan before they begin; None if there are none.
        supply: joins and exits; None if there are none.
    """

    costs: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    oracle: NDArray[np.float64] | None = None
    trades: Trades | None = None
    weights: NDArray[np.float64] | None = None
    supply: SupplyChanges | None = None

    @property
    def begins(self) -> int:
        """The first bar with all costs and weights: no window may begin before it."""
        columns = [*self.costs.values(), *([] if self.weights is None else [self.weights[:, 0]])]
        return max((int(np.argmax(~np.isnan(column))) for column in columns), default=0)

    def data_id(self, prices: Prices) -> str:
        """Returns the identity of the prices; with series, the SHA-256 of this and of the series, in hex."""
        arrays: dict[str, Any] = dict(self.costs)
        if self.oracle is not None:
            arrays[ORACLE] = self.oracle
        if self.weights is not None:
            arrays[WEIGHTS] = self.weights
        if self.supply is not None:
            arrays |= {f"{SUPPLY}.{name}": getattr(self.supply, name) for name in ("times_us", "shares", "amounts")}
        if self.trades is not None:
            arrays |= {f"{TRADES}.{name}": getattr(self.trades, name) for name in ("times", "amount_in", "amount_out")}
            arrays |= {f"{TRADES}.{name}": "\n".join(getattr(self.trades, name)) for name in ("token_in", "token_out")}
        if not arrays:
            return prices.identity
        digest = hashlib.sha256(f"quantsim series 1\n{prices.identity}\n".encode())
        for name, array in sorted(arrays.items()):
            content = array.encode() if isinstance(array, str) else np.ascontiguousarray(array).tobytes()
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()


def load_varying(
    experiment: Experiment, prices: Prices, begin: int, end: int, used_from: int, given: Mapping[str, Any] | None = None
) -> Varying:
    """Loads the series of an experiment, cut like its prices.

    Args:
        experiment: experiment with a ``series`` table.
        prices: uncut prices.
        begin: first bar of the cut; the oracle must begin at or before it, as rules read history.
        end: bar after the last of the cut.
        used_from: first bar of the experiment's periods, in the cut; costs must begin at or before it.
        given: setting → replacement for its file: a value per bar of ``prices``, (T_all,), or (T_all, n) for the
            oracle, or :class:`~quantsim.prices.Trades`. The experiment must name the setting, too.

    Raises:
        PriceError: a series is malformed, or begins too late.
        ConfigError: ``given`` has a setting that the experiment does not name.
    """
    named = {name: source for name, source in experiment.series.model_dump().items() if source is not None}
    given = dict(given or {})
    for name in given:
        if name not in named:
            raise ConfigError(
                f"series {name!r} is given, but the experiment does not name it: set series.{name} to any text"
            )
    grid, tokens, stamps = prices.grid.part(begin, end), experiment.tokens, experiment.data.stamps

    def laid(name: str) -> NDArray[np.float64]:
        oracle = name == ORACLE
        if name in given:
            shape = (prices.n_bars, len(tokens)) if oracle else (prices.n_bars,)
            return check_values(name, given[name], shape)[begin:end]
        needed_from, columns = (0, tokens) if oracle else (used_from, ())
        return load_series(name, named[name], grid, needed_from=needed_from, tokens=columns, stamps=stamps)

    trades = None
    if TRADES in named:
        trades = given.get(TRADES)
        if trades is None:
            trades = load_trades(named[TRADES], delay_minutes=grid.bar_minutes if stamps == "start" else 0)
        if not isinstance(trades, Trades):
            raise PriceError(f"series trades is a {type(trades).__name__}; give quantsim.prices.Trades")
        trades.check_tokens(tokens)
    weights = None
    if WEIGHTS in named:
        updates = given.get(WEIGHTS)
        weights = _weights(
            load_weights(named[WEIGHTS], tokens) if updates is None else updates, prices, begin, end, used_from
        )
    costs = {name: laid(name) for name in experiment.series.costs}
    return Varying(costs, laid(ORACLE) if ORACLE in named else None, trades, weights, _supply(named, given))


def _supply(named: Mapping[str, str], given: Mapping[str, Any]) -> SupplyChanges | None:
    """Returns joins and exits; None if the experiment names none."""
    if SUPPLY not in named:
        return None
    changes = given.get(SUPPLY)
    changes = load_supply(named[SUPPLY]) if changes is None else changes
    if not isinstance(changes, SupplyChanges):
        raise PriceError(f"series supply is a {type(changes).__name__}; give quantsim.prices.supply.SupplyChanges")
    return changes


def _weights(updates: object, prices: Prices, begin: int, end: int, used_from: int) -> NDArray[np.float64]:
    """Returns given weights at the bars of the cut, (T, n)."""
    if not isinstance(updates, WeightUpdates):
        raise PriceError(f"series weights is a {type(updates).__name__}; give quantsim.prices.weights.WeightUpdates")
    found = updates.at(prices.grid.part(begin, end).times_us())
    if np.isnan(found[used_from]).any():
        first, needed = (text(int(us)) for us in (updates.times_us[0], prices.grid.times_us()[begin + used_from]))
        late = f"the first time, {first}, is later than {needed}, the first bar that uses the weights"
        raise PriceError(f"{updates.source}: {late}; add a row for that time or an earlier one")
    return found
