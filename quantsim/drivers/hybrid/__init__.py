"""The hybrid driver: search, fine-tune the best by gradients, try the results as trials, and so on; docs/hybrid.md."""

from quantsim.drivers.hybrid.driver import HybridProgress, HybridRun, run_hybrid
from quantsim.drivers.hybrid.rounds import Phase

__all__ = ["HybridProgress", "HybridRun", "Phase", "run_hybrid"]
