"""The weighted pool. ``pool.py`` defines the mechanism; every other module implements one algorithm."""

from quantsim.pools.weighted.pool import POOL

__all__ = ["POOL"]
