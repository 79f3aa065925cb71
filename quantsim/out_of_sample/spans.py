"""Uninterrupted simulations over the span of all folds: of the selected parameter sets, and of the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.baseline import BASELINES
from quantsim.config import Experiment
from quantsim.folds import Span
from quantsim.out_of_sample.curves import Curve, Resampling, curve_of
from quantsim.out_of_sample.schedule import name_of_part, with_periods
from quantsim.prices import Prices
from quantsim.simulator import Evaluator, baseline_values, cannot_carry, carried_values

__all__ = ["Carrier"]

Params = Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Carrier:
    """Simulates pools over one span, each without interruption.

    Attributes:
        experiment: the study.
        evaluator: evaluator of the span and what warms it up.
        split: name of the split that is the span.
        span: the span.
    """

    experiment: Experiment
    evaluator: Evaluator
    split: str
    span: Span

    @classmethod
    def of(
        cls, experiment: Experiment, prices: Prices, span: Span, warm_up: Span | None, series: Mapping[str, Any] | None
    ) -> Carrier:
        """Returns the carrier of a span.

        Args:
            experiment: the study.
            prices: prices that cover the span and its history.
            span: the days that the pools run over.
            warm_up: the data before the span that estimators read, besides ``max_memory_days`` of history; None for none.
            series: series in memory; see :class:`~quantsim.simulator.Evaluator`.
        """
        name = name_of_part(experiment, "span")
        if warm_up is None:
            own = with_periods(experiment, name, train_start=span.start, train_end=span.end)
            return cls(experiment, Evaluator(own, prices, series), "train", span)
        own = with_periods(experiment, name, train_start=warm_up.start, train_end=span.start, test_end=span.end)
        return cls(experiment, Evaluator(own, prices, series), "test", span)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The first bar of each day, (D,)."""
        first, n_bars = self.evaluator.splits[self.split]
        return self.evaluator.prices.times[first : first + n_bars : self.evaluator.prices.bars_per_day]

    def day_of(self, span: Span) -> int:
        """Returns the index of the day of the span on which another one begins."""
        return (span.start - self.span.start) // timedelta(days=1)

    def cannot_carry(self, sets: Sequence[Params]) -> str | None:
        """Returns why a pool cannot go on while its parameters change like this; None if it can."""
        return cannot_carry(self.experiment, {name: np.stack([each[name] for each in sets])[None] for name in sets[0]})

    def carried(self, sets: Sequence[Sequence[Params]], spans: Sequence[Span]) -> FloatArray:
        """Returns the daily log returns of pools that go on while their parameters change, (S, D-1).

        Args:
            sets: parameter sets of each of the S pools, in order of time, by raw name.
            spans: F spans in which the sets apply, in order.
        """
        first, n_bars = self.evaluator.splits[self.split]
        bar = timedelta(minutes=self.evaluator.prices.bar_minutes)
        starts = [first + (span.start - self.span.start) // bar for span in spans]
        stacked = {
            name: np.stack([np.stack([one[name] for one in of_pool]) for of_pool in sets]) for name in sets[0][0]
        }
        return _log_returns(carried_values(self.evaluator, stacked, starts, n_bars))

    def baselines(self, resampling: Resampling) -> dict[str, Curve]:
        """Returns the curves of the baselines, name → curve."""
        window = self.evaluator.splits[self.split]
        return {
            name: curve_of(name, self.times, _log_returns(baseline_values(self.evaluator, name, *window)), resampling)
            for name in BASELINES
        }


def _log_returns(values: FloatArray) -> FloatArray:
    return np.diff(np.log(values), axis=-1)
