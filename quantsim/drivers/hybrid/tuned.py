"""From fine-tuned checkpoints back to trials: which of them, and which of these are new."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from quantsim.checkpoints import Checkpoint, select
from quantsim.errors import SelectionError

__all__ = ["best_of_sets", "unseen"]

logger = logging.getLogger(__name__)

_SAME = 1e-5
"""Relative difference up to which Optuna takes two values for one, when a trial is enqueued that may exist."""


def best_of_sets(rows: Iterable[Checkpoint], n_sets: int, method: str, metric: str) -> dict[int, Checkpoint]:
    """Set → the best checkpoint of what training made of it; a set none of whose checkpoints can win is left out.

    Starts take no part: they are trials already, and where validation data like none of the steps, it is for the search to see
    what these are worth on train.

    Args:
        rows: of one gradient run; sets from ``n_sets`` on are averages of those before.
        n_sets: sets that were trained.
        method: the selection method.
        metric: that it compares.
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
            logger.warning("set %d of a fine-tuning has nothing to give back: %s", index, error)
    return best


def unseen(sets: Mapping[int, dict[str, float]], tried: Iterable[Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Those sets of trial parameters, by their keys, that differ from all that were tried, and from each other."""
    known, new = list(tried), dict[int, dict[str, float]]()
    for key, params in sets.items():
        if not any(_equal(params, other) for other in (*known, *new.values())):
            new[key] = params
    return new


def _equal(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(abs(one[name] - other[name]) <= _SAME * abs(other[name]) for name in one)
