"""Compares three indices of market capitalisation: an AMM that is always open, one that trades an hour a week, and a fund.

The supplies are constants, rounded figures of about 2018 for an example; for results that count, name a file of circulating
supplies over time in series.oracle.
"""

from __future__ import annotations

import numpy as np

from quantsim import Experiment, simulate

SUPPLIES = {"BTC": 17e6, "ETH": 1e8, "XRP": 4e10}

experiment = Experiment.from_dict(
    {
        "name": "index",
        "data": {"tokens": list(SUPPLIES)},
        "periods": {"train_start": "2018-04-01", "train_end": "2019-01-01", "test_end": "2019-10-01"},
        "pool": {"rule": "index_supply"},
        "update": {"chunk_minutes": 7 * 1440, "interpolation_minutes": 60, "maximum_change_per_minute": 0.01},
        "series": {"oracle": "given below"},
        "parameters": {"memory_days": 0.1, "cap": 0.5},
    }
)
prices = experiment.load_prices(given_series=["oracle"])
supplies = np.tile(list(SUPPLIES.values()), (prices.n_bars, 1))

for name, settings in {
    "always open": ["fees.swap_fee=0.003"],
    "an hour a week": ["fees.swap_fee=0.003", "pool.trading_minutes=60"],
    "fund": ["pool.type=rebalanced", "pool.trading_minutes=60", "fees.swap_fee=0.001", "pool.annual_fee=0.02"],
}.items():
    result = simulate(experiment.override(settings), None, prices, split="test", series={"oracle": supplies})
    returns, over_hodl = (100 * result.metrics[metric] for metric in ("returns", "returns_over_hodl"))
    weights = dict(zip(result.tokens, result.weights[-1].round(3).tolist(), strict=True))
    print(f"{name:14} {returns:+.2f} %, over HODL {over_hodl:+.2f} %, weights at the end {weights}")
