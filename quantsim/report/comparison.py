"""A selected parameter set beside the baselines, on every split, with intervals.

Metrics that are functions of daily values have intervals by the stationary bootstrap over days. Their differences to the
baselines have paired intervals, on the same resampled days. Other metrics (per bar, fees, turnover) have none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quantsim.baseline import BASELINES, BENCHMARK, HODL
from quantsim.checkpoints.checkpoint import ROUNDING, chronological
from quantsim.checkpoints.pareto import signed
from quantsim.json_values import JsonNumber, json_number
from quantsim.metrics import metric_names
from quantsim.objective import OBJECTIVE
from quantsim.objective.resampling import is_resampled, resampled_metrics
from quantsim.report.hodl import annualised_hodl_returns, hodl_returns
from quantsim.report.shown_metrics import SHOWN, reported, shown, with_derived
from quantsim.threads import thread_count

if TYPE_CHECKING:
    from quantsim.config.driver_sections import Objective
    from quantsim.statistics import Interval

__all__ = [
    "LEVEL",
    "SELECTED",
    "SHOWN",
    "Comparison",
    "PoolResult",
    "Row",
    "SplitComparison",
    "compare",
    "reported",
    "shown",
]

FloatArray = NDArray[np.float64]

SELECTED = "selected"

LEVEL = 0.9
N_RESAMPLES = 1000
_SEED = 0


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


def compare(
    objective: Objective,
    selected: PoolResult,
    baselines: Mapping[str, PoolResult],
    *,
    chosen_by: str | None = None,
    chosen_for: Sequence[str] = (),
    names: Sequence[str] | None = None,
    level: float = LEVEL,
    n_resamples: int = N_RESAMPLES,
) -> Comparison:
    """Compares a parameter set with baselines on every split of the set.

    Args:
        objective: objective of the study.
        selected: the set, such as a checkpoint.
        baselines: name → baseline, such as ``store.baselines(run_id)`` or ``Evaluator.baselines()``; empty if unknown. Without
            a baseline "hodl" its returns follow from the metrics of the set.
        chosen_by: split that was used for selection; None if the set was not selected.
        chosen_for: metrics that chose it; default: the objective.
        names: metrics to compare; default: :func:`reported`. Those that no split has are left out.
        level: nominal coverage of the intervals.
        n_resamples: number of resamples.
    """
    chosen_for = (tuple(chosen_for) or (objective.name,)) if chosen_by else ()
    deciding = tuple(signed(one)[0] for one in chosen_for)
    wanted = (*(reported(objective) if names is None else names), *filter(_is_known, deciding))
    tabled = None if names is not None else tuple(dict.fromkeys((*shown(objective), *deciding)))
    derived = [name for name in wanted if name in SHOWN and is_resampled(name)]
    selected = with_derived(SELECTED, selected, derived)
    baselines = {name: with_derived(name, baseline, derived) for name, baseline in baselines.items()}
    stored = [name for name in dict.fromkeys(wanted) if any(name in table for table in selected.metrics.values())]
    unknown = [] if baselines else ["baselines"]
    if not any(len(returns) for returns in selected.daily_log_returns.values()):
        unknown.append("daily returns")
    baselines = {name: baselines[name] for name in (*BASELINES, *baselines) if name in baselines}
    pools = {SELECTED: selected, **baselines}
    with ThreadPoolExecutor(thread_count()) as threads:
        found = threads.map(
            lambda split: _split(objective, split, stored, pools, level, n_resamples), chronological(selected.metrics)
        )
        splits = tuple(found)
    present = [name for name in (*baselines, HODL) if any(_knows(split, name) for split in splits)]
    return Comparison(
        objective.name,
        splits,
        tuple(dict.fromkeys(present)),
        chosen_by,
        chosen_for,
        tuple(unknown),
        level,
        n_resamples,
        tabled,
    )


def _is_known(metric: str) -> bool:
    """Whether it is a metric of this package; an imported run may have others."""
    return metric == OBJECTIVE or metric.partition(".")[0] in metric_names()


def _knows(split: SplitComparison, pool: str) -> bool:
    return any(row.values.get(pool) is not None for row in split.rows)


def _split(
    objective: Objective,
    split: str,
    names: Sequence[str],
    pools: Mapping[str, PoolResult],
    level: float,
    n_resamples: int,
) -> SplitComparison:
    tables = {pool: result.metrics[split] for pool, result in pools.items() if split in result.metrics}
    if HODL not in tables:
        tables[HODL] = _held(tables[SELECTED])
    names = [name for name in names if any(name in table for table in tables.values())]
    returns = {pool: result.daily_log_returns.get(split, _NONE) for pool, result in pools.items() if pool in tables}
    n_days = len(returns[SELECTED])
    returns = {pool: own for pool, own in returns.items() if n_days and len(own) == n_days}
    daily = [name for name in names if _one_period(objective, split, name) and is_resampled(name, objective)]
    found, reason = _intervals(objective, daily, tables, returns, level, n_resamples)
    rows = tuple(
        Row(
            name,
            {pool: table.get(name) for pool, table in tables.items()},
            found.get(SELECTED, {}).get(name),
            {pool: found.get(pool, {}).get(name) for pool in tables if pool != SELECTED},
        )
        for name in names
    )
    return SplitComparison(split, n_days or None, rows, reason)


_NONE: FloatArray = np.zeros(0)


def _one_period(objective: Objective, split: str, name: str) -> bool:
    """Whether a value is one of the whole split: the objective on train may be over several periods."""
    several = objective.n_periods > 1 or objective.n_random_periods or objective.periods
    return name != OBJECTIVE or split != "train" or not several


def _held(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics of holding the initial reserves that follow from the metrics of a pool."""
    known = {
        "returns": hodl_returns({"": metrics})[""],
        "annualised_returns": annualised_hodl_returns({"": metrics})[""],
    }
    return {name: value for name, value in known.items() if value is not None}


def _intervals(
    objective: Objective,
    names: Sequence[str],
    tables: Mapping[str, Mapping[str, float]],
    returns: Mapping[str, FloatArray],
    level: float,
    n_resamples: int,
) -> tuple[dict[str, dict[str, Interval]], str]:
    """Returns intervals of the selected set, and of its differences to baselines: pool → metric → interval; and a reason.

    The mean length of blocks is the largest of those for the selected set and for the differences of daily returns.
    """
    from quantsim.statistics import LEAST_DAYS, block_length, percentile_interval, resampled_days

    if SELECTED not in returns or not names:
        return {}, ""
    returns = {pool: own for pool, own in returns.items() if np.isfinite(own).all()}
    if SELECTED not in returns:
        return {}, "daily returns are not finite, as after a total loss"
    ours = returns[SELECTED]
    if len(ours) < LEAST_DAYS:
        return {}, f"{len(ours)} daily returns are too few for an interval, which needs {LEAST_DAYS}"
    differences = [ours - own for pool, own in returns.items() if pool != SELECTED]
    block = max(block_length(series) for series in (ours, *differences))
    days = resampled_days(len(ours), block, n_resamples, _SEED)
    holding = {
        kind: {pool: returns[HODL] for pool in returns if HODL in returns and _holds(tables, pool, over)}
        for kind, over in (("hodl", "returns_over_hodl"), ("uniform_hodl", "returns_over_uniform_hodl"))
    }
    benchmark = returns.get(BENCHMARK)
    values = resampled_metrics(names, returns, days, constant_weights=benchmark, objective=objective, **holding)
    found: dict[str, dict[str, Interval]] = {pool: {} for pool in returns}
    for pool, name in ((pool, name) for pool in returns for name in names):
        point, resampled = tables[SELECTED].get(name), values[SELECTED][name]
        if pool != SELECTED:
            theirs = tables[pool].get(name)
            point = None if point is None or theirs is None else point - theirs
            with np.errstate(invalid="ignore"):
                resampled = resampled - values[pool][name]
        if point is not None and not math.isnan((known := percentile_interval(point, resampled, level=level)).lower):
            found[pool][name] = known
    return found, ""


def _holds(tables: Mapping[str, Mapping[str, float]], pool: str, over: str) -> bool:
    """Whether the holding that a pool's metric is relative to is that of the baseline "hodl", by their returns."""
    own, held = tables[pool], tables[HODL].get("returns")
    if held is None or "returns" not in own or over not in own or not own[over] > -1.0:
        return False
    return math.isclose((1.0 + own["returns"]) / (1.0 + own[over]), 1.0 + held, rel_tol=1e-7)
