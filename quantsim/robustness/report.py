"""A robustness report: the result, its percentiles under variations, and a judgement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.json_values import json_number

__all__ = ["PERCENTILES", "Robustness", "Spread", "Varied"]

Table = Mapping[str, Mapping[str, FloatArray]]
Point = Mapping[str, Mapping[str, float]]

PERCENTILES = (5, 25, 50, 75, 95)
"""The percentiles of a metric under variations, in percent."""

_HIGH_SHARE = 0.95
_WORDS = {
    "neighbours": "neighbouring parameter sets",
    "price_noise": "noisy price paths",
    "resampled_prices": "resampled price paths",
    "shifted_starts": "shifted starts",
    "costs": "cost variations",
}


@dataclass(frozen=True)
class Spread:
    """A metric under variations, beside its value without any.

    Attributes:
        point: value without variations.
        percentiles: percentile → value, for :data:`PERCENTILES`; nan if no variation has a value.
        undefined: number of variations in which the metric is nan.
    """

    point: float
    percentiles: Mapping[int, float]
    undefined: int = 0

    @classmethod
    def of(cls, point: float, values: FloatArray) -> Spread:
        """Returns the spread of values, (V,)."""
        kept = values[~np.isnan(values)]
        # Between infinite values there is nothing to interpolate.
        method: Literal["linear", "nearest"] = "linear" if np.isfinite(kept).all() else "nearest"
        found = np.percentile(kept, PERCENTILES, method=method) if kept.size else np.full(len(PERCENTILES), np.nan)
        return cls(point, dict(zip(PERCENTILES, map(float, found), strict=True)), int(values.size - kept.size))


@dataclass(frozen=True, eq=False)
class Varied:
    """The results under one kind of variations.

    Attributes:
        what: description of the variations.
        values: split → metric → (V,), of the parameter set.
        constant_weights: values of the pool with constant weights, under the same variations.
        point: split → metric → value of the parameter set without variations.
        constant_point: values of the pool with constant weights without variations.
    """

    what: str
    values: Table
    constant_weights: Table
    point: Point
    constant_point: Point

    @property
    def n(self) -> int:
        """The largest number of variations of a split."""
        return max((values.size for table in self.values.values() for values in table.values()), default=0)

    def spread(self, split: str, metric: str) -> Spread:
        """Returns the spread of the parameter set."""
        return Spread.of(self.point[split][metric], self.values[split][metric])

    def constant_spread(self, split: str, metric: str) -> Spread:
        """Returns the spread of constant weights."""
        return Spread.of(self.constant_point[split][metric], self.constant_weights[split][metric])

    def difference(self, split: str, metric: str) -> Spread:
        """Returns the spread of the difference to constant weights under the same variation."""
        with np.errstate(invalid="ignore"):
            found = self.values[split][metric] - self.constant_weights[split][metric]
            return Spread.of(self.point[split][metric] - self.constant_point[split][metric], found)

    def share_ahead(self, split: str, metric: str) -> float:
        """Returns the share of the variations in which the parameter set is better than constant weights."""
        ahead = self.values[split][metric] > self.constant_weights[split][metric]
        return float(np.mean(ahead)) if ahead.size else math.nan


@dataclass(frozen=True, eq=False)
class Robustness:
    """The results of a parameter set under variations of parameters, prices, start and costs.

    Attributes:
        metrics: names of the metrics, all to be maximised; the judgement is based on the first.
        params: the parameter set, raw name → (m,).
        kinds: kind → results.
        point: split → metric → value of the parameter set.
        constant_weights: split → metric → value of the pool with constant weights.
        left_out: kind → why it was left out.
        notes: notes for readers of the results.
    """

    metrics: tuple[str, ...]
    params: Mapping[str, FloatArray]
    kinds: Mapping[str, Varied]
    point: Point
    constant_weights: Point
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last_split(self) -> str:
        """Name of the last split."""
        return list(self.point)[-1]

    @property
    def judgement(self) -> str:
        """A sentence on the first metric on the last split."""
        split, metric = self.last_split, self.metrics[0]
        own, constant = self.point[split][metric], self.constant_weights[split][metric]
        if own == constant:
            return f"On {split} data, the parameter set is exactly as good as constant weights ({metric})."
        if not own > constant:
            return (
                f"On {split} data, the parameter set is not better than constant weights ({metric}), so there is no advantage "
                "to check."
            )
        shares = {
            kind: varied.share_ahead(split, metric) for kind, varied in self.kinds.items() if split in varied.values
        }
        lost = {kind: share for kind, share in shares.items() if not share >= _HIGH_SHARE}
        if lost:
            parts = ", ".join(f"{100 * share:.0f} % of {_WORDS[kind]}" for kind, share in lost.items())
            return f"On {split} data, the advantage over constant weights ({metric}) is fragile: it remains in only {parts}."
        return (
            f"On {split} data, the parameter set is better than constant weights ({metric}) in at least "
            f"{100 * _HIGH_SHARE:.0f} % of the variations of every kind. This does not show that the advantage is skill."
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the results as JSON values; NaN is null, infinity is "inf" or "-inf"."""
        return {
            "metrics": list(self.metrics),
            "raw": {name: values.tolist() for name, values in self.params.items()},
            "judgement": self.judgement,
            "left_out": dict(self.left_out),
            "notes": dict(self.notes),
            "kinds": {
                kind: {
                    "what": varied.what,
                    "splits": {
                        split: {metric: _of_metric(varied, split, metric) for metric in self.metrics}
                        for split in varied.values
                    },
                }
                for kind, varied in self.kinds.items()
            },
        }


def _of_metric(varied: Varied, split: str, metric: str) -> dict[str, Any]:
    return {
        "n": int(varied.values[split][metric].size),
        "set": _of_spread(varied.spread(split, metric)),
        "constant_weights": _of_spread(varied.constant_spread(split, metric)),
        "difference": _of_spread(varied.difference(split, metric)),
        "share_ahead": json_number(varied.share_ahead(split, metric)),
    }


def _of_spread(spread: Spread) -> dict[str, Any]:
    percentiles = {str(percentile): json_number(value) for percentile, value in spread.percentiles.items()}
    return {"point": json_number(spread.point), "percentiles": percentiles, "undefined": spread.undefined}
