"""The selection methods by name: which number of a checkpoint each compares, and among which checkpoints.

``METHODS`` holds the methods of this package and, under their names there, the load methods of the published implementation,
quantammsim. There, row and parameter set were picked by separate calls; here a row is always picked whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint
from quantsim.checkpoints.pareto import signed
from quantsim.errors import SelectionError

__all__ = [
    "BARE_OBJECTIVE",
    "FRONT_METHODS",
    "LOAD_METHODS",
    "METHODS",
    "SELECTION_METHODS",
    "Method",
    "checked_metrics",
    "checked_minimum",
    "default_metrics",
    "needs_one_run",
    "on_stored_splits",
]

BARE_OBJECTIVE = "objective"
"""The metric that a split of an imported run has where its file states one number, not named metrics."""


@dataclass(frozen=True)
class Method:
    """What a method compares.

    Attributes:
        split: whose metric is maximised.
        guard: the split whose metric must reach a minimum.
        per_set: picks for each parameter set.
        last_step: only the last step takes part.
        front: weighs several metrics against each other.
        by_objective: compares what the run maximised, ``Checkpoint.objective``, instead of a metric.
        metrics: the metric unless one is named: the first of these that is stored.
    """

    split: str
    guard: str | None = None
    per_set: bool = False
    last_step: bool = False
    front: bool = False
    by_objective: bool = False
    metrics: tuple[str, ...] = ("daily_log_sharpe",)

    @property
    def uses_test(self) -> bool:
        """Whether test data have a say."""
        return "test" in (self.split, self.guard)

    def on_validation(self) -> Method:
        """The same with validation data in the place of test data."""
        split, guard = ("validation" if name == "test" else name for name in (self.split, self.guard))
        return replace(self, split=split or self.split, guard=guard)


_OWN = {
    "last": Method("train", last_step=True),
    "best_train": Method("train"),
    "best_validation": Method("validation"),
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

FRONT_METHODS: tuple[str, ...] = tuple(name for name, method in METHODS.items() if method.front)
"""The methods that take several metrics."""

LOAD_METHODS: tuple[str, ...] = ("last", *_PUBLISHED)
"""The load methods of the published implementation; docs/fingerprints.md says what each picks."""


def needs_one_run(name: str) -> bool:
    """Whether a method picks from one run: steps of several do not compare. False for a name that there is not."""
    return name in METHODS and METHODS[name].last_step


def default_metrics(name: str) -> tuple[str, ...]:
    """The metrics that a load method of the published implementation compares, the first of them that is stored."""
    if name not in _PUBLISHED:
        return ()
    return (BARE_OBJECTIVE,) if METHODS[name].by_objective else METHODS[name].metrics


def on_stored_splits(name: str, rows: Iterable[Checkpoint]) -> tuple[Method, Sequence[str]]:
    """Returns the method, and notes on the splits that it compares.

    A search of the published implementation calls what it measured on validation data its test objective. Such a run is
    imported with validation metrics and without test metrics, and its load methods compare the former.
    """
    method = METHODS[name]
    if name not in _PUBLISHED or not method.uses_test:
        return method, ()
    imported = [row for row in rows if row.driver == IMPORTED]
    splits = {split for row in imported for split in row.metrics}
    if "test" in splits or "validation" not in splits:
        return method, ()
    return method.on_validation(), (
        "the test objective of this imported search was measured on its validation data, and was compared as such",
    )


def checked_minimum(method: str, rule: Method, minimum: float | None) -> float | None:
    """Returns the least value of the guarded metric, 0 unless given; raises SelectionError where none is wanted."""
    if rule.guard is None:
        if minimum is not None:
            conditional = [name for name, other in METHODS.items() if other.guard is not None]
            raise SelectionError(f"{method} takes no minimum ({minimum!r}); only {' and '.join(conditional)} do")
        return None
    if minimum is None:
        return 0.0
    if not math.isfinite(minimum):
        raise SelectionError(f"minimum must be a finite number, not {minimum!r}")
    return float(minimum)


def checked_metrics(method: str, rule: Method, metric: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the metrics that decide; raises SelectionError where the method takes another number of them."""
    metrics = (metric,) if isinstance(metric, str) else tuple(metric)
    if rule.front and len(metrics) < 2:
        raise SelectionError(
            f"{method} weighs several metrics against each other, and was given {', '.join(metrics) or 'none'}: name two or "
            "more, with a minus before one that is to be small"
        )
    if not rule.front and len(metrics) != 1:
        raise SelectionError(
            f"{method} goes by one metric, and was given {', '.join(metrics) or 'none'}: name one, or take "
            f"{' or '.join(FRONT_METHODS)}"
        )
    if not rule.front and signed(metrics[0])[0] != metrics[0]:
        raise SelectionError(
            f"{method} maximises its metric, and was given {metrics[0]!r}: a minus is for {' and '.join(FRONT_METHODS)} only"
        )
    if len(set(metrics)) < len(metrics):
        raise SelectionError(f"{method} was given one metric twice, of {', '.join(metrics)}: name each once")
    return metrics
