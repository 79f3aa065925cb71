"""Checkpoints as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantsim.checkpoints.checkpoint import Checkpoint, chronological
from quantsim.json_values import JsonNumber, json_number, json_numbers

__all__ = ["identity_json", "metrics_json", "set_json"]


def identity_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns which checkpoint it is: its key and id, driver, step and parameter set, and when it was made."""
    return {
        "key": checkpoint.key,
        "id": checkpoint.checkpoint_id,
        "driver": checkpoint.driver,
        "step": checkpoint.step,
        "parameter_set": checkpoint.parameter_set,
        "created_at": checkpoint.created_at.isoformat(),
    }


def set_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns a parameter set, in human units, with its metrics."""
    return {
        "key": checkpoint.key,
        "id": checkpoint.checkpoint_id,
        "parameters": {name: json_numbers(values) for name, values in checkpoint.human.items()},
        "metrics": metrics_json(checkpoint.metrics),
    }


def metrics_json(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, JsonNumber]]:
    """Returns split → metric → value, with the splits in chronological order."""
    return {
        split: {name: json_number(value) for name, value in metrics[split].items()} for split in chronological(metrics)
    }
