"""The weighted pool. ``pool.py`` is the mechanism; the other files are its arithmetic, one algorithm each."""

from quantsim.pools.weighted.pool import POOL

__all__ = ["POOL"]
