"""Warnings about the periods of a study and the use of its splits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quantsim.checkpoints.checkpoint import Run
from quantsim.validation.evidence import CONFIDENCE, Evidence

__all__ = ["searched_splits", "steering", "warnings_of"]

_OF_HYBRID = re.compile(r"-hybrid-[0-9a-f]{8}")


def steering(runs: Sequence[Run]) -> dict[str, str]:
    """Returns split → the setting by which it steered the runs, besides training data."""
    found: dict[str, str] = {}
    for run in runs:
        if (setting := _uses_validation(run)) is not None:
            found["validation"] = setting
    return found


def _uses_validation(run: Run) -> str | None:
    if run.driver == "search":
        if penalty := _table(run, "search").get("overfitting_penalty"):
            return f"search.overfitting_penalty = {penalty:g}"
        if _OF_HYBRID.search(str(run.notes.get("study", ""))):
            return "the hybrid run, which chooses among fine-tuned sets by it"
    if run.driver == "sgd" and (patience := _table(run, "sgd").get("early_stopping_reports")) is not None:
        return f"sgd.early_stopping_reports = {patience}"
    return None


def _table(run: Run, name: str) -> Mapping[str, Any]:
    table: Mapping[str, Any] = run.config.get(name) or {}
    return table


def searched_splits(runs: Sequence[Run], chosen_by: Sequence[str], splits: Sequence[str]) -> tuple[str, ...]:
    """Returns the splits that steered the runs or chose among their trials, in the order of ``splits``.

    Args:
        runs: the runs.
        chosen_by: splits that the selection compares.
        splits: splits that are stored.
    """
    used = {"train", *steering(runs), *chosen_by}
    return tuple(split for split in splits if split in used)


def warnings_of(
    runs: Sequence[Run], chosen_by: Sequence[str], splits: Sequence[str], evidence: Evidence | None
) -> tuple[str, ...]:
    """Returns the warnings about a validation, each a sentence without a full stop.

    Args:
        runs: the runs.
        chosen_by: splits that the selection compares.
        splits: splits that are stored.
        evidence: the evidence; None if there is none.
    """
    return tuple(_warnings(runs, chosen_by, splits, evidence))


def _warnings(
    runs: Sequence[Run], chosen_by: Sequence[str], splits: Sequence[str], evidence: Evidence | None
) -> Iterator[str]:
    if "test" not in splits:
        yield "there is no test period, so no data is out of sample: set periods.test_end"
    if "test" in chosen_by:
        yield "test data was used for selection, so no data is out of sample"
    if evidence is not None and evidence.distinguishable is not None and evidence.distinguishable < 0.5:
        yield (
            "the validation period is too short to distinguish trials: for "
            f"{100.0 * (1.0 - evidence.distinguishable):.0f} % of the other trials, the {100.0 * CONFIDENCE:.0f} % interval of "
            "the difference in Sharpe ratio to the selected one contains 0"
        )
    for split, setting in steering(runs).items():
        if split in chosen_by:
            yield f"{split} data was used for both search and selection ({setting}), so it is not out of sample"
