"""The origin of a stored parameter set: a random draw, a sampler, a gradient step, or a given start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from quantsim.checkpoints.checkpoint import IMPORTED, SHORT_RUN_ID, Checkpoint, Run
from quantsim.validation.lineage import Sources, given_trials

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["Kind", "Origin", "origin_of"]

Kind = Literal["random", "sampler", "gradient", "start", "imported", "unknown"]

_WITH_START = ("tpe", "gp")
"""Samplers whose first ``search.n_startup_trials`` are random."""

_OF_POPULATIONS = ("nsga2", "nsga3")
"""Samplers whose first population is random."""


@dataclass(frozen=True)
class Origin:
    """The origin of a parameter set.

    Attributes:
        kind: "random", "sampler", "gradient", "start" (given, or a start of gradient training), "imported" or "unknown".
        text: description of the origin.
    """

    kind: Kind
    text: str


def origin_of(store: CheckpointStore, checkpoint: Checkpoint, run: Run) -> Origin:
    """Returns the origin of a checkpoint.

    Args:
        store: store of the run.
        checkpoint: checkpoint of the run.
        run: run of the checkpoint.
    """
    if run.driver == IMPORTED:
        return Origin("imported", "imported from a result file")
    if run.driver == "search":
        return _of_search(store, checkpoint, run)
    if run.driver == "sgd":
        return _of_gradients(checkpoint)
    return Origin("unknown", f"step {checkpoint.step} of driver {run.driver}")


def _of_search(store: CheckpointStore, checkpoint: Checkpoint, run: Run) -> Origin:
    number, search = checkpoint.step, run.config.get("search", {})
    if number in given_trials(store, run):
        return _given(store, checkpoint, run)
    sampler = str(search.get("sampler", "unknown"))
    if sampler in ("random", "qmc"):
        return Origin(
            "random", f"trial {number}, drawn without regard to earlier trials (search.sampler = {sampler!r})"
        )
    if number < (n_random := _random_trials(search, sampler)):
        return Origin("random", f"trial {number}, one of the first {n_random}, which are drawn at random")
    return Origin("sampler", f"trial {number}, proposed by the sampler {sampler!r}")


def _random_trials(search: Mapping[str, Any], sampler: str) -> int:
    """Returns how many of the first trials are random: whole batches, since a batch is drawn before its results."""
    if sampler in _OF_POPULATIONS:
        return int(search["population_size"])
    if sampler not in _WITH_START:
        return 0
    batch = int(search["batch"])
    return -(-int(search["n_startup_trials"]) // batch) * batch


def _given(store: CheckpointStore, checkpoint: Checkpoint, run: Run) -> Origin:
    first = Sources(store, run).of(checkpoint)
    if first is None:
        return Origin("start", f"trial {checkpoint.step}, a given start")
    if first.driver == "sgd":
        origin = _of_gradients(first)
        return Origin(origin.kind, f"trial {checkpoint.step}, from {origin.text} of run {first.run_id[:SHORT_RUN_ID]}")
    return Origin("start", f"trial {checkpoint.step}, a given start: checkpoint {first.key}")


def _of_gradients(checkpoint: Checkpoint) -> Origin:
    which = f"of parameter set {checkpoint.parameter_set}"
    if checkpoint.step == 0:
        return Origin("start", f"the start {which}, before any gradient step")
    return Origin("gradient", f"gradient step {checkpoint.step} {which}")
