"""A selected parameter set beside the baselines, on every split, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import ROUNDING
from quantsim.checkpoints.pareto import signed
from quantsim.json_values import JsonNumber, json_number

if TYPE_CHECKING:
    from quantsim.statistics import Interval

__all__ = ["LEVEL", "N_RESAMPLES", "SELECTED", "Comparison", "PoolResult", "Row", "SplitComparison"]


SELECTED = "selected"

LEVEL = 0.9
N_RESAMPLES = 1000


class PoolResult(Protocol):
    """The results of a parameter set or a baseline, such as a ``Checkpoint`` or a ``Baseline``."""

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """Split → metric → value."""

    @property
    def daily_log_returns(self) -> Mapping[str, FloatArray]:
        """Split → (D-1,) daily log returns of the pool's value; only splits with known returns."""


@dataclass(frozen=True)
class Row:
    """One metric on one split.

    Attributes:
        metric: name of the metric.
        values: pool → value, "selected" first; None if it is unknown.
        interval: bootstrap interval of the selected set's value; None if the metric is not a function of daily values, or
            daily returns are unknown.
        differences: baseline → paired interval of the selected set's value minus the baseline's; None as for ``interval``.
    """

    metric: str
    values: Mapping[str, float | None]
    interval: Interval | None = None
    differences: Mapping[str, Interval | None] = field(default_factory=dict)

    def difference(self, baseline: str) -> float | None:
        """Returns the selected set's value minus that of a baseline; None if one is unknown."""
        ours, theirs = self.values[SELECTED], self.values.get(baseline)
        if ours is None or theirs is None:
            return None
        return 0.0 if ours == theirs else ours - theirs


@dataclass(frozen=True)
class SplitComparison:
    """All metrics on one split.

    Attributes:
        split: name of the split.
        n_days: number of daily returns; None if they are unknown.
        rows: one for each metric, the objective first.
        reason: why no metric has an interval; empty if one has, or if daily returns are unknown.
    """

    split: str
    n_days: int | None
    rows: tuple[Row, ...]
    reason: str = ""

    def row(self, metric: str) -> Row | None:
        """Returns the row of a metric; None if it is not among them."""
        return next((row for row in self.rows if row.metric == metric), None)


@dataclass(frozen=True)
class Comparison:
    """A selected parameter set beside the baselines.

    Attributes:
        objective: name of the study's objective.
        splits: comparisons on the splits, in chronological order.
        baselines: names of the baselines, in their order.
        chosen_by: split that was used for selection; None if the set was not selected.
        chosen_for: metrics that were used for selection; a minus before a name means that it was minimised.
        unknown: parts of the result that are not stored: "baselines", "daily returns".
        level: nominal coverage of the intervals.
        n_resamples: number of resamples.
        shown: metrics in tables; None for all.
    """

    objective: str
    splits: tuple[SplitComparison, ...]
    baselines: tuple[str, ...]
    chosen_by: str | None = None
    chosen_for: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    level: float = LEVEL
    n_resamples: int = N_RESAMPLES
    shown: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        values = (
            f"{split.split} {row.values[SELECTED]:.4g}"
            for split in self.splits
            if (row := split.row(self.objective)) is not None and row.values[SELECTED] is not None
        )
        beside = ", ".join(self.baselines)
        return f"Comparison({self.objective} {', '.join(values)}; beside {beside or 'no baselines'})"

    def _repr_html_(self) -> str:
        from quantsim.report.comparison_tables import comparison_html

        return comparison_html(self)

    def shown_rows(self, split: SplitComparison) -> tuple[Row, ...]:
        """Returns the rows of a split in tables."""
        return tuple(row for row in split.rows if self.shown is None or row.metric in self.shown)

    def beaten_by(self) -> tuple[str, ...]:
        """Returns the baselines that beat the selected set on the split that was used for selection, the best first.

        They are compared by the metric that was used for selection. With several metrics, a baseline is better if one of its
        values is better and none is worse. Differences by rounding do not count.
        """
        rows = self.deciding_rows()
        leads = {name: [self._lead(name, row, sign) for row, sign in rows] for name in self.baselines}
        better = {
            name: own for name, own in leads.items() if own and all(lead >= 0.0 for lead in own) and any(map(bool, own))
        }
        return tuple(sorted(better, key=lambda name: -better[name][0]))

    def errors(self, metric: str) -> dict[str, float]:
        """Returns the standard errors of the selected set's values of a metric: split → error, where it is known."""
        rows = {split.split: split.row(metric) for split in self.splits}
        return {
            split: row.interval.standard_error
            for split, row in rows.items()
            if row is not None and row.interval is not None
        }

    def deciding_rows(self) -> list[tuple[Row, float]]:
        """Returns the rows of the metrics used for selection, on the split used for it, with sign -1 for minimised ones."""
        split = next((split for split in self.splits if split.split == self.chosen_by), None)
        named = [] if split is None else [(split.row(name), sign) for name, sign in map(signed, self.chosen_for)]
        return [(row, sign) for row, sign in named if row is not None]

    def _lead(self, baseline: str, row: Row, sign: float) -> float:
        """Returns the lead of a baseline over the selected set; 0 if it is only rounding, nan if a value is unknown."""
        ours, theirs = row.values[SELECTED], row.values.get(baseline)
        if ours is None or theirs is None:
            return math.nan
        return 0.0 if math.isclose(theirs, ours, rel_tol=ROUNDING, abs_tol=ROUNDING) else sign * (theirs - ours)

    def to_json(self) -> dict[str, Any]:
        """Returns values of baselines and all intervals in full precision, as JSON values; nan is null, infinity a text.

        ``values`` is split → metric → value of the selected set, with metrics that are not stored but follow from its daily
        returns. ``baselines`` is baseline → split → metric → value, ``intervals`` split → metric → interval, ``differences``
        baseline → split → metric → interval. An interval has ``lower``, ``upper`` and ``standard_error``; a metric without one
        is left out.
        """
        return {
            "level": self.level,
            "n_resamples": self.n_resamples,
            "beaten_by": list(self.beaten_by()),
            "unknown": list(self.unknown),
            "values": {
                split.split: {row.metric: json_number(row.values[SELECTED]) for row in split.rows}
                for split in self.splits
            },
            "baselines": {
                name: {
                    split.split: {
                        row.metric: json_number(value)
                        for row in split.rows
                        if (value := row.values.get(name)) is not None
                    }
                    for split in self.splits
                }
                for name in self.baselines
            },
            "intervals": {
                split.split: {
                    row.metric: _interval_json(row.interval) for row in split.rows if row.interval is not None
                }
                for split in self.splits
            },
            "differences": {
                name: {
                    split.split: {
                        row.metric: {"value": json_number(row.difference(name)), **_interval_json(found)}
                        for row in split.rows
                        if (found := row.differences.get(name)) is not None
                    }
                    for split in self.splits
                }
                for name in self.baselines
            },
        }


def _interval_json(interval: Interval) -> dict[str, JsonNumber]:
    found = interval.to_json()
    return {name: found[name] for name in ("lower", "upper", "standard_error")}
