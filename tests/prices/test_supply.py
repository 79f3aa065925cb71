"""Tables of joins and exits."""

from __future__ import annotations

import numpy as np
import pytest

from quantsim.errors import PriceError
from quantsim.prices.supply import load_supply

HOUR = 3_600_000_000
START = int(np.datetime64("2018-04-01", "us").astype(np.int64))
BARS = START + HOUR * np.arange(6)


def loaded(tmp_path, rows):
    path = tmp_path / "supply.csv"
    path.write_text("time,shares,amount_usd\n" + rows)
    return load_supply(path)


def test_a_join_is_at_the_end_of_the_last_bar_up_to_its_time(tmp_path):
    changes = loaded(tmp_path, "2018-03-01,0.5,\n2018-04-01T01:59,0.25,\n2018-04-01T03:00,-1.0,\n2018-04-02,7,\n")
    assert changes.before(BARS).tolist() == [1.5, 1.5, 1.75, 1.75, 0.75, 0.75]
    assert changes.after(BARS, np.ones(6)).tolist() == [1.5, 1.75, 1.75, 0.75, 0.75, 0.75]


def test_an_amount_buys_shares_at_their_value(tmp_path):
    changes = loaded(tmp_path, "2018-04-01T01:00,,50\n2018-04-01T02:30,,-30\n2018-04-05,,9\n")
    value = np.array([100.0, 50.0, 60.0, 70.0, 80.0, 90.0])
    assert changes.after(BARS, value).tolist() == [1.0, 2.0, 1.5, 1.5, 1.5, 1.5]
    with pytest.raises(PriceError, match="amount_usd is for pools without gas and exogenous swaps"):
        changes.before(BARS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2018-04-01,0.5,10\n", "give either shares or amount_usd"),
        ("2018-04-01,,\n", "give either shares or amount_usd"),
        ("2018-04-01,inf,\n", "give either shares or amount_usd"),
        ("2018-04-02,0.5,\n2018-04-01,0.5,\n", "which is later; sort the rows"),
        ("2018-04-01,0.5,\n2018-04-02,-1.5,\n", "the supply is 0 after it, and must stay above 0"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, message):
    with pytest.raises(PriceError, match=message) as error:
        loaded(tmp_path, rows)
    assert "row" in str(error.value)


def test_an_exit_of_more_than_there_is_is_refused(tmp_path):
    with pytest.raises(PriceError, match="must stay above 0"):
        loaded(tmp_path, "2018-04-01,,-100\n").after(BARS, np.full(6, 100.0))
