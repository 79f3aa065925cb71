"""The Gyroscope E-CLP. ``pool.py`` defines the mechanism; every other module implements one algorithm."""

from quantsim.pools.eclp.pool import POOL

__all__ = ["POOL"]
