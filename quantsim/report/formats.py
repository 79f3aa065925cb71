"""Formats numbers for tables and pictures."""

from __future__ import annotations

import math

__all__ = ["cost_text", "gain_text", "metric_text", "number_text", "unit_text"]

_FRACTION = "fraction"


def number_text(value: float | None) -> str:
    """Formats a number with four significant digits and thousands separators; a dash if there is none.

    Example:
        >>> number_text(20.0), number_text(0.123456), number_text(1234567.0), number_text(None)
        ('20', '0.1235', '1,235,000', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if not math.isfinite(value) or value == 0.0:
        return f"{value:g}"
    if abs(value) < 1e-4:
        return f"{value:.3e}"
    decimals = 3 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def metric_text(value: float | None, unit: str) -> str:
    """Formats the value of a metric in the unit of :func:`unit_text`: three decimals, or percent with two decimals.

    Example:
        >>> metric_text(0.1234, "fraction"), metric_text(1.5, "ratio, annualised")
        ('+12.34', '1.500')
    """
    if value is None or math.isnan(value):
        return "–"
    if unit.startswith(_FRACTION):
        return f"{100 * value:+,.2f}"
    return f"{value:,.3f}"


def cost_text(value: float | None, unit: str) -> str:
    """Formats a cost, which is stored negated, as a positive number; else like :func:`metric_text`.

    Example:
        >>> cost_text(-0.0123, "fraction per day")
        '1.23'
    """
    return metric_text(None if value is None else abs(value), unit).removeprefix("+")


def gain_text(value: float | None, unit: str) -> str:
    """Formats the difference of two values of a metric, with its sign; fractions in percentage points.

    Example:
        >>> gain_text(0.01, "fraction"), gain_text(0.25, "ratio, annualised")
        ('+1.00', '+0.250')
    """
    if value is None or math.isnan(value):
        return "–"
    return metric_text(value, unit) if unit.startswith(_FRACTION) else f"{value:+,.3f}"


def unit_text(unit: str) -> str:
    """Returns the displayed unit: percent for fractions.

    Example:
        >>> unit_text("fraction per year"), unit_text("ratio, annualised")
        ('% per year', 'ratio, annualised')
    """
    return "%" + unit.removeprefix(_FRACTION) if unit.startswith(_FRACTION) else unit
