"""The gradient driver: optax ascent on training windows, many parameter sets side by side."""

from quantsim.drivers.sgd.driver import GradientDriver, Progress, SgdRun, run_sgd

__all__ = ["GradientDriver", "Progress", "SgdRun", "run_sgd"]
