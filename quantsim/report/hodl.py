"""The return of holding the initial reserves, from the metrics of a pool."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["annualised_hodl_returns", "hodl_returns"]

Metrics = Mapping[str, Mapping[str, float]]


def hodl_returns(metrics: Metrics) -> dict[str, float | None]:
    """Returns the return of holding the initial reserves: split → ``(1 + returns) / (1 + returns_over_hodl) - 1``.

    None if one of the two is unknown, or if everything was lost, so that the ratio is undefined.
    """
    held: dict[str, float | None] = {}
    for split, values in metrics.items():
        returns, over_hodl = values.get("returns"), values.get("returns_over_hodl")
        if returns is None or over_hodl is None or not over_hodl > -1.0:
            held[split] = None
        else:
            held[split] = (1.0 + returns) / (1.0 + over_hodl) - 1.0
    return held


def annualised_hodl_returns(metrics: Metrics) -> dict[str, float | None]:
    """Returns :func:`hodl_returns` compounded to a year, over the same length as ``annualised_returns``.

    None if that is unknown, or if the return is 0, which does not show the length.
    """
    held: dict[str, float | None] = {}
    for (split, values), total in zip(metrics.items(), hodl_returns(metrics).values(), strict=True):
        returns, annualised = values.get("returns"), values.get("annualised_returns")
        held[split] = None
        if (
            total is not None
            and returns is not None
            and annualised is not None
            and min(returns, annualised, total) > -1
        ):
            over = math.log1p(returns)
            if math.isfinite(annualised) and over != 0.0:
                held[split] = math.expm1(math.log1p(total) * math.log1p(annualised) / over)
    return held
