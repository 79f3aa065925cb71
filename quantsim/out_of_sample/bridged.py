"""Prices with interpolated gaps, for training on separate blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from quantsim.folds import Span
from quantsim.prices import Prices

__all__ = ["bridged"]


def bridged(prices: Prices, start: Span, kept: Sequence[Span]) -> Prices:
    """Returns prices with all bars outside of some spans replaced, so that training cannot depend on them.

    A gap between spans is a straight line in the logarithm, from the last price before it to the first price after it. An
    estimator that runs through a gap only sees the total change of the prices, which is known at its end. A gap at the very
    beginning has the first price after it. The result ends with the last span.

    Args:
        prices: prices that cover the spans.
        start: the range in which prices are only kept in the spans; those before it are all kept.
        kept: half-open ranges in which prices are kept, in order, within ``start``.
    """
    ends = [(prices.grid.index(span.start, prices.source), _stop(prices, span)) for span in kept]
    bars, values = np.arange(ends[-1][1]), prices.prices[: ends[-1][1]]
    known = bars < prices.grid.index(start.start, prices.source)
    for first, stop in ends:
        known[first:stop] = True
    lines = np.stack([np.interp(bars, bars[known], column[known]) for column in np.log(values).T], axis=1)
    filled = np.where(known[:, None], values, np.exp(lines))
    return replace(
        prices, times=prices.times[: bars.size], prices=filled, gaps=(), source=f"{prices.source}, without test data"
    )


def _stop(prices: Prices, span: Span) -> int:
    """Returns the index after the last bar of a span."""
    first, last = span.start, span.end
    n_bars = round((last - first).total_seconds() / 60) // prices.bar_minutes
    return prices.grid.index(first, prices.source) + n_bars
