"""Formats numbers for tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "certain_decimals",
    "certain_text",
    "cost_text",
    "fees_text",
    "metric_text",
    "number_text",
    "suits_log_axis",
    "unit_text",
]

_FRACTION = "fraction"
_GROWTH_FOR_LOG = 3.0
_NO_FEES = ("rebalancing_cost", "volume_model", "volume_draws", "volume_quantile", "volume_prior_decides")


def suits_log_axis(*values: ArrayLike) -> bool:
    """Whether curves are drawn on a logarithmic axis: all values are positive, and the largest is over three times the least.

    Example:
        >>> suits_log_axis([1.0, 4.0]), suits_log_axis([1.0, 2.0]), suits_log_axis([0.0, 4.0])
        (True, False, False)
    """
    every = np.concatenate([np.ravel(np.asarray(one, np.float64)) for one in values])
    every = every[np.isfinite(every)]
    return bool(every.size and every.min() > 0.0 and every.max() > _GROWTH_FOR_LOG * every.min())


_LEAST_FROM_ONE = 1e-9  # less is rounding


def number_text(value: float | None) -> str:
    """Formats a number with four significant digits and thousands separators; a dash if there is none.

    A number close to 1, such as a factor per second, has four significant digits of its difference to 1.

    Example:
        >>> number_text(20.0), number_text(0.123456), number_text(1234567.0), number_text(None), number_text(0.99999194)
        ('20', '0.1235', '1,235,000', '–', '0.99999194')
    """
    if value is None or math.isnan(value):
        return "–"
    if not math.isfinite(value) or value == 0.0:
        return f"{value:g}"
    if abs(value) < 1e-4:
        return f"{value:.3e}"
    decimals = 3 - math.floor(math.log10(abs(value)))
    if _LEAST_FROM_ONE < (from_one := abs(value - 1.0)) < 1e-3:
        decimals = 3 - math.floor(math.log10(from_one))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def metric_text(value: float | None, unit: str, decimals: int | None = None, *, signed: bool = False) -> str:
    """Formats the value of a metric in the unit of :func:`unit_text`.

    Args:
        value: the value; a dash if it is None or nan.
        unit: unit of the metric; fractions are shown in percent, with a sign.
        decimals: number of decimals; by default three, or two of percent.
        signed: whether other values have a plus sign, too, as differences do.

    Example:
        >>> metric_text(0.1234, "fraction"), metric_text(1.5, "ratio, annualised")
        ('+12.34', '1.500')
    """
    if value is None or math.isnan(value):
        return "–"
    percent = unit.startswith(_FRACTION)
    decimals = _most_decimals(unit) if decimals is None else decimals
    shown = 100.0 * value if percent else value
    if math.isfinite(shown):
        shown = round(shown, decimals) + 0.0  # without the sign of -0.0
    return f"{shown:{'+' if percent or signed else ''},.{decimals}f}"


def _most_decimals(unit: str) -> int:
    return 2 if unit.startswith(_FRACTION) else 3


def certain_decimals(standard_error: float | None, unit: str) -> int:
    """Returns the number of decimals that the standard error of a metric allows, for :func:`metric_text`.

    The error is rounded to one significant digit, or two if the first one is 1 (Taylor, An Introduction to Error Analysis,
    section 2.2), and the value gets as many decimals, but no more than without an error. Digits before the point are always
    kept, so that values with large errors can be compared.

    Args:
        standard_error: standard error in the unit of the value; None, nan or 0 for no limit.
        unit: unit of the metric; fractions are shown in percent.

    Example:
        >>> [certain_decimals(error, "ratio, annualised") for error in (2.0, 1.2, 0.04, 0.0)]
        [0, 1, 2, 3]
    """
    most = _most_decimals(unit)
    if standard_error is None or not standard_error > 0.0:
        return most
    if math.isinf(standard_error):
        return 0
    shown = 100.0 * standard_error if unit.startswith(_FRACTION) else standard_error
    first, _, exponent = f"{shown:.0e}".partition("e")  # 0.96 is 1
    return min(max(0, (1 if first == "1" else 0) - int(exponent)), most)


def certain_text(value: float | None, standard_error: float | None, unit: str, *, signed: bool = False) -> str:
    """Formats the value of a metric with as many digits as its standard error allows.

    Example:
        >>> certain_text(1.038, 2.0, "ratio, annualised"), certain_text(0.1346, 0.37, "fraction")
        ('1', '+13')
    """
    return metric_text(value, unit, certain_decimals(standard_error, unit), signed=signed)


def cost_text(value: float | None, unit: str, decimals: int | None = None) -> str:
    """Formats a cost, which is stored negated, as a positive number; else like :func:`metric_text`.

    Example:
        >>> cost_text(-0.0123, "fraction per day")
        '1.23'
    """
    return metric_text(None if value is None else abs(value), unit, decimals).removeprefix("+")


def unit_text(unit: str) -> str:
    """Returns the displayed unit: percent for fractions.

    Example:
        >>> unit_text("fraction per year"), unit_text("ratio, annualised")
        ('% per year', 'ratio, annualised')
    """
    return "%" + unit.removeprefix(_FRACTION) if unit.startswith(_FRACTION) else unit


def fees_text(fees: Mapping[str, Any]) -> str:
    """Formats what a pool's trades cost: the keys of the table ``fees`` that say so, or "none".

    Example:
        >>> fees_text({"swap_fee": 0.003, "gas_cost_usd": 0.0, "rebalancing_cost": 0.0005, "volume": "proportional"})
        'swap_fee 0.003'
    """
    told = {name: value for name, value in fees.items() if value and name not in _NO_FEES}
    if told.get("volume") != "elastic":
        told.pop("volume", None)
    return ", ".join(f"{name} {value}" for name, value in told.items()) or "none"
