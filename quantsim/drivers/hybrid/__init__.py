"""The hybrid driver, which alternates a search and gradient training of its best trials. See docs/hybrid.md."""

from quantsim.drivers.hybrid.driver import HybridProgress, HybridRun, run_hybrid
from quantsim.drivers.hybrid.rounds import Phase

__all__ = ["HybridProgress", "HybridRun", "Phase", "run_hybrid"]
