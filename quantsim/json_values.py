"""Numbers as JSON values. JSON has neither nan nor infinity."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["JsonNumber", "json_number", "json_numbers"]

JsonNumber = float | str | None
"""A finite number, "inf" or "-inf", or None for nan."""


def json_number(value: float | None) -> JsonNumber:
    """Returns a number as a JSON value: nan and None are null, infinity is a text.

    Example:
        >>> json_number(1.5), json_number(float("nan")), json_number(float("-inf"))
        (1.5, None, '-inf')
    """
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def json_numbers(values: Iterable[float | None]) -> list[JsonNumber]:
    """Returns numbers as JSON values; see :func:`json_number`."""
    return [json_number(value) for value in values]
