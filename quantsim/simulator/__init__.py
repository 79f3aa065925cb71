"""From prices and parameters to pool values and metrics.

``evaluate.py`` is the traced core, ``evaluator.py`` its interface on the host, ``calls.py`` runs many calls on all processors,
``result.py`` simulates the full path of one pool, ``carried.py`` pools whose parameters change, and ``grid.py`` evaluates grids
of parameters.
"""

from quantsim.simulator.baselines import baseline_pool
from quantsim.simulator.calls import cut, run_calls
from quantsim.simulator.carried import baseline_values, cannot_carry, carried_values
from quantsim.simulator.evaluation import Evaluation
from quantsim.simulator.evaluator import Evaluator
from quantsim.simulator.grid import Axis, Grid, evaluate_grid
from quantsim.simulator.objective import Objective
from quantsim.simulator.plan import Path, Plan
from quantsim.simulator.result import Result, Split, period_of, simulate, simulate_on
from quantsim.simulator.variations import Variation, VariedPool, evaluate_starts, evaluate_variations

__all__ = [
    "Axis",
    "Evaluation",
    "Evaluator",
    "Grid",
    "Objective",
    "Path",
    "Plan",
    "Result",
    "Split",
    "Variation",
    "VariedPool",
    "baseline_pool",
    "baseline_values",
    "cannot_carry",
    "carried_values",
    "cut",
    "evaluate_grid",
    "evaluate_starts",
    "evaluate_variations",
    "period_of",
    "run_calls",
    "simulate",
    "simulate_on",
]
