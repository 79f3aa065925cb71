"""Tables of weights that a pool really had."""

from __future__ import annotations

import numpy as np
import pytest

from quantsim.errors import PriceError
from quantsim.prices.weights import load_weights

HOUR = 3_600_000_000


def written(tmp_path, text):
    path = tmp_path / "updates.csv"
    path.write_text(text)
    return path


def us(stamp):
    return np.array([np.datetime64(stamp, "us").astype(np.int64)])


def test_without_multipliers_weights_move_from_row_to_row(tmp_path):
    path = written(tmp_path, "time,ETH,BTC\n2018-04-01,0.4,0.6\n2018-04-02,0.5,0.5\n")
    found = load_weights(path, ("BTC", "ETH")).at(us("2018-04-01") + HOUR * np.array([-1, 0, 12, 24, 90]))
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], [[0.6, 0.4], [0.55, 0.45], [0.5, 0.5], [0.5, 0.5]], rtol=1e-14)


def test_with_multipliers_they_move_on_until_they_stand_still(tmp_path):
    last = int(np.datetime64("2018-04-01T06:00", "s").astype(np.int64))
    rows = f"2018-04-01,0.4,0.6,1e-6,-1e-6,{last}\n2018-04-02,0.5,0.5,-1e-6,1e-6,\n"
    path = written(tmp_path, "time,ETH,BTC,multiplier_ETH,multiplier_BTC,last_interpolation\n" + rows)
    found = load_weights(path, ("ETH", "BTC")).at(us("2018-04-01") + HOUR * np.array([0, 3, 6, 23, 24, 34]))
    np.testing.assert_allclose(found[:, 0], [0.4, 0.4108, 0.4216, 0.4216, 0.5, 0.464], rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2018-04-01,0.4,0.5\n", "sum to 0.9, but must sum to 1"),
        ("2018-04-01,4e17,6e17\n", "divide numbers with 18 decimals by 1e18"),
        ("2018-04-01,1.2,-0.2\n", "must be positive"),
        ("2018-04-02,0.4,0.6\n2018-04-01,0.4,0.6\n", "does not come after"),
        ("2018-04-01,,0.6\n", "must be positive"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, message):
    with pytest.raises(PriceError, match=message) as error:
        load_weights(written(tmp_path, "time,ETH,BTC\n" + rows), ("ETH", "BTC"))
    assert "row" in str(error.value)


def test_half_of_the_multipliers_is_refused(tmp_path):
    path = written(tmp_path, "time,ETH,BTC,multiplier_ETH\n2018-04-01,0.4,0.6,0\n")
    with pytest.raises(PriceError, match="multiplier_BTC is empty; give all multipliers, or none"):
        load_weights(path, ("ETH", "BTC"))


def test_weights_that_leave_the_simplex_are_refused(tmp_path):
    path = written(tmp_path, "time,ETH,BTC,multiplier_ETH,multiplier_BTC\n2018-04-01,0.4,0.6,-1e-4,1e-4\n")
    with pytest.raises(PriceError, match="but must be positive"):
        load_weights(path, ("ETH", "BTC")).at(us("2018-04-02"))
