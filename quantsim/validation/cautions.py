"""Warnings about the periods of a study and the use of its splits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.checkpoints.checkpoint import IMPORTED, ROUNDING, Checkpoint, Run
from quantsim.config.pools import FEE_GROUP
from quantsim.parameters import common
from quantsim.validation.evidence import CONFIDENCE, Evidence

if TYPE_CHECKING:
    from quantsim.config import Experiment

__all__ = ["fitted_splits", "own_fees", "searched_splits", "steering", "warnings_of"]

_MOST_NAMED = 5
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


def fitted_splits(runs: Sequence[Run]) -> tuple[str, ...]:
    """Returns the splits that gradients or a pruner fitted the trials to.

    Gradients take any number of steps between two reports, and fit the noise of the data with all parameters. Pruned trials are
    not stored, and the remaining ones were lucky. So tests of the stored trials do not hold on these splits.
    """
    return ("train",) if any(_has_gradients(run) or _prunes(run) for run in runs) else ()


def _has_gradients(run: Run) -> bool:
    return run.driver == "sgd" or (run.driver == IMPORTED and run.config.get("driver") == "sgd")


def _prunes(run: Run) -> bool:
    return run.driver == "search" and _table(run, "search").get("pruner", "none") != "none"


def own_fees(experiment: Experiment, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Returns the parameters of swap fees in which a set differs from the study, and so from its constant weights."""
    if experiment.is_only_read:
        return ()
    given = experiment.human_parameters(experiment.initial_parameters())
    return tuple(
        name
        for name, values in checkpoint.human.items()
        if name in given and _sets_fee(name) and not np.allclose(values, given[name], ROUNDING, ROUNDING)
    )


def _sets_fee(name: str) -> bool:
    """Whether this is a swap fee or a parameter of a fee rule, of the main pool or a subsidiary."""
    *groups, own = name.split(".")
    return own == common.swap_fee.human_name or FEE_GROUP in groups


def warnings_of(
    runs: Sequence[Run],
    chosen_by: Sequence[str],
    splits: Sequence[str],
    evidence: Evidence | None,
    fees: Sequence[str] = (),
    uncounted: Sequence[Run] = (),
) -> tuple[str, ...]:
    """Returns the warnings about a validation, each a sentence without a full stop.

    Args:
        runs: the runs.
        chosen_by: splits that the selection compares.
        splits: splits that are stored.
        evidence: the evidence; None if there is none.
        fees: names as of :func:`own_fees`.
        uncounted: other runs of the study, whose trials do not count.
    """
    found = list(_warnings(runs, chosen_by, splits, evidence))
    if fees:
        found.append(
            f"the selected set has fees of its own ({', '.join(fees)}), and constant weights have those of the study, so "
            "part of the difference may come from the fees"
        )
    if uncounted:
        keys = ", ".join(run.key for run in uncounted[:_MOST_NAMED]) + ", …" * (len(uncounted) > _MOST_NAMED)
        found.append(
            f"other runs of this study are stored ({keys}), whose trials are not counted here, and the best of several runs "
            "looks better by luck alone: `quantsim validate` without a run judges all of them together"
        )
    return tuple(found)


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
