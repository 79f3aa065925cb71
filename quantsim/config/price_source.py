"""The prices that the table ``[data]`` of a study names, and what is said of others."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from quantsim.config.paths import MEMORY
from quantsim.errors import PriceError
from quantsim.prices import load_prices
from quantsim.prices.load import BUNDLED, origin_of
from quantsim.prices.series import check_source

if TYPE_CHECKING:
    from quantsim.config.experiment import Experiment
    from quantsim.config.sections import Data
    from quantsim.prices import Prices

__all__ = ["load", "note"]


def load(experiment: Experiment, given_series: Collection[str]) -> Prices:
    """As :meth:`Experiment.load_prices`."""
    data = experiment.data
    if data.source == MEMORY:
        raise PriceError(
            f"the prices of study {experiment.name!r} were in memory, and data.source = {MEMORY!r} names none to load: give "
            "them again, in Python as prices, or write them to a file and name it with --set data.source=FILE"
        )
    for name, source in experiment.series:
        if source is not None and name not in given_series:
            check_source(name, source)
    try:
        return load_prices(data.tokens, data.source, **_options(data))
    except PriceError as error:
        if data.source == BUNDLED:
            error.add_note(f"data.source = {BUNDLED!r} has few tokens: name a folder or a file with the prices there")
        raise


def note(data: Data, prices: Prices) -> str | None:
    """As :meth:`Experiment.prices_note`."""
    if prices.origin is None:
        return f"in memory ({prices.source}), not loaded as [data] of the study says"
    others = prices.origin.differences(origin_of(data.source, **_options(data)))
    return f"loaded otherwise than [data] of the study says: {others}" if others else None


def _options(data: Data) -> dict[str, Any]:
    return {"bar_minutes": data.bar_minutes, "forward_fill_bars": data.forward_fill_bars, "stamps": data.stamps}
