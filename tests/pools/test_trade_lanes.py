"""The series for the growth of reserves, against numbers of more digits."""

from __future__ import annotations

import numpy as np
import pytest

from quantsim.pools.weighted.trade_lanes import growth, log_growth

MOVES = [0.0, 1e-300, *10.0 ** np.random.default_rng(0).uniform(-12, 1, 300), 0.01, np.nextafter(0.01, 0), 3.0]


@pytest.mark.parametrize("gain", [1.0, 1.0005, 1.003, 1.0099, 1.01, 1.3])
def test_series_are_exact_to_rounding(gain: float) -> None:
    for move in MOVES:
        wanted = np.expm1(np.longdouble(move))
        assert growth(move) == pytest.approx(float(wanted), rel=4e-16)
        assert log_growth(move, gain) == pytest.approx(float(np.log1p(gain * wanted)), rel=4e-16, abs=1e-16)


def test_what_is_not_a_number_spreads() -> None:
    assert np.isnan(growth(np.nan))
    assert np.isnan(log_growth(np.nan, 1.003))
    assert np.isnan(log_growth(0.001, np.nan))
