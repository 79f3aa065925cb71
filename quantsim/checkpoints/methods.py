"""The selection methods by name: the number that each compares, and the checkpoints that it considers.

``METHODS`` holds the methods of this package and the load methods of quantammsim, under the same names. In quantammsim, step
and parameter set come from separate calls; here a row is always selected as a whole.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint
from quantsim.checkpoints.pareto import signed
from quantsim.errors import SelectionError, nearest

__all__ = [
    "BARE_OBJECTIVE",
    "FRONT_METHODS",
    "LOAD_METHODS",
    "METHODS",
    "SELECTION_METHODS",
    "Method",
    "Score",
    "checked_metrics",
    "checked_minimum",
    "default_metrics",
    "method_of",
    "needs_one_run",
    "on_stored_splits",
]

BARE_OBJECTIVE = "objective"
"""The metric of a split of an imported run whose file has a single number instead of named metrics."""


class Score(enum.Enum):
    """What a method maximises instead of a metric."""

    LOWER = "lower end of the interval"
    PLATEAU = "low percentile over neighbours"
    PERIOD_RANK = "mean rank over periods"
    SPLIT_RANK = "mean rank on two splits"


@dataclass(frozen=True)
class Method:
    """A selection method.

    Attributes:
        split: the split whose metric is maximised.
        guard: the split whose metric must reach a minimum.
        beside: the split that counts beside ``split``.
        score: what is maximised instead of the metric itself; :mod:`~quantsim.checkpoints.scores` computes it.
        per_set: whether it selects one row for each parameter set.
        last_step: whether it only considers the last step.
        front: whether it compares several metrics.
        by_objective: whether it compares ``Checkpoint.objective`` instead of a metric.
        metrics: default metrics; the first one that is stored is used.
    """

    split: str
    guard: str | None = None
    beside: str | None = None
    score: Score | None = None
    per_set: bool = False
    last_step: bool = False
    front: bool = False
    by_objective: bool = False
    metrics: tuple[str, ...] = ("daily_log_sharpe",)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that decide."""
        return tuple(split for split in (self.beside, self.split, self.guard) if split is not None)

    @property
    def chosen_by(self) -> str:
        """The splits whose metrics are maximised, in words; or "last step"."""
        if self.last_step:
            return "last step"
        return self.split if self.beside is None else f"{self.beside} and {self.split}"

    @property
    def reads_returns(self) -> bool:
        """Whether the method reads daily log returns on its splits."""
        return self.score in (Score.LOWER, Score.PERIOD_RANK)

    @property
    def evaluates(self) -> bool:
        """Whether the method evaluates parameter sets beside those stored."""
        return self.score is Score.PLATEAU

    @property
    def uses_test(self) -> bool:
        """Whether the method uses test data."""
        return "test" in self.splits

    def on_validation(self) -> Method:
        """Returns the method with validation data instead of test data."""
        split, guard = ("validation" if name == "test" else name for name in (self.split, self.guard))
        return replace(self, split=split or self.split, guard=guard)


_OWN = {
    "last": Method("train", last_step=True),
    "best_train": Method("train"),
    "best_validation": Method("validation"),
    "plateau": Method("validation", score=Score.PLATEAU),
    "validation_lower": Method("validation", score=Score.LOWER),
    "train_and_validation": Method("validation", beside="train", score=Score.SPLIT_RANK),
    "consistent": Method("validation", beside="train", score=Score.PERIOD_RANK),
    "best_test": Method("test"),
    "best_train_min_test": Method("train", guard="test"),
    "best_test_min_train": Method("test", guard="train"),
    "best_train_per_set": Method("train", per_set=True),
    "pareto_front": Method("train", front=True),
    "balanced": Method("train", front=True),
}

_THEIRS = ("returns_over_uniform_hodl", BARE_OBJECTIVE)

_PUBLISHED = {
    "best_objective": Method("train", by_objective=True),
    "best_train_objective": Method("train", metrics=_THEIRS),
    "best_test_objective": Method("test", metrics=_THEIRS),
    "best_train_min_test_objective": Method("train", guard="test", metrics=_THEIRS),
    "best_test_min_train_objective": Method("test", guard="train", metrics=_THEIRS),
    "best_train_objective_for_each_parameter_set": Method("train", per_set=True, metrics=_THEIRS),
    "best_objective_of_last": Method("train", last_step=True, by_objective=True),
    "best_train_objective_of_last": Method("train", last_step=True, metrics=_THEIRS),
    "best_test_objective_of_last": Method("test", last_step=True, metrics=_THEIRS),
}

METHODS = {**_OWN, **_PUBLISHED}

SELECTION_METHODS: tuple[str, ...] = tuple(_OWN)
"""The names of the selection methods, without those of quantammsim."""

FRONT_METHODS: tuple[str, ...] = tuple(name for name, method in METHODS.items() if method.front)
"""The methods that compare several metrics."""

LOAD_METHODS: tuple[str, ...] = ("last", *_PUBLISHED)
"""The load methods of quantammsim; docs/fingerprints.md explains each."""


def needs_one_run(name: str) -> bool:
    """Whether a method only works on one run, because steps of several are not comparable. False for an unknown name."""
    return name in METHODS and METHODS[name].last_step


def default_metrics(name: str) -> tuple[str, ...]:
    """Returns the default metrics of a load method of quantammsim; the first one that is stored is used."""
    if name not in _PUBLISHED:
        return ()
    return (BARE_OBJECTIVE,) if METHODS[name].by_objective else METHODS[name].metrics


def method_of(name: str) -> Method:
    """Returns the selection method of that name; raises SelectionError if there is none."""
    if name not in METHODS:
        raise SelectionError(f"unknown selection method {name!r}; {nearest(name, METHODS)}")
    return METHODS[name]


def on_stored_splits(name: str, rows: Iterable[Checkpoint]) -> tuple[Method, Sequence[str]]:
    """Returns the method, and notes on the splits that it compares.

    A search of quantammsim with validation data computes its "test objective" on the validation data. Such a run is imported
    with validation metrics and without test metrics, and its load methods compare validation metrics.
    """
    method = method_of(name)
    if name not in _PUBLISHED or not method.uses_test:
        return method, ()
    imported = [row for row in rows if row.driver == IMPORTED]
    splits = {split for row in imported for split in row.metrics}
    if "test" in splits or "validation" not in splits:
        return method, ()
    return method.on_validation(), (
        "the test objective of this imported search was computed on its validation data, so validation metrics were compared",
    )


def checked_minimum(method: str, rule: Method, minimum: float | None) -> float | None:
    """Returns the minimum of the guarded metric, default 0; raises SelectionError if the method has no minimum."""
    if rule.guard is None:
        if minimum is not None:
            conditional = [name for name, other in METHODS.items() if other.guard is not None]
            raise SelectionError(f"{method} has no minimum ({minimum!r}); only {' and '.join(conditional)} do")
        return None
    if minimum is None:
        return 0.0
    if not math.isfinite(minimum):
        raise SelectionError(f"minimum must be a finite number, not {minimum!r}")
    return float(minimum)


def checked_metrics(method: str, rule: Method, metric: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the metrics to compare; raises SelectionError if the method needs another number of them."""
    metrics = (metric,) if isinstance(metric, str) else tuple(metric)
    if rule.front and len(metrics) < 2:
        raise SelectionError(
            f"{method} compares several metrics, but was given {', '.join(metrics) or 'none'}: name at least two, with a minus "
            "before one that is minimised"
        )
    if not rule.front and len(metrics) != 1:
        raise SelectionError(
            f"{method} compares one metric, but was given {', '.join(metrics) or 'none'}: name one, or use "
            f"{' or '.join(FRONT_METHODS)}"
        )
    if not rule.front and signed(metrics[0])[0] != metrics[0]:
        raise SelectionError(
            f"{method} maximises its metric, but was given {metrics[0]!r}: a minus is only for {' and '.join(FRONT_METHODS)}"
        )
    if len(set(metrics)) < len(metrics):
        raise SelectionError(f"{method} was given a metric twice: {', '.join(metrics)}; name each once")
    return metrics
