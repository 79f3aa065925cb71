"""Outcomes as JSON values: ratios annualised, growth and excess in logs a year, undefined figures None."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.folds import Span
from quantsim.statistics import Interval
from quantsim.walk_forward.curves import Curve, Difference
from quantsim.walk_forward.stability import Stability

if TYPE_CHECKING:
    from quantsim.walk_forward.comparison import Comparison
    from quantsim.walk_forward.outcome import Efficiency, FoldOutcome, WalkForwardOutcome
    from quantsim.walk_forward.paths import PathsOutcome

__all__ = ["comparison_as_json", "outcome_as_json", "paths_as_json"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def outcome_as_json(outcome: WalkForwardOutcome) -> dict[str, Any]:
    """Returns a walk-forward as JSON values."""
    return {
        "study": outcome.study,
        "trainer": outcome.trainer,
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
            {"position": position, "in_sample": _number(value)} for position, value in enumerate(outcome.in_sample)
        ],
        "groups": [_span(group) for group in outcome.groups],
        "paths": [list(path) for path in outcome.paths],
        "out_of_sample": {
            "times": _times(outcome.times),
            "daily_log_returns": [_numbers(row) for row in outcome.daily_log_returns],
            **{name: _numbers(values) for name, values in columns.items()},
            "quantiles": {
                name: {f"{share:g}": _number(outcome.quantile(values, share)) for share in _QUANTILES}
                for name, values in columns.items()
            },
        },
        "baselines": {name: _curve(curve) for name, curve in outcome.baselines.items()},
        "efficiency": {"of_median": _number(outcome.efficiency)},
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
        "in_sample": _number(row.in_sample),
        "validation": _number(row.validation),
        "out_of_sample": _number(row.out_of_sample),
        "carried": _number(row.carried),
        "efficiency": _number(row.efficiency),
        "excess_in_sample": _number(row.excess_in_sample),
        "excess_out_of_sample": _number(row.excess_out_of_sample),
        "excess_efficiency": _number(row.excess_efficiency),
    }


def _efficiency(found: Efficiency) -> dict[str, Any]:
    return {
        "of_curve": _number(found.of_curve),
        "median": _number(found.median),
        "defined": found.defined,
        "folds": found.folds,
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "times": _times(curve.times),
        "values": _numbers(curve.values),
        "days": curve.days.tolist(),
        "daily_log_returns": _numbers(curve.daily_log_returns),
        "growth": _interval(curve.growth),
        "sharpe": _interval(curve.sharpe),
    }


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "excess": _interval(found.excess),
        "information_ratio": _interval(found.information_ratio),
        "sharpe": _interval(found.sharpe),
    }


def _stability(row: Stability) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "values": _numbers(row.values),
        "lower_quartile": _number(row.lower_quartile),
        "median": _number(row.median),
        "upper_quartile": _number(row.upper_quartile),
        "relative_spread": _number(row.relative_spread),
    }


def _interval(found: Interval) -> dict[str, Any]:
    ends = {"point": found.point, "lower": found.lower, "upper": found.upper, "standard_error": found.standard_error}
    return {**{name: _number(value) for name, value in ends.items()}, "level": found.level, "reason": found.reason}


def _span(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


def _times(times: np.ndarray) -> list[str]:
    return [str(time) for time in times]


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
