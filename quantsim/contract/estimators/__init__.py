"""Estimators of the contracts: pure functions from state and data to the new state."""

from quantsim.contract.estimators.gradient import gradient
from quantsim.contract.estimators.moving_average import moving_average
from quantsim.contract.estimators.variance import variance

__all__ = ["gradient", "moving_average", "variance"]
