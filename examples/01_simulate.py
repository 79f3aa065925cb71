"""Simulates a momentum pool on bundled prices, with and without fees, and compares it with holding."""

from __future__ import annotations

from quantsim import Experiment, simulate

experiment = Experiment.from_dict(
    {
        "name": "first",
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": "2018-04-01", "train_end": "2019-01-01", "test_end": "2019-10-01"},
        "pool": {"rule": "momentum"},
        "update": {"chunk_minutes": 1440, "max_memory_days": 180.0},  # weights are set once a day
    }
)
prices = experiment.load_prices()  # once, for both
print(prices)

for swap_fee in (0.0, 0.003):
    pool = experiment.override([f"fees.swap_fee={swap_fee}"])
    # One memory for both tokens, one aggressiveness each; raw names such as logit_lamb do as well.
    result = simulate(pool, {"memory_days": 20.0, "k_per_day": [10.0, 5.0]}, prices, split="test")
    returns, over_hodl = (100 * result.metrics[name] for name in ("returns", "returns_over_hodl"))
    print(
        f"fee {100 * swap_fee:.1f} %: {returns:+.1f} %, over HODL {over_hodl:+.1f} %, fees {result.fee_revenue:,.0f} USD"
    )

print(f"last weights: {dict(zip(result.tokens, result.weights[-1].round(3).tolist(), strict=True))}")
