"""The positions of an experiment's splits in the prices, and notes on the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from quantsim.config import Experiment
from quantsim.errors import PriceError, nearest
from quantsim.prices import Prices

__all__ = ["columns_of", "data_notes", "lay_out"]

logger = logging.getLogger(__name__)


def columns_of(prices: Prices, tokens: tuple[str, ...]) -> Prices:
    """Returns prices with the experiment's tokens, in its order."""
    missing = [token for token in tokens if token not in prices.tokens]
    if missing:
        raise PriceError(f"the prices have no {missing[0]!r}: {nearest(missing[0], prices.tokens)}")
    if prices.tokens == tokens:
        return prices
    order = [prices.tokens.index(token) for token in tokens]
    gaps = tuple(gap for gap in prices.gaps if gap.token in tokens)
    return replace(prices, prices=prices.prices[:, order], tokens=tokens, gaps=gaps).loaded_from(prices.origin)


def lay_out(experiment: Experiment, prices: Prices) -> tuple[int, dict[str, tuple[int, int]]]:
    """Returns the first bar of the history, and split → (first bar, number of bars), counted in the uncut prices."""
    bar = timedelta(minutes=prices.bar_minutes)
    splits = {}
    for name, (start, end) in experiment.periods.splits().items():
        try:
            first, last = prices.index_of(start), prices.index_of(end - bar)
        except PriceError as error:
            error.add_note(f"while laying out the {name} period, {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}")
            error.add_note("prices for other times: name a folder or a file with data.source")
            raise
        splits[name] = (first, last - first + 1)
    history = int(experiment.update.max_memory_days * prices.bars_per_day)
    return max(0, splits["train"][0] - history), splits


def data_notes(experiment: Experiment, prices: Prices, warm_up_bars: int, series: Mapping[str, Any]) -> dict[str, Any]:
    """Returns notes on the data for readers of the results: warm-up, filled gaps, prices or series in memory. JSON-able."""
    days = warm_up_bars / prices.bars_per_day
    wanted = experiment.update.max_memory_days
    notes: dict[str, Any] = {"warm_up_days": days}
    if days < wanted and any(view.rule is not None and view.rule.outputs is not None for view in experiment.pools):
        notes["warm_up"] = f"{days:g} days of history before training, fewer than max_memory_days = {wanted:g}"
        logger.info("the estimators warm up on %s", notes["warm_up"])
    if (given := experiment.prices_note(prices)) is not None:
        notes["prices"] = given
    if series:
        notes["series"] = f"in memory: {', '.join(sorted(series))}"
    if experiment.cautions:
        notes["cautions"] = list(experiment.cautions)
    if prices.gaps:
        notes["gaps_filled"] = len(prices.gaps)
        notes["bars_filled"] = sum(gap.n_bars for gap in prices.gaps)
    return notes
