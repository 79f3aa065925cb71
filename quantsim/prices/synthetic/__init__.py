"""Synthetic prices: geometric Brownian motion, Brownian motion with a trend, and resampled blocks of real prices.

As a source, for :func:`quantsim.prices.load_prices` and ``data.source`` of a study, they are named
``"synthetic:gbm?seed=1&volatility_per_hour=0.01"``. The functions of this module return the same prices.
"""

from __future__ import annotations

from quantsim.prices.synthetic.block_bootstrap import block_bootstrap
from quantsim.prices.synthetic.gbm import gbm
from quantsim.prices.synthetic.ou_trend import ou_trend

__all__ = ["block_bootstrap", "gbm", "ou_trend"]
