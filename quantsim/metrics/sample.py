"""What a metric may look at, what it says of itself, and the static shape it is computed for.

Nothing here imports JAX: a :class:`Sample` is a plain named tuple, which JAX treats as a pytree.
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

DAYS_PER_YEAR = 365.0  # crypto markets do not close: no 252

RATIO_BOUND = 100.0
"""The bound of annualised ratios: five times the sampling error of an annual Sharpe ratio over a single day
(``sqrt(365/days)``), and twenty times the largest ratio of the reference vectors. Samples beyond it have next to no risk."""


class Need(enum.Flag):
    """What of a :class:`Sample` a metric reads. The evaluator takes the cheapest path that offers the union."""

    ENDS = enum.auto()  #: ``start_value``, ``end_value`` and the two hodl values
    DAILY = enum.auto()  #: ``daily_values``
    BARS = enum.auto()  #: ``bar_values``
    TURNOVER = enum.auto()  #: ``weight_change``
    FEES = enum.auto()  #: ``fee_revenue``
    REBALANCING = enum.auto()  #: ``rebalancing_loss`` and ``rebalancing_costs``


class Sample(NamedTuple):
    """What a metric may look at, for one window of ``T`` bars, ``B`` of them a day. Values are in the quote currency.

    ``bar_values`` is None where no metric asked for :attr:`Need.BARS`, and so are the last two without
    :attr:`Need.REBALANCING`. Batches of windows go through ``jax.vmap``.
    """

    start_value: Array  #: () pool value at the first bar, ``V[0]``
    end_value: Array  #: () pool value at the last bar, ``V[-1]``
    hodl_end_value: Array  #: () value at the last bar of the first bar's reserves, ``Σ R[0] p[-1]``
    uniform_hodl_end_value: Array  #: () value at the last bar of ``V[0]/n`` worth of each of ``n`` tokens, held
    daily_values: Array  #: (ceil(T/B),) pool value at each day's first bar, ``V[0::B]``
    bar_values: Array | None  #: (T,) pool value at every bar
    weight_change: Array  #: () ``½ Σ_t Σ_i |w[t,i] - w[t-1,i]|`` over the sample
    fee_revenue: Array  #: () fees kept by the pool over the sample, in value; 0 without fees
    rebalancing_loss: Array | None = None  #: () ``Σ_t (R[t-1] - R[t])·p[t]``, what trades took at market prices
    rebalancing_costs: Array | None = None  #: () what following the reserves at market prices would have paid

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
    ) -> Sample:
        """Returns the sample of a value path known at every bar, shape (T,)."""
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
        )

    @property
    def bars(self) -> Array:
        """The value at every bar, shape (T,).

        Raises:
            ValueError: the sample was made without it; the metric's ``needs`` must name ``Need.BARS``.
        """
        if self.bar_values is None:
            raise ValueError("this sample holds no bar_values; ask for them with Need.BARS")
        return self.bar_values

    @property
    def rebalancing(self) -> tuple[Array, Array]:
        """The loss against rebalancing at market prices, and the costs of that, () each.

        Raises:
            ValueError: the sample was made without them; the metric's ``needs`` must name ``Need.REBALANCING``.
        """
        if self.rebalancing_loss is None or self.rebalancing_costs is None:
            raise ValueError("this sample holds no rebalancing_loss and _costs; ask for them with Need.REBALANCING")
        return self.rebalancing_loss, self.rebalancing_costs


@dataclass(frozen=True)
class SampleShape:
    """The static shape of a sample; hashable, so it can be a static argument of a jitted function.

    Attributes:
        n_bars: number of bars in the sample, ``T``.
        bars_per_day: number of bars in a day, ``B``; 1440 for minutes, 1 for days.

    Raises:
        WindowError: one of them is below 1.
    """

    n_bars: int
    bars_per_day: int

    def __post_init__(self) -> None:
        if self.n_bars < 1 or self.bars_per_day < 1:
            raise WindowError(
                f"a sample needs at least 1 bar, and at least 1 bar a day, but got n_bars={self.n_bars}, "
                f"bars_per_day={self.bars_per_day}"
            )

    @property
    def days(self) -> float:
        """``D = T/B``, the length of the sample in days."""
        return self.n_bars / self.bars_per_day

    @property
    def samples_per_year(self) -> float:
        """``y = 365/D``, how many such samples make a year."""
        return DAYS_PER_YEAR / self.days

    @property
    def bars_per_year(self) -> float:
        """``365·B``."""
        return DAYS_PER_YEAR * self.bars_per_day

    @property
    def n_daily(self) -> int:
        """Length of ``daily_values``, ``ceil(T/B)``: the last day need not be complete."""
        return math.ceil(self.n_bars / self.bars_per_day)

    def n_blocks(self, block_days: int) -> int:
        """Returns the number of complete blocks of ``block_days`` days; an incomplete last one is dropped."""
        return self.n_bars // (block_days * self.bars_per_day)


@dataclass(frozen=True)
class Least:
    """What a sample must have at least for a metric to be defined.

    Attributes:
        bars: in all.
        daily_values: days begun.
        blocks: complete blocks of ``block_days`` days.
        block_days: length of a block.
        block_bars: bars in a block.
    """

    bars: int = 1
    daily_values: int = 1
    blocks: int = 0
    block_days: int = 1
    block_bars: int = 1

    def is_met(self, shape: SampleShape) -> bool:
        """Whether a sample of that shape has it."""
        return (
            shape.n_bars >= self.bars
            and shape.n_daily >= self.daily_values
            and shape.n_blocks(self.block_days) >= self.blocks
            and shape.bars_per_day * self.block_days >= self.block_bars
        )


@dataclass(frozen=True)
class Metric:
    """One metric: to be maximised, computed from one sample.

    Attributes:
        name: the name users write.
        function: jit-able map of a sample and its static shape, which meets ``least``, to a scalar ().
        needs: what of the sample ``function`` reads.
        differentiable: whether its gradient is worth following. Every metric has a finite gradient almost everywhere;
            this is False where that gradient speaks for a sliver of the sample only.
        unit: unit of the result.
        description: what it means, in one line.
        formula: how it is computed, in one line; for the documentation.
        least: what the sample must have; the metric of any other is nan.
        bound: values beyond ± this count as ± this where several are combined (periods, windows, metrics, splits), so that
            one period without risk does not decide a mean. What is reported is not bounded. Infinite for all but ratios.
        cost: whether it is a positive quantity with a minus built in, so that it can be maximised. Tables and pictures show
            it without.
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
