"""Picks checkpoints: one logic for all drivers, a pure function of the rows.

A row is one evaluated parameter set. Rows are picked whole, never the best step and the best set by themselves. A row
can win only if every number that decides and all its raw parameters are finite. All metrics are maximised. Ties go to
the earliest step, then the lowest parameter set, then the run id, so the order of the rows does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint
from quantsim.errors import SelectionError, nearest

__all__ = ["SELECTION_METHODS", "Selection", "select", "top"]


@dataclass(frozen=True)
class _Rule:
    """A method: the split whose metric is maximised, among rows that another split's metric lets through."""

    split: str
    guard: str | None = None
    per_set: bool = False
    last_step: bool = False

    @property
    def uses_test(self) -> bool:
        return "test" in (self.split, self.guard)


_RULES = {
    "last": _Rule("train", last_step=True),
    "best_train": _Rule("train"),
    "best_validation": _Rule("validation"),
    "best_test": _Rule("test"),
    "best_train_min_test": _Rule("train", guard="test"),
    "best_test_min_train": _Rule("test", guard="train"),
    "best_train_per_set": _Rule("train", per_set=True),
}

SELECTION_METHODS: tuple[str, ...] = tuple(_RULES)


@dataclass(frozen=True)
class Selection:
    """What was picked, and by what.

    Attributes:
        method: one of ``SELECTION_METHODS``.
        metric: name of the metric that was compared.
        chosen_by: the split whose metric was maximised, or "last step".
        used_test_data: whether test data had a say. If so, the test metrics of what was picked are no longer out of
            sample, and a report must say it.
        checkpoints: what was picked; one, but for "best_train_per_set".
        minimum: the least value the other split's metric had to have; None where the method has no such condition.
        notes: what should be known of it, in sentences, such as how many rows could not win.
    """

    method: str
    metric: str
    chosen_by: str
    used_test_data: bool
    checkpoints: tuple[Checkpoint, ...]
    minimum: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """The one checkpoint that was picked.

        Raises:
            SelectionError: there are several, one per parameter set.
        """
        if len(self.checkpoints) != 1:
            raise SelectionError(
                f"{self.method} picked {len(self.checkpoints)} checkpoints, one per parameter set; "
                "read them from .checkpoints"
            )
        return self.checkpoints[0]

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters of the one checkpoint: name to array (k,), as the simulator takes them.

        Raises:
            SelectionError: several checkpoints were picked; each has ``.params``.
        """
        return self.checkpoint.params

    def describe(self) -> str:
        """Returns one line for reports: what was compared, and whether test data was.

        Example:
            >>> Selection("best_test", "sharpe", "test", True, ()).describe()
            'best_test: highest test sharpe (test data was used to choose)'
        """
        rule = _RULES[self.method]
        text = f"{self.method}: highest {rule.split} {self.metric}"
        if rule.guard is not None:
            text += f" where {rule.guard} {self.metric} >= {self.minimum:g}"
        text += " of the last step" * rule.last_step + " of each parameter set" * rule.per_set
        return text + " (test data was used to choose)" * self.used_test_data


def select(
    checkpoints: Iterable[Checkpoint],
    method: str = "best_validation",
    metric: str = "daily_log_sharpe",
    *,
    minimum: float | None = None,
) -> Selection:
    """Picks by one of the methods in ``SELECTION_METHODS``.

    * ``last``: the last step of the one run given; of its parameter sets the one with the best train metric.
    * ``best_train``, ``best_validation``, ``best_test``: the best metric on that split.
    * ``best_train_min_test``: the best train metric of the rows whose test metric is at least ``minimum``.
    * ``best_test_min_train``: the best test metric of the rows whose train metric is at least ``minimum``.
    * ``best_train_per_set``: the best train metric of each parameter set of each run.

    Args:
        checkpoints: the rows to pick from, in any order; no two of the same run, step and parameter set.
        method: one of ``SELECTION_METHODS``.
        metric: name of a stored metric; it is maximised.
        minimum: only for the two ``_min_`` methods: the least value of the other split's metric. By default 0.

    Raises:
        SelectionError: the method or metric is unknown, the split was not stored, or no row can win; the message says
            which, what is stored, and how far the best row was from ``minimum``.
    """
    if method not in _RULES:
        raise SelectionError(f"unknown selection method {method!r}; {nearest(method, _RULES)}")
    rule = _RULES[method]
    least = _checked_minimum(method, rule, minimum)
    rows = list(checkpoints)
    deciding = (rule.split,) if rule.guard is None else (rule.split, rule.guard)
    able, notes = _able_to_win(rows, deciding, metric)
    if rule.last_step:
        able = _of_last_step(rows, able, metric)
    if rule.guard is not None and least is not None:
        able = _at_least(able, rule.guard, metric, least)
    if rule.per_set:
        picked = _best_of_each_set(able, rule.split, metric)
        notes += _sets_without_winner(rows, picked)
    else:
        picked = (_ranked(able, rule.split, metric)[0],)
    chosen_by = "last step" if rule.last_step else rule.split
    return Selection(method, metric, chosen_by, rule.uses_test, picked, least, notes)


def top(
    checkpoints: Iterable[Checkpoint], n: int, split: str = "train", metric: str = "daily_log_sharpe"
) -> tuple[Checkpoint, ...]:
    """Returns the n best rows with raw parameters that differ, the best first; fewer if there are no more.

    Raises:
        SelectionError: n is not positive, the split or metric was not stored, or no row can win.
    """
    if n < 1:
        raise SelectionError(f"n must be at least 1, not {n}")
    if split not in SPLITS:
        raise SelectionError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
    able, _ = _able_to_win(list(checkpoints), (split,), metric)
    distinct: dict[tuple[tuple[str, tuple[float, ...]], ...], Checkpoint] = {}
    for row in _ranked(able, split, metric):
        distinct.setdefault(tuple(sorted(row.raw.items())), row)
        if len(distinct) == n:
            break
    return tuple(distinct.values())


def _checked_minimum(method: str, rule: _Rule, minimum: float | None) -> float | None:
    if rule.guard is None:
        if minimum is not None:
            conditional = [name for name, other in _RULES.items() if other.guard is not None]
            raise SelectionError(f"{method} takes no minimum ({minimum!r}); only {' and '.join(conditional)} do")
        return None
    if minimum is None:
        return 0.0
    if not math.isfinite(minimum):
        raise SelectionError(f"minimum must be a finite number, not {minimum!r}")
    return float(minimum)


def _able_to_win(
    rows: Sequence[Checkpoint], deciding: Sequence[str], metric: str
) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the rows that may be picked, and notes on the others. The one place where non-finite rows are kept out.

    Raises:
        SelectionError: no row may; the message says why.
    """
    if not rows:
        raise SelectionError("there is nothing to select from: no checkpoint is stored for what was asked")
    for split in deciding:
        _check_stored(rows, split, metric)
    stored = [row for row in rows if all(row.value(split, metric) is not None for split in deciding)]
    finite = [row for row in stored if all(math.isfinite(_value(row, split, metric)) for split in deciding)]
    able = [row for row in finite if row.raw_is_finite]
    splits = " and ".join(deciding)
    reasons = (
        (len(rows) - len(stored), f"{splits} {metric} not stored"),
        (len(stored) - len(finite), f"{splits} {metric} not finite"),
        (len(finite) - len(able), "raw parameters not finite"),
    )
    notes = tuple(f"{count} of {len(rows)} rows left out: {why}" for count, why in reasons if count)
    if not able:
        raise SelectionError(f"no row can be selected by {splits} {metric}; {'; '.join(notes)}")
    return able, notes


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


def _value(row: Checkpoint, split: str, metric: str) -> float:
    return row.metrics[split][metric]


def _ranked(rows: Iterable[Checkpoint], split: str, metric: str) -> list[Checkpoint]:
    return sorted(rows, key=lambda row: (-_value(row, split, metric), row.step, row.parameter_set, row.run_id))


def _of_last_step(rows: Sequence[Checkpoint], able: Sequence[Checkpoint], metric: str) -> list[Checkpoint]:
    runs = {row.run_id for row in rows}
    if len(runs) > 1:
        raise SelectionError(f"last needs the checkpoints of one run, not of {len(runs)}: steps of runs do not compare")
    last = max(row.step for row in rows)
    of_last = [row for row in able if row.step == last]
    if not of_last:
        raise SelectionError(
            f"the last step, {last}, has no row with finite train {metric} and raw parameters; "
            f"the last step that has is {max(row.step for row in able)}"
        )
    return of_last


def _at_least(rows: Sequence[Checkpoint], guard: str, metric: str, minimum: float) -> list[Checkpoint]:
    passing = [row for row in rows if _value(row, guard, metric) >= minimum]
    if not passing:
        nearest_row = _ranked(rows, guard, metric)[0]
        value = _value(nearest_row, guard, metric)
        raise SelectionError(
            f"no row has {guard} {metric} >= {minimum:g}: of {len(rows)} rows the best has {value:.6g}, "
            f"{minimum - value:.6g} short ({nearest_row.key}); lower the minimum"
        )
    return passing


def _best_of_each_set(rows: Iterable[Checkpoint], split: str, metric: str) -> tuple[Checkpoint, ...]:
    best: dict[tuple[str, int], Checkpoint] = {}
    for row in _ranked(rows, split, metric):
        best.setdefault((row.run_id, row.parameter_set), row)
    return tuple(best[key] for key in sorted(best))


def _sets_without_winner(rows: Iterable[Checkpoint], picked: Iterable[Checkpoint]) -> tuple[str, ...]:
    lost = {(row.run_id, row.parameter_set) for row in rows} - {(row.run_id, row.parameter_set) for row in picked}
    return tuple(f"parameter set {index} of run {run_id} has no row that can win" for run_id, index in sorted(lost))
