"""The gradient driver: optax ascent on training windows, many parameter sets side by side."""

from quantsim.drivers.sgd.driver import Progress, SgdRun, run_sgd

__all__ = ["Progress", "SgdRun", "run_sgd"]
