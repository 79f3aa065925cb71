"""Which rows are eligible: rows with all required numbers that meet a method's conditions. Also ranks rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint
from quantsim.errors import SelectionError, nearest
from quantsim.ranking import TIE_METRIC, is_ranked, rank

__all__ = ["able_to_win", "age", "at_least", "keeping", "of_last_step", "ranked", "value_of"]


def able_to_win(
    rows: Sequence[Checkpoint], deciding: Sequence[str], metrics: Sequence[str]
) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the eligible rows, and notes on the others. Rows are only excluded here.

    Raises:
        SelectionError: no row is eligible; the message says why.
    """
    if not rows:
        raise SelectionError("there is nothing to select from: there are no such checkpoints")
    pairs = [(split, metric) for split in deciding for metric in metrics]
    for split, metric in pairs:
        _check_stored(rows, split, metric)
    stored = [row for row in rows if all(row.value(split, metric) is not None for split, metric in pairs)]
    numbers = [row for row in stored if all(is_ranked(row.value(split, metric)) for split, metric in pairs)]
    able = [row for row in numbers if row.raw_is_finite]
    what = f"{' and '.join(deciding)} {', '.join(metrics)}"
    reasons = (
        (len(rows) - len(stored), f"{what} not stored"),
        (len(stored) - len(numbers), f"{what} is nan"),
        (len(numbers) - len(able), "raw parameters not finite"),
    )
    notes = tuple(f"{count} of {len(rows)} rows left out: {why}" for count, why in reasons if count)
    if not able:
        raise SelectionError(f"no row can be selected by {what}; {'; '.join(notes)}")
    return able, notes


def keeping(rows: Sequence[Checkpoint], constraints: Mapping[str, float]) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the rows that meet all constraints, or all rows if none does, and a note on the others."""
    for name in constraints:
        _check_stored(rows, "train", name)
    kept = [row for row in rows if all(_train_value(row, name) >= least for name, least in constraints.items())]
    shown = ", ".join(f"train {name} >= {least:g}" for name, least in constraints.items())
    if not kept:
        return list(rows), (f"no row has {shown}; all rows are used",)
    left_out = len(rows) - len(kept)
    return kept, (f"{left_out} of {len(rows)} rows left out: not {shown}",) if left_out else ()


def of_last_step(rows: Sequence[Checkpoint], able: Sequence[Checkpoint], method: str, what: str) -> list[Checkpoint]:
    """Returns the eligible rows of the last step; raises SelectionError if there are none, or there are several runs."""
    runs = {row.run_id for row in rows}
    if len(runs) > 1:
        raise SelectionError(
            f"{method} needs the checkpoints of one run, not of {len(runs)}: steps of different runs are not comparable"
        )
    last = max(row.step for row in rows)
    of_last = [row for row in able if row.step == last]
    if not of_last:
        raise SelectionError(
            f"the last step, {last}, has no row that can be selected by {what}; "
            f"the last step with such a row is {max(row.step for row in able)}"
        )
    return of_last


def at_least(rows: Sequence[Checkpoint], guard: str, metric: str, minimum: float) -> list[Checkpoint]:
    """Returns the rows whose metric on the split ``guard`` reaches the minimum; raises SelectionError if none does."""
    passing = [row for row in rows if value_of(row, guard, metric) >= minimum]
    if not passing:
        nearest_row = ranked(rows, guard, metric)[0]
        value = value_of(nearest_row, guard, metric)
        raise SelectionError(
            f"no row has {guard} {metric} >= {minimum:g}: of {len(rows)} rows the best has {value:.6g}, "
            f"{minimum - value:.6g} short ({nearest_row.key}); lower the minimum"
        )
    return passing


def ranked(rows: Iterable[Checkpoint], split: str, metric: str) -> list[Checkpoint]:
    """Returns the rows ordered by a metric, the best first."""
    by_age = sorted(rows, key=age)  # the order of ties
    return sorted(
        by_age, key=lambda row: rank(value_of(row, split, metric), row.value(split, TIE_METRIC)), reverse=True
    )


def value_of(row: Checkpoint, split: str, metric: str) -> float:
    """Returns the metric of a row, which must have it."""
    return row.metrics[split][metric]


def age(row: Checkpoint) -> tuple[int, int, str]:
    """Returns the sort key of rows with equal rank: the lowest comes first."""
    return row.step, row.parameter_set, row.run_id


def _check_stored(rows: Sequence[Checkpoint], split: str, metric: str) -> None:
    if any(row.value(split, metric) is not None for row in rows):
        return
    splits = [name for name in SPLITS if any(name in row.metrics for row in rows)]
    if split not in splits:
        message = f"no {split} metrics are stored; stored: {', '.join(splits) or 'none'}"
        if split == "validation":
            message += "; give the experiment a validation period and run it again, or select by train metrics by name"
        raise SelectionError(message)
    names = {name for row in rows for name in row.metrics.get(split, {})}
    raise SelectionError(
        f"metric {metric!r} is not stored for {split}; {nearest(metric, names)} (stored: {', '.join(sorted(names))})"
    )


def _train_value(row: Checkpoint, name: str) -> float:
    value = row.value("train", name)
    return -math.inf if value is None else value
