"""The gradient driver: optax ascent on training windows, for many parameter sets at once."""

from quantsim.drivers.sgd.driver import GradientDriver, Progress, SgdRun, run_sgd

__all__ = ["GradientDriver", "Progress", "SgdRun", "run_sgd"]
