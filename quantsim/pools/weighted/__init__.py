"""The weighted geometric mean: weights, arbitrage, adjoints."""
