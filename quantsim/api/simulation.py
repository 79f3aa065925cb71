"""Simulates one parameter set, and returns a result with tables and figures."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from quantsim.api.display import as_html
from quantsim.baseline import Baseline
from quantsim.config import Experiment
from quantsim.errors import ConfigError
from quantsim.prices import PriceData
from quantsim.prices.instants import Time
from quantsim.simulator import Path, Result, Split
from quantsim.simulator import simulate as simulated
from quantsim.simulator.attribution import attribute
from quantsim.simulator.volumes import VOLUMES, traded_volumes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from quantsim.onchain import Chain
    from quantsim.onchain.simulation import ChainSimulation

__all__ = ["Simulation", "simulate"]

_FLOWS = ("fees", *VOLUMES, "lvr", "gas")


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Result):
    """The result of :func:`simulate`: a :class:`~quantsim.Result` with its experiment, tables and figures.

    Attributes:
        experiment: the simulated experiment.
        on_chain: updates of the contract, and the difference to floating point; None unless simulated in its integers.
    """

    experiment: Experiment = field(kw_only=True)
    on_chain: ChainSimulation | None = field(default=None, kw_only=True)

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """A row per bar, indexed by ``time`` (UTC), with the columns of :meth:`to_frame`."""
        from quantsim.report.paths import path_frame

        frame = path_frame(self).set_index("time")
        before = {f"price_{token}": self.prices[:, index] for index, token in enumerate(self.tokens)}
        frame = frame.assign(**before)
        # What entered (positive) or left the pool at each bar, at the bar's prices; nothing at the first one.
        moved = np.diff(self.reserves, axis=0, prepend=self.reserves[:1]) * self.prices
        frame["fees"] = np.full(self.value.size, np.nan) if self.fees is None else self.fees
        frame = frame.assign(**traded_volumes(self, self.experiment.fees))
        frame["lvr"] = moved.sum(axis=1)
        frame["gas"] = np.abs(self._terms["gas"])
        return frame

    @functools.cached_property
    def _terms(self) -> dict[str, NDArray[np.float64]]:
        return attribute(self, self.experiment.fees.noise_trader_ratio)

    @property
    def _day_begins(self) -> pd.DatetimeIndex:
        """The first bar of the day of each bar, (T,)."""
        import pandas as pd

        begins = self.times - (self.times - self.times[0]) % np.timedelta64(1, "D")
        return pd.DatetimeIndex(begins, name="time").tz_localize("UTC")

    def to_frame(self, per: Literal["bar", "day"] = "bar") -> pd.DataFrame:
        """Returns a row per bar or per day, indexed by ``time`` (UTC). Amounts of money are in the quote currency.

        * ``value``: pool value; ``hodl_value``: value of holding the first bar's reserves.
        * ``weight_*``, ``reserve_*``, ``price_*``: weights, token amounts and prices of each token.
        * ``fees``: fees that stay in the pool; nan if a pool of your own does not say.
        * ``volume``: value of all trades, the mean of what they bring in and take out. It is the sum of ``arbitrage_volume``,
          ``noise_volume`` and ``swap_volume`` (of exogenous swaps); see :mod:`quantsim.simulator.volumes`.
        * ``lvr``: result of the trades at market prices, ``Σ_i (R[t,i] - R[t-1,i]) p[t,i]``, the bar's part of the metric
          ``lvr``: negative where the pool loses to arbitrageurs, fees included.
        * ``gas``: what arbitrageurs pay for gas, one trade at each bar in which they change the reserves.

        A day has the values, weights, reserves and prices of its first bar, and the sums of the columns from ``fees`` on. The
        days are those of the daily returns: they begin at the time of day at which the simulation begins.

        Example:
            >>> import quantsim
            >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
            >>> list(quantsim.simulate(study, split="test").to_frame("day").columns)[:4]
            ['value', 'hodl_value', 'weight_BTC', 'weight_ETH']
        """
        if per == "bar":
            return self.frame
        if per != "day":
            raise ConfigError(f"per = {per!r}: give 'bar' or 'day'")
        days = self.frame.groupby(self._day_begins)
        daily = days.first()
        daily[list(_FLOWS)] = days[list(_FLOWS)].sum(min_count=1)
        return daily

    def attribution(self, per: Literal["bar", "day", "split"] = "split") -> pd.DataFrame:
        """Returns what the profit and loss of each bar, day or split comes from, in the quote currency.

        The columns ``held``, ``traded``, ``arbitrage``, ``gas``, ``fees``, ``noise`` and ``swaps`` sum to the column ``total``,
        the change of the pool's value, and the rows to its change over the simulation.
        :func:`quantsim.simulator.attribution.attribute` defines them. Bars and days are indexed by ``time`` (UTC). The change
        from the last bar of a day or split to the next bar counts for the latter.

        Example:
            >>> import quantsim
            >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
            >>> result = quantsim.simulate(study, split="all")
            >>> table = result.attribution()
            >>> list(table.index), bool(abs(table["total"].sum() + result.value[0] - result.value[-1]) < 1e-6)
            (['train', 'validation', 'test'], True)
        """
        import pandas as pd

        times = pd.DatetimeIndex(self.times, name="time").tz_localize("UTC")
        frame = pd.DataFrame(self._terms, index=times)
        frame["total"] = np.diff(self.value, prepend=self.value[:1])
        if per == "bar":
            return frame
        if per == "day":
            return frame.groupby(self._day_begins).sum()
        if per != "split":
            raise ConfigError(f"per = {per!r}: give 'bar', 'day' or 'split'")
        spans = self.experiment.periods.splits()
        starts = times.searchsorted([pd.Timestamp(start) for start, _ in spans.values()])
        ends = times.searchsorted([pd.Timestamp(end) for _, end in spans.values()])
        inside = {split: frame.iloc[first:end] for split, first, end in zip(spans, starts, ends, strict=True)}
        return pd.DataFrame({split: rows.sum() for split, rows in inside.items() if len(rows)}).T.rename_axis("split")

    def plot(self) -> Figure:
        """Returns a figure of value, HODL and weights. As the last line of a cell it shows itself.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from quantsim.report.paths import hodl_values
        from quantsim.report.plots import pool_figure

        return pool_figure(self.experiment, self, hodl_values(self), {self.split: self.metrics})

    def compare(self, other: Result, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Returns a row per metric: this value, the other one, their difference, and its 90 % interval.

        Intervals are from a paired stationary bootstrap over days; metrics that are not functions of daily values have none.

        Args:
            other: a simulation of the same split on the same prices.
            metrics: names of metrics; by default, those of the tables of ``quantsim simulate``.

        Raises:
            ConfigError: the simulations are of different splits or prices.

        Example:
            >>> import quantsim
            >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
            >>> slow, fast = (quantsim.simulate(study, {"memory_days": days}, split="test") for days in (60.0, 5.0))
            >>> list(slow.compare(fast).columns)
            ['this', 'other', 'difference', 'lower', 'upper']
        """
        import pandas as pd

        from quantsim.report.comparing import compare
        from quantsim.report.comparison import SELECTED
        from quantsim.report.shown_metrics import shown

        if self.split != other.split or self.times[0] != other.times[0] or self.times.size != other.times.size:
            raise ConfigError(f"{self.split} and {other.split} are different periods: simulate both on the same split")
        if self.data_id != other.data_id:
            raise ConfigError("the simulations are on different prices: simulate both on the same ones")
        objective = self.experiment.objective
        names = shown(objective) if metrics is None else tuple(metrics)
        pools = [Baseline(name, {one.split: one.metrics}, {one.split: one.daily_log_returns}) for name, one in (
            (SELECTED, self), ("other", other))]  # fmt: skip
        (split,) = compare(objective, pools[0], {"other": pools[1]}, names=names).splits
        rows = {}
        for row in split.rows:
            interval = row.differences.get("other")
            rows[row.metric] = (
                row.values[SELECTED],
                row.values.get("other"),
                row.difference("other"),
                None if interval is None else interval.lower,
                None if interval is None else interval.upper,
            )
        columns = ["this", "other", "difference", "lower", "upper"]
        return pd.DataFrame.from_dict(rows, "index", np.float64, columns).rename_axis("metric")

    def __repr__(self) -> str:
        days = int(np.ceil((self.times[-1] - self.times[0] + np.timedelta64(1, "s")) / np.timedelta64(1, "D")))
        growth = self.value[-1] / self.value[0] - 1.0
        over = self.metrics["returns_over_hodl"]
        return (
            f"Simulation({self.experiment.name!r}, {self.split}: {days} days, value {self.value[0]:,.0f} to "
            f"{self.value[-1]:,.0f}, {100 * growth:+.1f} %, over HODL {100 * over:+.1f} %)"
        )

    def _repr_html_(self) -> str:
        import pandas as pd

        from quantsim.report.shown_metrics import shown

        names = [name for name in shown(self.experiment.objective) if name in self.metrics]
        return as_html(repr(self), pd.DataFrame({self.split: {name: self.metrics[name] for name in names}}))


def simulate(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: PriceData | None = None,
    *,
    split: Split = "train",
    path: Path | str | None = None,
    series: Mapping[str, Any] | None = None,
    changes: Mapping[Time, Mapping[str, Any]] | None = None,
    arithmetic: Literal["float", "contract"] = "float",
    chain: Chain | None = None,
) -> Simulation:
    """Simulates an experiment's pool with one parameter set, bar by bar, as ``quantsim simulate`` does.

    Arguments and errors are those of :func:`quantsim.simulator.simulate`. Prices may be :class:`~quantsim.Prices`, a data
    frame indexed by time with a column per token, or a dictionary of OHLCV frames by token; see docs/python.md.

    With ``arithmetic="contract"``, the weights are those of QuantAMM's contract, in its own integers, update by update;
    ``chain`` has block times, oracle delay and late updates. ``on_chain`` of the result has the updates, and the difference to
    floating point; see docs/contract.md.

    Raises:
        ConfigError: also, the contracts cannot run this pool, or ``changes`` or ``chain`` do not go with the arithmetic.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees").override(["data.bar_minutes=1440"])
        >>> result = quantsim.simulate(study, {"memory_days": 20.0, "k_per_day": 5.0}, split="test")
        >>> bool(result.frame["value"].iloc[-1] == result.value[-1])
        True
    """
    if arithmetic not in ("float", "contract"):
        raise ConfigError(f"arithmetic = {arithmetic!r}: give 'float' or 'contract'")
    if arithmetic == "float":
        if chain is not None:
            raise ConfigError("chain is for arithmetic = 'contract': set it, or leave chain out")
        found = simulated(experiment, params, prices, split=split, path=path, series=series, changes=changes)
        return _simulation(experiment, found)
    if changes:
        raise ConfigError(
            "changes: the parameters of a contract cannot change; leave out changes or arithmetic = 'contract'"
        )
    from quantsim.onchain.simulation import simulate_on_chain

    on_chain = simulate_on_chain(experiment, params, prices, split=split, path=path, series=series, chain=chain)
    return _simulation(experiment, on_chain.result, on_chain)


def _simulation(experiment: Experiment, found: Result, on_chain: ChainSimulation | None = None) -> Simulation:
    own = {one.name: getattr(found, one.name) for one in dataclasses.fields(found)}
    return Simulation(**own, experiment=experiment, on_chain=on_chain)
