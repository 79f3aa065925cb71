"""Selects fine-tuned checkpoints that become trials, and removes those that are not new."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from quantsim.checkpoints import Checkpoint, select
from quantsim.errors import SelectionError

__all__ = ["best_of_sets", "unseen"]

logger = logging.getLogger(__name__)

_SAME = 1e-5
"""Relative tolerance of Optuna for equal values, when a trial is enqueued that may exist."""


def best_of_sets(rows: Iterable[Checkpoint], n_sets: int, method: str, metric: str) -> dict[int, Checkpoint]:
    """Returns set → the best checkpoint of its training; sets without an eligible checkpoint are left out.

    Starts are not considered, because they are trials already. If no step is better on validation data, the search still
    learns from the best step.

    Args:
        rows: checkpoints of one gradient run; sets from ``n_sets`` on are averages of those before.
        n_sets: number of trained sets.
        method: selection method.
        metric: metric to compare.
    """
    of_set: dict[int, list[Checkpoint]] = {}
    for row in rows:
        if row.step == 0:
            continue
        of_set.setdefault(row.parameter_set % n_sets, []).append(row)
    best: dict[int, Checkpoint] = {}
    for index, candidates in sorted(of_set.items()):
        try:
            best[index] = select(candidates, method, metric).checkpoint
        except SelectionError as error:
            logger.warning("set %d of a fine-tuning has no result: %s", index, error)
    return best


def unseen(sets: Mapping[int, dict[str, float]], tried: Iterable[Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Returns the sets of trial parameters, by key, that differ from all tried ones and from each other."""
    known, new = list(tried), dict[int, dict[str, float]]()
    for key, params in sets.items():
        if not any(_equal(params, other) for other in (*known, *new.values())):
            new[key] = params
    return new


def _equal(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(abs(one[name] - other[name]) <= _SAME * abs(other[name]) for name in one)
