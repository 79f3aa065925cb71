"""Formats numbers for tables and pictures."""

from __future__ import annotations

import math

__all__ = ["certain_decimals", "certain_text", "cost_text", "gain_text", "metric_text", "number_text", "unit_text"]

_FRACTION = "fraction"
_DECIMALS = 3
_DECIMALS_OF_PERCENT = 2


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
        return f"{100 * value:+,.{_DECIMALS_OF_PERCENT}f}"
    return f"{value:,.{_DECIMALS}f}"


def certain_decimals(standard_error: float | None) -> int | None:
    """Returns the number of decimals of a value that its standard error allows.

    The error is rounded to one significant digit, or two if the first one is 1 (Taylor, An Introduction to Error Analysis,
    section 2.2), and the value gets as many decimals. Digits before the point are always kept, so that values with large
    errors can be compared.

    Args:
        standard_error: of the value, in its unit.

    Returns:
        The number of decimals; None if the error is unknown, nan or 0, so that it limits nothing.

    Example:
        >>> certain_decimals(2.0), certain_decimals(1.2), certain_decimals(0.04), certain_decimals(0.0)
        (0, 1, 2, None)
    """
    if standard_error is None or not standard_error > 0.0:
        return None
    if math.isinf(standard_error):
        return 0
    first, _, exponent = f"{standard_error:.0e}".partition("e")  # 0.96 is 1
    return max(0, (1 if first == "1" else 0) - int(exponent))


def certain_text(value: float | None, standard_error: float | None, unit: str, *, signed: bool = False) -> str:
    """Formats the value of a metric with as many digits as its standard error allows; see :func:`certain_decimals`.

    It never has more decimals than :func:`metric_text`, which it equals if the error is None or 0.

    Args:
        value: the value; a dash if it is None or nan.
        standard_error: of the value, in the same unit.
        unit: unit of the metric; fractions are shown in percent.
        signed: whether values that are not fractions have a plus sign, as differences do.

    Example:
        >>> certain_text(1.038, 2.0, "ratio, annualised"), certain_text(0.1346, 0.37, "fraction")
        ('1', '+13')
    """
    if value is None or math.isnan(value):
        return "–"
    percent = unit.startswith(_FRACTION)
    scale, most = (100.0, _DECIMALS_OF_PERCENT) if percent else (1.0, _DECIMALS)
    allowed = certain_decimals(None if standard_error is None else scale * standard_error)
    decimals = most if allowed is None else min(allowed, most)
    shown = scale * value
    if math.isfinite(shown):
        shown = round(shown, decimals) + 0.0  # without the sign of -0.0
    return f"{shown:{'+' if percent or signed else ''},.{max(decimals, 0)}f}"


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
