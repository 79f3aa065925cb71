"""The data that a metric reads, its static shape, and the definition of a metric.

This module does not import JAX: a :class:`Sample` is a plain named tuple, which JAX treats as a pytree.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from quantsim.errors import WindowError

if TYPE_CHECKING:
    from jax import Array

__all__ = ["DAYS_PER_YEAR", "RATIO_BOUND", "Least", "Metric", "Need", "Sample", "SampleShape"]

DAYS_PER_YEAR = 365.0  # not 252: crypto markets do not close

RATIO_BOUND = 100.0
"""The bound of annualised ratios: five times the sampling error of an annual Sharpe ratio over a single day
(``sqrt(365/days)``), and twenty times the largest ratio in the reference vectors. Larger ratios come from almost no risk."""


class Need(enum.Flag):
    """The parts of a :class:`Sample` that a metric reads. The evaluator chooses the cheapest path that has all of them."""

    ENDS = enum.auto()  #: ``start_value``, ``end_value`` and the two hodl values
    DAILY = enum.auto()  #: ``daily_values``
    BARS = enum.auto()  #: ``bar_values``
    TURNOVER = enum.auto()  #: ``weight_change``
    FEES = enum.auto()  #: ``fee_revenue``
    REBALANCING = enum.auto()  #: ``rebalancing_loss`` and ``rebalancing_costs``
    BENCHMARK = enum.auto()  #: ``benchmark_values``


class Sample(NamedTuple):
    """The data of one window of ``T`` bars, with ``B`` bars per day. Values are in the quote currency.

    ``bar_values`` is None unless a metric has :attr:`Need.BARS`, the two of rebalancing unless one has
    :attr:`Need.REBALANCING`, and ``benchmark_values`` unless one has :attr:`Need.BENCHMARK`. For batches of windows use
    ``jax.vmap``.
    """

    start_value: Array  #: () pool value at the first bar, ``V[0]``
    end_value: Array  #: () pool value at the last bar, ``V[-1]``
    hodl_end_value: Array  #: () last value of holding the first bar's reserves, ``Σ R[0] p[-1]``
    uniform_hodl_end_value: Array  #: () last value of holding ``V[0]/n`` worth of each of the ``n`` tokens
    daily_values: Array  #: (ceil(T/B),) pool value at each day's first bar, ``V[0::B]``
    bar_values: Array | None  #: (T,) pool value at every bar
    weight_change: Array  #: () ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` over the sample
    fee_revenue: Array  #: () fees kept by the pool over the sample, in value; 0 without fees
    rebalancing_loss: Array | None = None  #: () ``Σ_t (R[t-1] - R[t])·p[t]``, loss by trades, at market prices
    rebalancing_costs: Array | None = None  #: () costs of the benchmark that follows the reserves at market prices
    benchmark_values: Array | None = None  #: (ceil(T/B),) values of the pool with constant weights, as ``daily_values``

    @classmethod
    def from_bars(
        cls,
        bar_values: Array,
        bars_per_day: int,
        *,
        hodl_end_value: Array,
        uniform_hodl_end_value: Array,
        weight_change: Array,
        fee_revenue: Array,
        rebalancing_loss: Array | None = None,
        rebalancing_costs: Array | None = None,
        benchmark_values: Array | None = None,
    ) -> Sample:
        """Returns the sample of a value path at every bar, (T,)."""
        return cls(
            start_value=bar_values[0],
            end_value=bar_values[-1],
            hodl_end_value=hodl_end_value,
            uniform_hodl_end_value=uniform_hodl_end_value,
            daily_values=bar_values[::bars_per_day],
            bar_values=bar_values,
            weight_change=weight_change,
            fee_revenue=fee_revenue,
            rebalancing_loss=rebalancing_loss,
            rebalancing_costs=rebalancing_costs,
            benchmark_values=benchmark_values,
        )

    @property
    def bars(self) -> Array:
        """The value at every bar, shape (T,).

        Raises:
            ValueError: the sample does not have it; the metric's ``needs`` must include ``Need.BARS``.
        """
        if self.bar_values is None:
            raise ValueError("this sample has no bar_values; add Need.BARS to the needs of the metric")
        return self.bar_values

    @property
    def benchmark(self) -> Array:
        """The value of the pool with constant weights at the first bar of each day, shape (ceil(T/B),).

        Raises:
            ValueError: the sample does not have it; the metric's ``needs`` must include ``Need.BENCHMARK``.
        """
        if self.benchmark_values is None:
            raise ValueError("this sample has no benchmark_values; add Need.BENCHMARK to the needs of the metric")
        return self.benchmark_values

    @property
    def rebalancing(self) -> tuple[Array, Array]:
        """The loss versus rebalancing at market prices, and the costs of the rebalancing, () each.

        Raises:
            ValueError: the sample does not have them; the metric's ``needs`` must include ``Need.REBALANCING``.
        """
        if self.rebalancing_loss is None or self.rebalancing_costs is None:
            raise ValueError("this sample has no rebalancing_loss; add Need.REBALANCING to the needs of the metric")
        return self.rebalancing_loss, self.rebalancing_costs


@dataclass(frozen=True)
class SampleShape:
    """The static shape of a sample. It is hashable, so it can be a static argument of a jitted function.

    Attributes:
        n_bars: number of bars, ``T``.
        bars_per_day: number of bars in a day, ``B``: 1440 for bars of a minute, 1 for bars of a day.

    Raises:
        WindowError: ``n_bars`` or ``bars_per_day`` is below 1.
    """

    n_bars: int
    bars_per_day: int

    def __post_init__(self) -> None:
        if self.n_bars < 1 or self.bars_per_day < 1:
            raise WindowError(
                f"a sample needs at least 1 bar, and at least 1 bar per day, but got n_bars={self.n_bars}, "
                f"bars_per_day={self.bars_per_day}"
            )

    @property
    def days(self) -> float:
        """``D = T/B``, the length of the sample in days."""
        return self.n_bars / self.bars_per_day

    @property
    def samples_per_year(self) -> float:
        """``y = 365/D``, the number of such samples in a year."""
        return DAYS_PER_YEAR / self.days

    @property
    def bars_per_year(self) -> float:
        """``365·B``."""
        return DAYS_PER_YEAR * self.bars_per_day

    @property
    def n_daily(self) -> int:
        """Length of ``daily_values``, ``ceil(T/B)``; the last day may be incomplete."""
        return math.ceil(self.n_bars / self.bars_per_day)

    def n_blocks(self, block_days: int) -> int:
        """Returns the number of complete blocks of ``block_days`` days; an incomplete last one is dropped."""
        return self.n_bars // (block_days * self.bars_per_day)


@dataclass(frozen=True)
class Least:
    """The smallest sample for which a metric is defined.

    Attributes:
        bars: number of bars.
        daily_values: number of daily values.
        blocks: number of complete blocks of ``block_days`` days.
        block_days: length of a block, in days.
        block_bars: number of bars in a block.
    """

    bars: int = 1
    daily_values: int = 1
    blocks: int = 0
    block_days: int = 1
    block_bars: int = 1

    def is_met(self, shape: SampleShape) -> bool:
        """Whether a sample of this shape is large enough."""
        return (
            shape.n_bars >= self.bars
            and shape.n_daily >= self.daily_values
            and shape.n_blocks(self.block_days) >= self.blocks
            and shape.bars_per_day * self.block_days >= self.block_bars
        )


@dataclass(frozen=True)
class Metric:
    """One metric of a sample. Metrics are maximised.

    Attributes:
        name: name in studies and tables.
        function: jit-able function of a sample and its static shape, which meets ``least``; returns a scalar ().
        needs: the parts of the sample that ``function`` reads.
        differentiable: whether its gradient is useful for training. Every metric has a finite gradient almost everywhere;
            this is False if the gradient depends on only a few values of the sample.
        unit: unit of the result.
        description: the meaning, in one line.
        formula: the formula, in one line; for the documentation.
        least: the smallest sample; the metric of a smaller one is nan.
        bound: limit on the absolute value when several values are combined (periods, windows, metrics, splits), so that one
            period without risk does not dominate a mean. Reported values are not bounded. Infinite for all but ratios.
        cost: whether it is a cost, stored as a negative number so that it can be maximised. Tables and pictures show it
            positive.
    """

    name: str
    function: Callable[[Sample, SampleShape], Array]
    needs: Need
    differentiable: bool
    unit: str
    description: str
    formula: str = ""
    least: Least = Least()
    bound: float = math.inf
    cost: bool = False

    @property
    def is_daily(self) -> bool:
        """Whether it is a function of daily values: it reads only those of pool and benchmark, and the first and last value."""
        return self.needs in Need.ENDS | Need.DAILY | Need.BENCHMARK
