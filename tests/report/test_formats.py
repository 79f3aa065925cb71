"""Digits: a figure is shown with as many as its error allows."""

from __future__ import annotations

import math

import pytest

from quantsim.report.formats import certain_decimals, certain_text, metric_text

RATIO, FRACTION = "ratio, annualised", "fraction"


@pytest.mark.parametrize(
    ("error", "decimals"),
    [
        (2.0, 0),
        (1.4, 1),
        (1.6, 0),  # 2
        (0.35, 1),
        (0.13, 2),
        (0.096, 2),  # 0.10
        (0.94, 1),
        (0.96, 1),  # 1, of which two digits are kept: 1.0
        (37.0, 0),  # digits before the point stay
        (0.0004, 3),  # as many as without an error
        (5e-324, 3),
        (math.inf, 0),
        (0.0, 3),
        (-1.0, 3),
        (math.nan, 3),
        (None, 3),
    ],
)
def test_decimals_are_those_of_the_rounded_error(error, decimals):
    assert certain_decimals(error, RATIO) == decimals
    of_percent = None if error is None else error / 100.0
    assert certain_decimals(of_percent, FRACTION) == min(decimals, 2)


@pytest.mark.parametrize(
    ("value", "error", "unit", "text"),
    [
        (1.03812, 2.0, RATIO, "1"),
        (1.03812, 1.2, RATIO, "1.0"),
        (1.03812, 0.02, RATIO, "1.04"),
        (1.03812, 1e-9, RATIO, "1.038"),  # never more decimals than without an error
        (1.03812, 0.0, RATIO, "1.038"),
        (1.03812, None, RATIO, "1.038"),
        (1.03812, math.nan, RATIO, "1.038"),
        (1.03812, math.inf, RATIO, "1"),
        (-0.04, 1.2, RATIO, "0.0"),
        (12345.6, 2500.0, RATIO, "12,346"),
        (0.1346, 0.15, FRACTION, "+13"),
        (0.1346, 0.037, FRACTION, "+13"),
        (-0.1346, 0.002, FRACTION, "-13.5"),
        (-0.0001, 0.15, FRACTION, "+0"),
        (math.inf, 1.0, RATIO, "inf"),
        (-math.inf, 1.0, FRACTION, "-inf"),
        (math.nan, 1.0, RATIO, "–"),
        (None, 1.0, RATIO, "–"),
    ],
)
def test_values_have_the_digits_that_their_error_allows(value, error, unit, text):
    assert certain_text(value, error, unit) == text


def test_differences_have_a_sign():
    assert certain_text(0.25, 0.3, RATIO, signed=True) == "+0.2"
    assert certain_text(0.0, 0.0, RATIO, signed=True) == "+0.000"


@pytest.mark.parametrize("unit", [RATIO, FRACTION])
@pytest.mark.parametrize("value", [0.0, 1.25, -3.14159, 1234.5])
def test_without_an_error_all_digits_are_shown(value, unit):
    assert certain_text(value, None, unit) == metric_text(value, unit)
