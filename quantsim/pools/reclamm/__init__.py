"""The reCLAMM pool. ``pool.py`` defines the mechanism; every other module implements one algorithm."""

from quantsim.pools.reclamm.pool import POOL

__all__ = ["POOL"]
