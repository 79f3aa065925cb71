"""Outcomes as JSON values: ratios annualised, growth and excess in logs a year, undefined figures None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.folds import Span
from quantsim.json_values import json_number, json_numbers
from quantsim.out_of_sample.curves import Curve, Difference
from quantsim.out_of_sample.stability import Stability

if TYPE_CHECKING:
    from quantsim.out_of_sample.comparison import Comparison
    from quantsim.out_of_sample.outcome import Efficiency, FoldOutcome, WalkForwardOutcome
    from quantsim.out_of_sample.paths import PathsOutcome

__all__ = ["comparison_as_json", "outcome_as_json", "paths_as_json"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def outcome_as_json(outcome: WalkForwardOutcome) -> dict[str, Any]:
    """Returns a walk-forward as JSON values."""
    return {
        "study": outcome.study,
        "trainer": outcome.trainer,
        "method": outcome.method,
        "folds": [_fold(row) for row in outcome.folds],
        "out_of_sample": {
            "curve": outcome.out_of_sample.name,
            "note": outcome.note,
            "carried": None if outcome.carried is None else _curve(outcome.carried),
            "restarted": _curve(outcome.restarted),
        },
        "baselines": {
            name: {**_curve(curve), "difference": _difference(outcome.differences[name])}
            for name, curve in outcome.baselines.items()
        },
        "efficiency": {
            "sharpe": _efficiency(outcome.efficiency),
            "information_ratio": _efficiency(outcome.excess_efficiency),
        },
        "parameters": [_stability(row) for row in outcome.parameters],
        "judgement": outcome.judgement,
    }


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Returns a comparison as JSON values: the outcome of each trainer, with its difference to the first."""
    first = comparison.rows[0].outcome.trainer
    return {
        "reference": first,
        "trainers": {
            row.outcome.trainer: {
                **outcome_as_json(row.outcome),
                "to_reference": None if row.to_first is None else _difference(row.to_first),
            }
            for row in comparison.rows
        },
        "judgement": comparison.judgement,
    }


def paths_as_json(outcome: PathsOutcome) -> dict[str, Any]:
    """Returns combinatorial cross-validation as JSON values; its ``folds`` are the splits."""
    columns = {
        "sharpe": outcome.sharpes,
        "growth": outcome.growths,
        "information_ratio": outcome.information_ratios,
    }
    return {
        "study": outcome.study,
        "trainer": outcome.trainer,
        "folds": [
            {"position": position, "in_sample": json_number(value)} for position, value in enumerate(outcome.in_sample)
        ],
        "groups": [_span(group) for group in outcome.groups],
        "paths": [list(path) for path in outcome.paths],
        "out_of_sample": {
            "times": _times(outcome.times),
            "daily_log_returns": [json_numbers(row) for row in outcome.daily_log_returns],
            **{name: json_numbers(values) for name, values in columns.items()},
            "quantiles": {
                name: {f"{share:g}": json_number(outcome.quantile(values, share)) for share in _QUANTILES}
                for name, values in columns.items()
            },
        },
        "baselines": {name: _curve(curve) for name, curve in outcome.baselines.items()},
        "efficiency": {"of_median": json_number(outcome.efficiency)},
        "parameters": [_stability(row) for row in outcome.parameters],
        "judgement": outcome.judgement,
    }


def _fold(row: FoldOutcome) -> dict[str, Any]:
    fold = row.fold
    return {
        "position": fold.position,
        "run": row.run_id,
        "checkpoint": row.checkpoint,
        "train": _span(fold.train),
        "validation_period": None if fold.validation is None else _span(fold.validation),
        "test": _span(fold.test),
        "in_sample": json_number(row.in_sample),
        "validation": json_number(row.validation),
        "out_of_sample": json_number(row.out_of_sample),
        "carried": json_number(row.carried),
        "efficiency": json_number(row.efficiency),
        "excess_in_sample": json_number(row.excess_in_sample),
        "excess_out_of_sample": json_number(row.excess_out_of_sample),
        "excess_efficiency": json_number(row.excess_efficiency),
    }


def _efficiency(found: Efficiency) -> dict[str, Any]:
    return {
        "of_curve": json_number(found.of_curve),
        "median": json_number(found.median),
        "defined": found.defined,
        "folds": found.folds,
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "times": _times(curve.times),
        "values": json_numbers(curve.values),
        "days": curve.days.tolist(),
        "daily_log_returns": json_numbers(curve.daily_log_returns),
        "growth": curve.growth.to_json(),
        "sharpe": curve.sharpe.to_json(),
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "excess": found.excess.to_json(),
        "information_ratio": found.information_ratio.to_json(),
        "sharpe": found.sharpe.to_json(),
    }


def _stability(row: Stability) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "values": json_numbers(row.values),
        "lower_quartile": json_number(row.lower_quartile),
        "median": json_number(row.median),
        "upper_quartile": json_number(row.upper_quartile),
        "relative_spread": json_number(row.relative_spread),
    }


def _span(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


def _times(times: np.ndarray) -> list[str]:
    return [str(time) for time in times]
