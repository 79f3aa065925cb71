"""Loads the prices of the table ``[data]``, and describes other prices."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from quantsim.config.paths import MEMORY
from quantsim.errors import PriceError
from quantsim.prices import load_prices
from quantsim.prices.frames import as_prices
from quantsim.prices.load import BUNDLED, origin_of
from quantsim.prices.series import check_source

if TYPE_CHECKING:
    from quantsim.config.experiment import Experiment
    from quantsim.config.sections import Data
    from quantsim.prices import PriceData, Prices

__all__ = ["given", "load", "note"]


def load(experiment: Experiment, given_series: Collection[str]) -> Prices:
    """As :meth:`Experiment.load_prices`."""
    data = experiment.data
    if data.source == MEMORY:
        raise PriceError(
            f"the prices of study {experiment.name!r} were in memory, and data.source = {MEMORY!r} cannot be loaded: supply "
            "them in Python as prices, or write them to a file and name it with --set data.source=FILE"
        )
    for name, source in experiment.series:
        if source is not None and name not in given_series:
            check_source(name, source)
    try:
        prices = load_prices(data.tokens, data.place, **_options(data))
    except PriceError as error:
        if data.source == BUNDLED:
            error.add_note(f"data.source = {BUNDLED!r} has few tokens: set it to a folder or a file with the prices")
        raise
    _check_hash(data, prices)
    return prices


def given(experiment: Experiment, prices: PriceData) -> Prices:
    """As :meth:`Experiment.prices`."""
    data = experiment.data
    table = as_prices(
        prices,
        tokens=data.tokens,
        bar_minutes=data.bar_minutes,
        forward_fill_bars=data.forward_fill_bars or 0,
        stamps=data.stamps,
    )
    if table is not prices:
        _check_hash(data, table)
    return table


def note(data: Data, prices: Prices) -> str | None:
    """As :meth:`Experiment.prices_note`."""
    if prices.origin is None:
        return f"in memory ({prices.source}), not loaded from [data] of the study"
    others = prices.origin.differences(origin_of(data.place, **_options(data)))
    return f"loaded with other settings than [data] of the study: {others}" if others else None


def _check_hash(data: Data, prices: Prices) -> None:
    """Raises PriceError unless the prices are those that the study pins."""
    if data.sha256 not in (None, prices.identity):
        raise PriceError(
            f"the prices of {data.source} are not those that the study pins: data.sha256 is {data.sha256}, and the hash of "
            f"{prices!r} is {prices.identity}. Restore the files, tokens, bar_minutes and forward_fill_bars that were pinned; "
            "if the change is meant, set data.sha256 to the new hash, or remove it"
        )


def _options(data: Data) -> dict[str, Any]:
    return {"bar_minutes": data.bar_minutes, "forward_fill_bars": data.forward_fill_bars, "stamps": data.stamps}
