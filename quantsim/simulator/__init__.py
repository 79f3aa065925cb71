"""From prices and parameters to the value of a pool: estimators' outputs, weights, arbitrage, and the one evaluator.

``evaluate.py`` holds the traced core, ``evaluator.py`` the host's side of it, ``result.py`` the full path of one pool,
``grid.py`` what parameters are worth over a grid of them.
"""

from quantsim.simulator.evaluator import Evaluator
from quantsim.simulator.grid import Axis, Grid, evaluate_grid
from quantsim.simulator.objective import Objective
from quantsim.simulator.plan import Path, Plan
from quantsim.simulator.result import Result, simulate

__all__ = ["Axis", "Evaluator", "Grid", "Objective", "Path", "Plan", "Result", "evaluate_grid", "simulate"]
