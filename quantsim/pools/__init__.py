"""Pool mechanisms, one module each. ``base.py`` defines the interface; every module that defines ``POOL`` adds a pool."""

from quantsim.pools.base import CostShape, ParameterSchedule, Path, Pool, PoolSetup, Subsidiary, Window
from quantsim.pools.market import FeeRates, Market
from quantsim.pools.registry import get_pool, pool_names
from quantsim.pools.run import ReserveRun, Run
from quantsim.pools.settings import PoolSettings

__all__ = [
    "CostShape",
    "FeeRates",
    "Market",
    "ParameterSchedule",
    "Path",
    "Pool",
    "PoolSettings",
    "PoolSetup",
    "ReserveRun",
    "Run",
    "Subsidiary",
    "Window",
    "get_pool",
    "pool_names",
]
