"""Picks checkpoints: one logic for all drivers, a pure function of the rows.

A row is one evaluated parameter set. Rows are picked whole, never the best step and the best set by themselves. A row
can win only if no number that decides is nan and all its raw parameters are finite; infinite values rank as
:mod:`quantsim.ranking` says. All metrics are maximised. Ties go to the highest return on the same split, where that is
stored, then to the earliest step, the lowest parameter set and the run id, so the order of the rows does not matter. Of
rows of several runs with equal parameters and metrics, such as a trial and step 0 of a gradient run from it, the one that was
written first stands for all. Of several metrics that are weighed against each other, one with a minus before its name is
minimised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, ROUNDING, SPLITS, Checkpoint
from quantsim.checkpoints.eligible import able_to_win, age, at_least, keeping, of_last_step, ranked, value_of
from quantsim.checkpoints.methods import (
    BARE_OBJECTIVE,
    METHODS,
    Method,
    checked_metrics,
    checked_minimum,
    on_stored_splits,
)
from quantsim.checkpoints.pareto import balanced, pareto_front, signed
from quantsim.errors import SelectionError, nearest
from quantsim.ranking import TIE_METRIC

__all__ = ["Selection", "select", "top"]


@dataclass(frozen=True)
class Selection:
    """What was picked, and by what.

    Attributes:
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metric: name of the metric that was compared; of several the names, with commas between.
        chosen_by: the split whose metric was maximised, or "last step".
        used_test_data: whether test data had a say. If so, the test metrics of what was picked are no longer out of
            sample, and a report must say it.
        checkpoints: what was picked; one, but for "best_train_per_set" and "pareto_front".
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
            SelectionError: there are several.
        """
        if len(self.checkpoints) != 1:
            raise SelectionError(
                f"{self.method} picked {len(self.checkpoints)} checkpoints; read them from .checkpoints"
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
        from quantsim.objective import (  # and with it JAX, which reading a store goes without
            is_cost,
            shown_value,
            superlative,
        )

        rule = METHODS[self.method]
        if rule.uses_test and not self.used_test_data:
            rule = rule.on_validation()
        if rule.front:
            which = "nearest to the best of each" if self.method == "balanced" else "all that no other beats"
            return f"{self.method}: {which}, by {rule.split} {self.metric}"
        text = f"{self.method}: {superlative(self.metric)} {rule.split} {self.metric}"
        if rule.guard is not None and self.minimum is not None:
            relation = "<=" if is_cost(self.metric) else ">="
            text += f" where {rule.guard} {self.metric} {relation} {shown_value(self.metric, self.minimum):g}"
        text += " of the last step" * rule.last_step + " of each parameter set" * rule.per_set
        return text + " (test data was used to choose)" * self.used_test_data


def select(
    checkpoints: Iterable[Checkpoint],
    method: str = "best_validation",
    metric: str | Sequence[str] | None = None,
    *,
    minimum: float | None = None,
    constraints: Mapping[str, float] | None = None,
) -> Selection:
    """Picks by one of the methods in ``SELECTION_METHODS`` or ``LOAD_METHODS``.

    * ``last``: the last step of the one run given; of its parameter sets the one with the best train metric.
    * ``best_train``, ``best_validation``, ``best_test``: the best metric on that split.
    * ``best_train_min_test``: the best train metric of the rows whose test metric is at least ``minimum``.
    * ``best_test_min_train``: the best test metric of the rows whose train metric is at least ``minimum``.
    * ``best_train_per_set``: the best train metric of each parameter set of each run.
    * ``pareto_front``: the rows that no other is as good as in every train metric and better in one.
    * ``balanced``: the row of that front which is nearest to the best of every metric, each scaled over the front to 0…1; a
      metric that is the same everywhere does not count.

    ``LOAD_METHODS`` are the names that the published implementation has for such methods; docs/fingerprints.md has a table.

    Args:
        checkpoints: the rows to pick from, in any order; no two of the same run, step and parameter set.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metric: name of a stored metric; it is maximised. The last two methods take two names or more, and one with a minus
            before it is minimised. By default "daily_log_sharpe"; for ``LOAD_METHODS``, "returns_over_uniform_hodl" where it
            is stored, or else the one number that an imported file states.
        minimum: only for the two ``_min_`` methods: the least value of the other split's metric. By default 0.
        constraints: train metric → its least value; rows that fall short are left out, unless all do.

    Raises:
        SelectionError: the method or metric is unknown, the split was not stored, or no row can win; the message says
            which, what is stored, and how far the best row was from ``minimum``.
    """
    if method not in METHODS:
        raise SelectionError(f"unknown selection method {method!r}; {nearest(method, METHODS)}")
    rows = list(checkpoints)
    rule, remarks = on_stored_splits(method, rows)
    least = checked_minimum(method, rule, minimum)
    compared = [_by_objective(row) for row in rows] if rule.by_objective else rows
    metrics = checked_metrics(method, rule, _default_metric(compared, rule) if metric is None else metric)
    if rule.by_objective and metric is not None:
        raise SelectionError(f"{method} goes by what the run maximised, and takes no metric ({metric!r})")
    names = tuple(signed(name)[0] for name in metrics)
    deciding = (rule.split,) if rule.guard is None else (rule.split, rule.guard)
    able, notes = able_to_win(compared, deciding, names)
    notes = (*remarks, *notes)
    if constraints:
        able, broken = keeping(able, constraints)
        notes += broken
    if rule.last_step:
        able = of_last_step(rows, able, method, f"{rule.split} {names[0]}")
    if rule.guard is not None and least is not None:
        able = at_least(able, rule.guard, names[0], least)
    picked = _picked(able, method, rule, metrics)
    if rule.per_set:
        notes += _sets_without_winner(rows, picked)
    if rule.by_objective:
        whole = {row.checkpoint_id: row for row in rows}
        picked = tuple(whole[row.checkpoint_id] for row in picked)
    if any(row.driver == IMPORTED for row in picked):
        notes += (_OF_FILE,)
    chosen_by = "last step" if rule.last_step else rule.split
    return Selection(method, ", ".join(metrics), chosen_by, rule.uses_test, picked, least, notes)


def _picked(able: Sequence[Checkpoint], method: str, rule: Method, metrics: Sequence[str]) -> tuple[Checkpoint, ...]:
    """The winners among the rows that may be picked."""
    names = [signed(name)[0] for name in metrics]
    if rule.per_set:
        return _best_of_each_set(able, rule.split, names[0])
    if rule.front:
        picked = _front(able, rule.split, metrics, whole=method == "pareto_front")
    else:
        picked = (ranked(able, rule.split, names[0])[0],)
    return picked if rule.last_step else _originals(picked, able, rule.split, names)


_OF_FILE = (
    "the metrics are those in the imported file, which another program found on its prices; `quantsim simulate --from KEY` "
    "evaluates a parameter set here"
)


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
    able, _ = able_to_win(list(checkpoints), (split,), (metric,))
    distinct: list[Checkpoint] = []
    for row in ranked(able, split, metric):
        if not any(row.has_parameters_of(other) for other in distinct):
            distinct.append(row)
        if len(distinct) == n:
            break
    return _originals(distinct, able, split, (metric,))


def _by_objective(row: Checkpoint) -> Checkpoint:
    """The row with what its run maximised as its metric, and what tells equal ones apart."""
    tie = {name: value for name, value in row.metrics.get("train", {}).items() if name == TIE_METRIC}
    own = {} if row.objective is None else {"train": {BARE_OBJECTIVE: row.objective, **tie}}
    return replace(row, metrics=own)


def _default_metric(rows: Sequence[Checkpoint], rule: Method) -> str:
    if rule.by_objective:
        return BARE_OBJECTIVE
    stored = (name for name in rule.metrics if any(row.value(rule.split, name) is not None for row in rows))
    return next(stored, rule.metrics[0])


def _front(rows: Iterable[Checkpoint], split: str, metrics: Sequence[str], *, whole: bool) -> tuple[Checkpoint, ...]:
    """The Pareto front, the best by the first metric first; or its balanced member."""
    wanted = [signed(name) for name in metrics]
    ordered = sorted(rows, key=age)
    values = np.array([[sign * value_of(row, split, name) for name, sign in wanted] for row in ordered])
    front = pareto_front(values)
    if not whole:
        return (ordered[front[balanced(values[front])]],)
    return tuple(ordered[index] for index in front[np.argsort(-values[front, 0], kind="stable")])


def _originals(
    picked: Iterable[Checkpoint], rows: Iterable[Checkpoint], split: str, metrics: Sequence[str]
) -> tuple[Checkpoint, ...]:
    """Each picked row, or the first written by another run that it is a copy of, with the same parameters and metrics.

    Metrics differ by rounding, which depends on what else was evaluated in the same call.
    """
    ordered = sorted(rows, key=lambda row: (row.created_at, *age(row)))
    values = np.array([[value_of(row, split, name) for name in metrics] for row in ordered])
    firsts: dict[str, Checkpoint] = {}
    for row in picked:
        own = [value_of(row, split, name) for name in metrics]
        alike = np.flatnonzero(np.isclose(values, own, ROUNDING, ROUNDING).all(axis=1))
        first = next(ordered[index] for index in alike if ordered[index].has_parameters_of(row))
        first = row if first.run_id == row.run_id else first
        firsts.setdefault(first.checkpoint_id, first)
    return tuple(firsts.values())


def _best_of_each_set(rows: Iterable[Checkpoint], split: str, metric: str) -> tuple[Checkpoint, ...]:
    best: dict[tuple[str, int], Checkpoint] = {}
    for row in ranked(rows, split, metric):
        best.setdefault((row.run_id, row.parameter_set), row)
    return tuple(best[key] for key in sorted(best))


def _sets_without_winner(rows: Iterable[Checkpoint], picked: Iterable[Checkpoint]) -> tuple[str, ...]:
    lost = {(row.run_id, row.parameter_set) for row in rows} - {(row.run_id, row.parameter_set) for row in picked}
    return tuple(f"parameter set {index} of run {run_id} has no row that can win" for run_id, index in sorted(lost))
