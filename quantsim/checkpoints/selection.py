"""Selects checkpoints: one logic for all drivers, a pure function of the rows.

A row is one evaluated parameter set. Rows are selected as a whole: step and set are never selected separately. A row is
eligible if all compared numbers are not nan and all raw parameters are finite. Infinite values rank as in
:mod:`quantsim.ranking`. All metrics are maximised. Ties are broken by the highest return on the same split (if stored), then by
the earliest step, the lowest parameter set and the run id, so the order of the rows does not matter. If rows of several runs
have equal parameters and metrics, such as a trial and step 0 of a gradient run from it, the first written one counts. If
several metrics are compared, a metric with a minus before its name is minimised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, ROUNDING, SPLITS, Checkpoint
from quantsim.checkpoints.eligible import able_to_win, age, at_least, keeping, of_last_step, ranked, value_of
from quantsim.checkpoints.methods import (
    BARE_OBJECTIVE,
    METHODS,
    Method,
    Score,
    checked_metrics,
    checked_minimum,
    on_stored_splits,
)
from quantsim.checkpoints.pareto import balanced, pareto_front, signed
from quantsim.checkpoints.scores import N_CANDIDATES, Evaluate, Returns, description, scored
from quantsim.errors import SelectionError, nearest
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Selection", "select", "top"]


@dataclass(frozen=True, repr=False)
class Selection:
    """The result of a selection.

    Attributes:
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metric: name of the compared metric; several names are separated by commas.
        chosen_by: the split whose metric was maximised, or "last step".
        used_test_data: whether test data was used. If so, the test metrics of the selected rows are no longer out of sample,
            and reports must say so.
        checkpoints: the selected rows; one, except for "best_train_per_set" and "pareto_front".
        minimum: minimum of the metric on the other split; None if the method has no such condition.
        notes: notes for reports, such as the number of rows that are not eligible.
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
        """The selected checkpoint.

        Raises:
            SelectionError: there are several.
        """
        if len(self.checkpoints) != 1:
            raise SelectionError(
                f"{self.method} selected {len(self.checkpoints)} checkpoints; read them from .checkpoints"
            )
        return self.checkpoints[0]

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters of the selected checkpoint: name → array (k,), for the simulator.

        Raises:
            SelectionError: several checkpoints were selected; each has ``.params``.
        """
        return self.checkpoint.params

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per selected checkpoint; see :meth:`quantsim.CheckpointStore.to_frame`."""
        from quantsim.checkpoints.frames import checkpoints_frame

        return checkpoints_frame(self.checkpoints)

    def __repr__(self) -> str:
        keys = ", ".join(checkpoint.key for checkpoint in self.checkpoints)
        return f"Selection({self.method} by {self.metric}: {keys})"

    def describe(self) -> str:
        """Describes the selection in one line for reports, and whether test data was used.

        Example:
            >>> Selection("best_test", "sharpe", "test", True, ()).describe()
            'best_test: highest test sharpe (test data was used to choose)'
        """
        from quantsim.objective import (  # imports JAX, which reading a store does not need
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
        text = f"{self.method}: {superlative(self.metric)} {description(rule, self.metric)}"
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
    evaluate: Evaluate | None = None,
    constant_weights: Returns | None = None,
) -> Selection:
    """Selects rows by one of the methods in ``SELECTION_METHODS`` or ``LOAD_METHODS``.

    * ``last``: the parameter set with the best train metric in the last step of a single run.
    * ``best_train``, ``best_validation``, ``best_test``: the best metric on that split.
    * ``plateau``: of the 20 rows with the best validation metric, the one with the best 5th percentile of that metric over
      neighbours: sets whose raw parameters differ by up to 0.5. ``evaluate`` is called once, for all of them.
    * ``validation_lower``: the best lower end of the bootstrap interval of the validation metric, from daily log returns.
    * ``train_and_validation``: the best mean of the ranks by the train and by the validation metric.
    * ``consistent``: the best mean of the ranks by the metric on six periods of train and validation, from daily log returns.
    * ``best_train_min_test``: the best train metric of the rows whose test metric is at least ``minimum``.
    * ``best_test_min_train``: the best test metric of the rows whose train metric is at least ``minimum``.
    * ``best_train_per_set``: the best train metric of each parameter set of each run.
    * ``pareto_front``: the rows that no other row dominates in the train metrics.
    * ``balanced``: the row of this front that is nearest to the best value of every metric, with each metric scaled over the
      front to 0…1; a constant metric does not count.

    ``LOAD_METHODS`` are the load methods of quantammsim; docs/fingerprints.md has a table.

    Args:
        checkpoints: the rows to select from, in any order; run, step and parameter set must be unique.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metric: name of a stored metric, which is maximised. The last two methods need at least two names, and minimise one
            with a minus before it. The default is "daily_log_sharpe"; for ``LOAD_METHODS`` it is "returns_over_uniform_hodl"
            if it is stored, else the single number of an imported file.
        minimum: only for the two ``_min_`` methods: minimum of the metric on the other split; default 0.
        constraints: train metric → smallest allowed value; rows below are left out, unless all are.
        evaluate: evaluates parameter sets, for ``plateau``: raw name → (S, m) to split → metric → (S,), such as
            :meth:`quantsim.Evaluator.evaluate_many`.
        constant_weights: split → (D-1,) daily log returns of constant weights, for ``validation_lower`` and ``consistent`` by
            ``information_ratio``.

    Raises:
        SelectionError: the method or metric is unknown, the split is not stored, or no row is eligible; the message says
            which, what is stored, and how far the best row is from ``minimum``.
    """
    rows = list(checkpoints)
    rule, remarks = on_stored_splits(method, rows)
    least = checked_minimum(method, rule, minimum)
    compared = [_by_objective(row) for row in rows] if rule.by_objective else rows
    metrics = checked_metrics(method, rule, _default_metric(compared, rule) if metric is None else metric)
    if rule.by_objective and metric is not None:
        raise SelectionError(f"{method} compares the objective of the run, so it has no metric ({metric!r})")
    names = tuple(signed(name)[0] for name in metrics)
    able, notes = able_to_win(compared, rule.splits, names)
    notes = (*remarks, *notes)
    if constraints:
        able, broken = keeping(able, constraints)
        notes += broken
    if rule.last_step:
        able = of_last_step(rows, able, method, f"{rule.split} {names[0]}")
    if rule.guard is not None and least is not None:
        able = at_least(able, rule.guard, names[0], least)
    if rule.score is not None:
        able, found = _by_score(able, rule, names[0], evaluate, constant_weights)
        notes += found
    picked = _picked(able, method, rule, metrics)
    if rule.per_set:
        notes += _sets_without_winner(rows, picked)
    if rule.by_objective or rule.score is not None:
        whole = {row.checkpoint_id: row for row in rows}
        picked = tuple(whole[row.checkpoint_id] for row in picked)
    if any(row.driver == IMPORTED for row in picked):
        notes += (_OF_FILE,)
    return Selection(method, ", ".join(metrics), rule.chosen_by, rule.uses_test, picked, least, notes)


def _by_score(
    able: Sequence[Checkpoint],
    rule: Method,
    metric: str,
    evaluate: Evaluate | None,
    constant_weights: Returns | None,
) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the eligible rows with their score as the metric, and notes on the others and on the best score."""
    if rule.score is Score.PLATEAU:
        able = _distinct(able, N_CANDIDATES, rule.split, metric)
    found, notes = scored(able, rule, metric, evaluate, constant_weights)
    best = ranked(found, rule.split, metric)[0]
    value = value_of(best, rule.split, metric)
    return found, (*notes, f"the selected row has a {description(rule, metric)} of {value:.3g}")


def _picked(able: Sequence[Checkpoint], method: str, rule: Method, metrics: Sequence[str]) -> tuple[Checkpoint, ...]:
    """Returns the selected rows among the eligible ones."""
    names = [signed(name)[0] for name in metrics]
    if rule.per_set:
        return _best_of_each_set(able, rule.split, names[0])
    if rule.front:
        picked = _front(able, rule.split, metrics, whole=method == "pareto_front")
    else:
        picked = (ranked(able, rule.split, names[0])[0],)
    return picked if rule.last_step else _originals(picked, able, rule.split, names)


_OF_FILE = (
    "the metrics are those of the imported file, computed by another program on its prices; `quantsim simulate --from KEY` "
    "evaluates a parameter set here"
)


def top(
    checkpoints: Iterable[Checkpoint],
    n: int,
    split: Literal["train", "validation", "test"] = "train",
    metric: str = "daily_log_sharpe",
) -> tuple[Checkpoint, ...]:
    """Returns the n best rows with different raw parameters, the best first; fewer if there are no more.

    Raises:
        SelectionError: n is not positive, the split or metric is not stored, or no row is eligible.
    """
    if n < 1:
        raise SelectionError(f"n must be at least 1, not {n}")
    if split not in SPLITS:
        raise SelectionError(f"unknown split {split!r}; {nearest(split, SPLITS)}")
    able, _ = able_to_win(list(checkpoints), (split,), (metric,))
    return _distinct(able, n, split, metric)


def _distinct(able: Sequence[Checkpoint], n: int, split: str, metric: str) -> tuple[Checkpoint, ...]:
    """Returns the n best eligible rows with different raw parameters; fewer if there are no more."""
    distinct: list[Checkpoint] = []
    for row in ranked(able, split, metric):
        if not any(row.has_parameters_of(other) for other in distinct):
            distinct.append(row)
        if len(distinct) == n:
            break
    return _originals(distinct, able, split, (metric,))


def _by_objective(row: Checkpoint) -> Checkpoint:
    """Returns the row with its objective as its only metric, and the metric that breaks ties."""
    tie = {name: value for name, value in row.metrics.get("train", {}).items() if name == TIE_METRIC}
    own = {} if row.objective is None else {"train": {BARE_OBJECTIVE: row.objective, **tie}}
    return replace(row, metrics=own)


def _default_metric(rows: Sequence[Checkpoint], rule: Method) -> str:
    if rule.by_objective:
        return BARE_OBJECTIVE
    stored = (name for name in rule.metrics if any(row.value(rule.split, name) is not None for row in rows))
    return next(stored, rule.metrics[0])


def _front(rows: Iterable[Checkpoint], split: str, metrics: Sequence[str], *, whole: bool) -> tuple[Checkpoint, ...]:
    """Returns the Pareto front, ordered by the first metric, or its balanced member."""
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
    """Replaces each selected row by the first written row with the same parameters and metrics, of any run.

    Metrics are compared with a tolerance, because rounding depends on the other sets of the same call.
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
    return tuple(f"parameter set {index} of run {run_id} has no eligible row" for run_id, index in sorted(lost))
