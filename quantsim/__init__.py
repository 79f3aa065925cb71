"""quantsim: simulates AMM pools whose weights follow a strategy, and finds good parameters by gradients and by search.

Importing this package imports and configures nothing else. Names are imported when they are used. docs/python.md shows them
at work.

Example:
    >>> import quantsim
    >>> study = quantsim.Experiment.load("momentum_fees")
    >>> result = quantsim.simulate(study, {"memory_days": 20.0}, split="test")  # doctest: +SKIP
    >>> found = quantsim.search(study, trials=200)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # A study, its prices, and one simulation
    from quantsim.api.simulation import simulate as simulate
    from quantsim.config import Experiment as Experiment
    from quantsim.prices import load_prices as load_prices
    from quantsim.rules import Rule as Rule
    from quantsim.simulator import Evaluator as Evaluator

    # isort: split
    # Finding parameters
    from quantsim.api.drivers import hybrid as hybrid
    from quantsim.api.drivers import search as search
    from quantsim.api.drivers import train as train
    from quantsim.api.out_of_sample import walk_forward as walk_forward

    # isort: split
    # Selecting and judging
    from quantsim.api.reporting import make_report as make_report
    from quantsim.checkpoints import CheckpointStore as CheckpointStore
    from quantsim.checkpoints import select as select
    from quantsim.checkpoints import top as top
    from quantsim.validation import validate as validate

    # isort: split
    # For special purposes
    from quantsim.api.cross_validation import CrossValidationResult as CrossValidationResult
    from quantsim.api.grids import GridResult as GridResult
    from quantsim.api.grids import evaluate_grid as evaluate_grid
    from quantsim.api.optimization import Optimization as Optimization
    from quantsim.api.out_of_sample import WalkForwardResult as WalkForwardResult
    from quantsim.api.reporting import HtmlReport as HtmlReport
    from quantsim.api.robustness import RobustnessResult as RobustnessResult
    from quantsim.api.robustness import evaluate_robustness as evaluate_robustness
    from quantsim.api.simulation import Simulation as Simulation
    from quantsim.checkpoints.finding import best_of_search as best_of_search
    from quantsim.checkpoints.finding import start_from as start_from
    from quantsim.checkpoints.finding import starts_from as starts_from
    from quantsim.checkpoints.picking import pick as pick
    from quantsim.checkpoints.published import import_results as import_results
    from quantsim.config.template import study_template as study_template
    from quantsim.config.template import write_study_template as write_study_template
    from quantsim.drivers.search.deletion import delete_runs as delete_runs
    from quantsim.drivers.search.transfer import export_runs as export_runs
    from quantsim.drivers.search.transfer import import_runs as import_runs
    from quantsim.environment import prepare_environment as prepare_environment
    from quantsim.errors import FingerprintWarning as FingerprintWarning
    from quantsim.precision import enable_float64 as enable_float64
    from quantsim.prices import Prices as Prices
    from quantsim.report.deployment import deployment as deployment
    from quantsim.simulator import Axis as Axis
    from quantsim.simulator import Result as Result
    from quantsim.volume.fit import VolumeFit as VolumeFit
    from quantsim.volume.fit import fit_volume as fit_volume

__version__ = "0.1.0"

_HOMES = {
    "quantsim.api.cross_validation": ("CrossValidationResult",),
    "quantsim.api.drivers": ("hybrid", "search", "train"),
    "quantsim.api.grids": ("GridResult", "evaluate_grid"),
    "quantsim.api.optimization": ("Optimization",),
    "quantsim.api.out_of_sample": ("WalkForwardResult", "walk_forward"),
    "quantsim.api.reporting": ("HtmlReport", "make_report"),
    "quantsim.api.robustness": ("RobustnessResult", "evaluate_robustness"),
    "quantsim.api.simulation": ("Simulation", "simulate"),
    "quantsim.checkpoints": ("CheckpointStore", "select", "top"),
    "quantsim.checkpoints.finding": ("best_of_search", "start_from", "starts_from"),
    "quantsim.checkpoints.picking": ("pick",),
    "quantsim.checkpoints.published": ("import_results",),
    "quantsim.config": ("Experiment",),
    "quantsim.config.template": ("study_template", "write_study_template"),
    "quantsim.drivers.search.deletion": ("delete_runs",),
    "quantsim.drivers.search.transfer": ("export_runs", "import_runs"),
    "quantsim.environment": ("prepare_environment",),
    "quantsim.errors": ("FingerprintWarning",),
    "quantsim.precision": ("enable_float64",),
    "quantsim.prices": ("Prices", "load_prices"),
    "quantsim.report.deployment": ("deployment",),
    "quantsim.rules": ("Rule",),
    "quantsim.simulator": ("Axis", "Evaluator", "Result"),
    "quantsim.validation": ("validate",),
    "quantsim.volume.fit": ("VolumeFit", "fit_volume"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'quantsim' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
