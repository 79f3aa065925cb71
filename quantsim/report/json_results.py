"""Results as JSON values, for ``--json`` and ``to_json``, with all digits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.checkpoints.as_json import identity_json, metrics_json
from quantsim.json_values import json_number, json_numbers

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint
    from quantsim.checkpoints.picking import Pick
    from quantsim.config import Experiment
    from quantsim.drivers.hybrid import HybridRun
    from quantsim.drivers.search import SearchRun
    from quantsim.drivers.sgd import SgdRun
    from quantsim.report.comparison import Comparison
    from quantsim.report.results import RunResult
    from quantsim.search_space import SearchSpace
    from quantsim.simulator import Result
    from quantsim.simulator.grid import Cell, Grid

__all__ = ["checkpoint_json", "files_json", "grid_json", "run_json", "selection_json", "simulation_json", "space_json"]


def run_json(
    experiment: Experiment, driver: str, run: SearchRun | SgdRun | HybridRun, best: RunResult, store: str
) -> dict[str, Any]:
    """Returns the result of a driver: how the run ended, and the selected checkpoint beside the baselines.

    Args:
        experiment: experiment of the run.
        driver: name of the driver.
        run: what the driver returned.
        best: the selected checkpoint.
        store: location of the checkpoint store, without a password.
    """
    selection = best.selection
    return {
        **_study_json(experiment),
        "driver": driver,
        "store": store,
        "run": _plain(dataclasses.asdict(run)),
        "method": "balanced" if selection is None else selection.method,
        "metric": ", ".join(experiment.search_objectives) if selection is None else selection.metric,
        "chosen_by": "train" if selection is None else selection.chosen_by,
        "used_test_data": selection is not None and selection.used_test_data,
        "notes": [*(() if selection is None else selection.notes), *experiment.cautions],
        "selected": {**checkpoint_json(experiment, best.checkpoint), **best.comparison.to_json()},
    }


def selection_json(picked: Pick, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Returns selected checkpoints beside the baselines, and how they were selected."""
    experiment, selection = picked.experiment, picked.selection
    return {
        **_study_json(experiment),
        "method": selection.method,
        "metric": selection.metric,
        "minimum": selection.minimum,
        "chosen_by": selection.chosen_by,
        "used_test_data": selection.used_test_data,
        "notes": [*selection.notes, *experiment.cautions, *picked.prices_notes],
        "runs": [run.run_id for run in picked.runs],
        "checkpoints": [
            {**checkpoint_json(experiment, checkpoint), **comparison.to_json()}
            for checkpoint, comparison in zip(selection.checkpoints, comparisons, strict=True)
        ],
    }


def simulation_json(experiment: Experiment, result: Result, comparison: Comparison) -> dict[str, Any]:
    """Returns a simulation: parameters, and metrics on every split beside the baselines."""
    return {
        **_study_json(experiment),
        "split": result.split,
        "first": str(result.times[0]),
        "last": str(result.times[-1]),
        "n_bars": int(result.times.size),
        "initial_value": json_number(result.value[0]),
        "final_value": json_number(result.value[-1]),
        **({} if result.supply is None else {"final_pool_value": json_number(result.pool_value[-1])}),
        "fee_revenue": json_number(result.fee_revenue),
        "notes": _plain(result.notes),
        **_parameters_json(experiment, result.params),
        **comparison.to_json(),
    }


def grid_json(experiment: Experiment, grid: Grid, best: Cell, comparison: Comparison) -> dict[str, Any]:
    """Returns a grid: its axes, the metrics of all cells (nested lists, one level per axis), and the best cell."""
    return {
        **_study_json(experiment),
        "axes": [{"name": axis.name, "values": axis.values.tolist()} for axis in grid.axes],
        "metrics": {
            split: {name: _plain(values) for name, values in table.items()} for split, table in grid.metrics.items()
        },
        "notes": _plain(grid.notes),
        "best": {
            "index": list(best.index),
            "values": best.values,
            "chosen_by": best.chosen_by,
            "metric": best.metric,
            "at_end_of": list(best.at_end_of),
            **_parameters_json(experiment, best.raw),
            "metrics": metrics_json(best.metrics),
            **comparison.to_json(),
        },
    }


def space_json(experiment: Experiment, space: SearchSpace) -> dict[str, Any]:
    """Returns a search space: the range or the choices of each trial parameter, and the values that are fixed."""
    units = _units(experiment)
    return {
        **_study_json(experiment),
        "sampler": experiment.search.sampler,
        "trials": experiment.search.trials,
        "parameters": [
            {**_plain(dataclasses.asdict(draw)), "unit": units.get(dimension.name)}
            for dimension in space.dimensions
            for draw in dimension.draws
        ],
        "fixed": dict(space.fixed),
    }


def files_json(**files: Path | None) -> dict[str, Any]:
    """Returns the files that a command wrote, as an entry ``files``; nothing if there are none."""
    written = {name: str(path) for name, path in files.items() if path is not None}
    return {"files": written} if written else {}


def checkpoint_json(experiment: Experiment, checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns a checkpoint with its parameters, raw and in human units, and its metrics."""
    units = {} if experiment.is_only_read else _units(experiment, active=True)
    return {
        **identity_json(checkpoint),
        "parameters": {
            name: {"values": json_numbers(checkpoint.human[name]), "unit": units.get(name)}
            for name in units or checkpoint.human
            if name in checkpoint.human
        },
        "raw": {name: json_numbers(values) for name, values in checkpoint.raw.items()},
        "objective": json_number(checkpoint.objective),
        "metrics": metrics_json(checkpoint.metrics),
    }


def _study_json(experiment: Experiment) -> dict[str, Any]:
    return {
        "study": experiment.name,
        "rule": experiment.pool.strategy_name,
        "tokens": list(experiment.tokens),
    }


def _parameters_json(experiment: Experiment, raw: Mapping[str, Any]) -> dict[str, Any]:
    human, units = experiment.human_parameters(raw), _units(experiment, active=True)
    return {
        "parameters": {
            name: {"values": json_numbers(human[name].tolist()), "unit": unit} for name, unit in units.items()
        },
        "raw": _plain(raw),
    }


def _units(experiment: Experiment, *, active: bool = False) -> dict[str, str]:
    return {
        parameter.human_name: parameter.spec.unit
        for parameter in (experiment.active_parameters if active else experiment.layout)
    }


def _plain(value: Any) -> Any:
    """Returns nested values as JSON values."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return json_number(value) if isinstance(value, float) else value
