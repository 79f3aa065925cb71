"""Writes result files in the layouts of the published implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FINGERPRINT: dict[str, Any] = {
    "tokens": ["BTC", "ETH"],
    "rule": "momentum",
    "startDateString": "2023-01-01 00:00:00",
    "endDateString": "2023-05-31 00:00:00",
    "endTestDateString": "2023-08-01 00:00:00",
    "return_val": "daily_log_sharpe",
    "bout_offset": 0,
    "optimisation_settings": {"n_parameter_sets": 2, "val_fraction": 0.2},
}


def table(value: float, **metrics: float) -> dict[str, float]:
    """The metrics of a set on a split, as that implementation names them."""
    return {
        "returns_over_uniform_hodl": value,
        "return": value + 1,
        "sharpe": value + 2,
        "jax_sharpe": value + 3,
    } | metrics


def parameters(n_sets: int = 2, **values: Any) -> dict[str, Any]:
    """Raw parameters of momentum on two tokens."""
    rows = [[float(index), index + 0.5] for index in range(n_sets)]
    return dict.fromkeys(("initial_weights_logits", "logit_lamb", "logit_delta_lamb", "log_k"), rows) | values


def gradient_entry(step: int, train: list[float], **values: Any) -> dict[str, Any]:
    """A step of a gradient run: tables of metrics, one for each set."""
    return {
        **parameters(len(train)),
        "step": step,
        "objective": [10 * value for value in train],
        "train_objective": [table(value) for value in train],
        "validation_metrics": [table(-value) for value in train],
        "test_objective": [table(2 * value) for value in train],
        "continuous_test_metrics": [table(2 * value) for value in train],
        "hessian_trace": 0,
        "local_learning_rate": 0.1,
        "iterations_since_improvement": 0,
        "subsidary_params": [],
    } | values


def search_entry(step: int, train: float, **values: Any) -> dict[str, Any]:
    """A trial of a search: one set, one number for each split."""
    return {
        "log_k": [1.0, 2.0],
        "logit_lamb": [0.5, 0.25],
        "step": step,
        "optuna_trial_number": step,
        "objective": train - 0.5,
        "train_objective": train,
        "test_objective": -train,
        "train_return": 0.1,
        "train_sharpe": 0.2,
        "train_returns_over_hodl": 0.3,
        "validation_return": 0.4,
        "validation_sharpe": 0.5,
        "validation_returns_over_hodl": 0.6,
        "hessian_trace": 0,
        "local_learning_rate": 0,
        "iterations_since_improvement": 0,
    } | values


def result_file(path: Path, *entries: dict[str, Any], **fingerprint: Any) -> Path:
    """Writes JSON in JSON, the configuration first."""
    path.write_text(json.dumps(json.dumps([FINGERPRINT | fingerprint, *entries], sort_keys=True), indent=4))
    return path
