"""quantsim: simulates AMM pools whose weights follow a strategy, and finds good parameters by gradients and by search.

Importing this package imports and configures nothing else. Names are imported when they are used.

Example:
    >>> import quantsim
    >>> study = quantsim.Experiment.load("momentum_fees")
    >>> result = quantsim.simulate(study, {"memory_days": 20.0}, split="test")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore as CheckpointStore
    from quantsim.checkpoints import select as select
    from quantsim.checkpoints.finding import best_of_search as best_of_search
    from quantsim.checkpoints.finding import start_from as start_from
    from quantsim.checkpoints.finding import starts_from as starts_from
    from quantsim.checkpoints.picking import pick as pick
    from quantsim.checkpoints.published import import_results as import_results
    from quantsim.config import Experiment as Experiment
    from quantsim.environment import prepare_environment as prepare_environment
    from quantsim.errors import FingerprintWarning as FingerprintWarning
    from quantsim.precision import enable_float64 as enable_float64
    from quantsim.prices import Prices as Prices
    from quantsim.prices import load_prices as load_prices
    from quantsim.report.deployment import deployment as deployment
    from quantsim.robustness import evaluate_robustness as evaluate_robustness
    from quantsim.simulator import Axis as Axis
    from quantsim.simulator import Evaluator as Evaluator
    from quantsim.simulator import Result as Result
    from quantsim.simulator import evaluate_grid as evaluate_grid
    from quantsim.simulator import simulate as simulate
    from quantsim.validation import validate as validate

__version__ = "0.1.0"

_HOMES = {
    "Axis": "quantsim.simulator",
    "CheckpointStore": "quantsim.checkpoints",
    "Evaluator": "quantsim.simulator",
    "Experiment": "quantsim.config",
    "FingerprintWarning": "quantsim.errors",
    "Prices": "quantsim.prices",
    "Result": "quantsim.simulator",
    "best_of_search": "quantsim.checkpoints.finding",
    "deployment": "quantsim.report.deployment",
    "enable_float64": "quantsim.precision",
    "evaluate_grid": "quantsim.simulator",
    "evaluate_robustness": "quantsim.robustness",
    "import_results": "quantsim.checkpoints.published",
    "load_prices": "quantsim.prices",
    "prepare_environment": "quantsim.environment",
    "pick": "quantsim.checkpoints.picking",
    "select": "quantsim.checkpoints",
    "simulate": "quantsim.simulator",
    "start_from": "quantsim.checkpoints.finding",
    "starts_from": "quantsim.checkpoints.finding",
    "validate": "quantsim.validation",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quantsim' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
