"""What is stored, as plain frozen values: a checkpoint, a run, and the state a run is resumed from."""

from __future__ import annotations

import importlib.metadata
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import CheckpointError, nearest

__all__ = [
    "IMPORTED",
    "ROUNDING",
    "SHORT_RUN_ID",
    "SPLITS",
    "STATUSES",
    "Checkpoint",
    "Report",
    "Run",
    "RunState",
    "check_batch",
    "check_driver",
    "in_time_order",
    "parse_checkpoint_id",
    "utc_now",
]

SPLITS = ("train", "validation", "test")
IMPORTED = "imported"
"""The driver of runs that another program did, and that were read from its file."""

STATUSES = ("running", "finished", "interrupted", "failed")

SHORT_RUN_ID = 8
"""Characters of a run id that a key shows; the store gives no two runs the same ones."""

_DRIVER = re.compile(r"[a-z][a-z0-9_]{0,15}")
_CHECKPOINT_ID = re.compile(r"([0-9a-f]{1,32}):(\d{1,18}):(\d{1,18})")

ROUNDING = 1e-9
"""Difference, absolute and relative, up to which parameters or metrics are the same."""

_LARGEST_STEP = 2**63 - 1  # a signed 64-bit integer, the widest that all databases have


def utc_now() -> datetime:
    """Returns the present time, aware, in UTC."""
    return datetime.now(UTC)


def in_time_order(splits: Iterable[str]) -> list[str]:
    """Splits in the order of time; others, such as the uninterrupted "all", come last."""
    return sorted(splits, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))


def check_driver(driver: str) -> None:
    """Raises CheckpointError if that is no name of a driver."""
    if not _DRIVER.fullmatch(driver):
        raise CheckpointError(f"driver = {driver!r} must be 1 to 16 of a-z, 0-9 and _, the first a letter")


@dataclass(frozen=True)
class Checkpoint:
    """One evaluated parameter set: the parameters that were evaluated, and what came of them.

    Values are copied and made plain when the checkpoint is made, so NumPy arrays and scalars may be given.

    Attributes:
        run_id: the run that wrote it.
        step: SGD step, or trial number; from 0. Unique in a run together with ``parameter_set``.
        parameter_set: index of the parameter set within the step; from 0.
        driver: name of the driver that made it, such as "sgd" or "search"; "imported" for none. In a hybrid run that of the
            part.
        raw: per parameter the values the simulator takes, shape (k,). May be non-finite: a set that failed is kept.
        human: the same in the units people read (days, weights, ...), shape (k,).
        metrics: split ("train", "validation", "test") to metric name to value. A split without metrics is left out.
        objective: what the driver maximised; None if it has none.
        created_at: aware, in UTC.

    Raises:
        CheckpointError: a value is not of its kind; the message names it.
    """

    run_id: str
    step: int
    parameter_set: int
    driver: str
    raw: Mapping[str, tuple[float, ...]]
    human: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    objective: float | None = None
    created_at: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        check_driver(self.driver)
        for name in ("step", "parameter_set"):
            object.__setattr__(self, name, _index(name, getattr(self, name)))
        if self.created_at.tzinfo is None:
            raise CheckpointError(f"created_at must carry a time zone, not {self.created_at!r}")
        object.__setattr__(self, "created_at", self.created_at.astimezone(UTC))
        object.__setattr__(self, "raw", _vectors("raw", self.raw))
        object.__setattr__(self, "human", _vectors("human", self.human))
        object.__setattr__(self, "metrics", _metrics(self.metrics))
        if self.objective is not None:
            object.__setattr__(self, "objective", _number("objective", self.objective))

    @property
    def checkpoint_id(self) -> str:
        """Identity in the store: ``<run id>:<step>:<set>``."""
        return f"{self.run_id}:{self.step}:{self.parameter_set}"

    @property
    def key(self) -> str:
        """The identity in a length that can be typed: the first characters of the run id, step and set."""
        return f"{self.run_id[:SHORT_RUN_ID]}:{self.step}:{self.parameter_set}"

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters as arrays (k,), as the simulator takes them."""
        return {name: np.array(values, dtype=np.float64) for name, values in self.raw.items()}

    @property
    def raw_is_finite(self) -> bool:
        """Whether every raw parameter is a finite number."""
        return all(math.isfinite(value) for values in self.raw.values() for value in values)

    def has_parameters_of(self, other: Checkpoint) -> bool:
        """Whether the raw parameters are those of another checkpoint, but for rounding on the way through human units."""
        return self.raw.keys() == other.raw.keys() and all(
            len(values) == len(other.raw[name]) and np.allclose(values, other.raw[name], ROUNDING, ROUNDING)
            for name, values in self.raw.items()
        )

    def value(self, split: str, metric: str) -> float | None:
        """Returns the metric on that split; None if it is not stored."""
        return self.metrics.get(split, {}).get(metric)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a driver, as the store knows it.

    Attributes:
        run_id: 32 hexadecimal digits, given by the store.
        experiment_id: hash of what in the experiment's configuration counts for the driver.
        data_id: hash of the prices it ran on; a run is resumed only if both ids agree.
        name: the user's name for it; may be empty.
        driver: "sgd", "search", or "imported" for one of another program.
        config: the full configuration as JSON values, passwords in URLs redacted. Open it with
            :func:`quantsim.checkpoints.stored.study_of_run`, which runs nothing that it names.
        seed: None if nothing was random.
        status: "running", "finished", "interrupted" or "failed". A run whose process was killed stays "running".
        reason: why it has that status; None if there is nothing to say.
        started_at, updated_at, finished_at: aware, in UTC; ``updated_at`` is the time of the last write.
        version: version of quantsim that began it; this one unless given.
        notes: what should be known of it, as JSON values (warm-up shortened, gaps filled, ...).
    """

    run_id: str
    experiment_id: str
    data_id: str
    name: str
    driver: str
    config: Mapping[str, Any]
    seed: int | None
    status: str
    reason: str | None = None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    version: str = field(default_factory=lambda: importlib.metadata.version("quantsim"))
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunState:
    """What a driver needs to go on after ``step``: bytes that only the driver can read (safetensors, never pickle)."""

    step: int
    blob: bytes
    created_at: datetime


@dataclass(frozen=True)
class Report:
    """What a driver said of itself after ``step``: ``content`` is made of JSON values, and of floats that are not finite."""

    step: int
    created_at: datetime
    content: Mapping[str, Any]


def check_batch(run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Raises CheckpointError if a checkpoint is of another run, or given twice."""
    seen: set[tuple[int, int]] = set()
    for checkpoint in checkpoints:
        if checkpoint.run_id != run_id:
            raise CheckpointError(f"checkpoint {checkpoint.checkpoint_id} cannot be appended to run {run_id}")
        at = (checkpoint.step, checkpoint.parameter_set)
        if at in seen:
            raise CheckpointError(f"checkpoint {checkpoint.checkpoint_id} is given twice in one append")
        seen.add(at)


def parse_checkpoint_id(text: str) -> tuple[str, int, int]:
    """Returns run id, or the start of one, step and set of ``<run id>:<step>:<set>``; raises CheckpointError if it is none."""
    match = _CHECKPOINT_ID.fullmatch(text.strip().lower())
    if match is None:
        raise CheckpointError(
            f"{text!r} is no checkpoint id; it has the form <run id>:<step>:<set>, as in 3f9c01ab:120:0"
        )
    return match[1], int(match[2]), int(match[3])


def _index(name: str, value: Any) -> int:
    try:
        index = int(value)
    except (TypeError, ValueError):
        index = -1
    if index != value or not 0 <= index <= _LARGEST_STEP:
        raise CheckpointError(f"{name} of a checkpoint must be an integer from 0, not {value!r}")
    return index


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CheckpointError(f"{name} must be a number, not {value!r}") from None


def _vectors(kind: str, parameters: Mapping[str, Iterable[float]]) -> dict[str, tuple[float, ...]]:
    """Copies parameters as tuples of floats; a scalar or a matrix is an error, since it would not come back as given."""
    plain: dict[str, tuple[float, ...]] = {}
    for name, values in parameters.items():
        try:
            if isinstance(values, str | bytes) or getattr(values, "ndim", 1) != 1:
                raise TypeError
            plain[str(name)] = tuple(map(float, values))
        except (TypeError, ValueError):
            raise CheckpointError(
                f"{kind} parameter {name!r} must be a sequence of numbers, of shape (k,), not {values!r}"
            ) from None
    return plain


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    plain: dict[str, dict[str, float]] = {}
    for split, values in metrics.items():
        if split not in SPLITS:
            raise CheckpointError(f"unknown split {split!r} of metrics; {nearest(str(split), SPLITS)}")
        if values:
            plain[split] = {str(name): _number(f"{split} metric {name!r}", value) for name, value in values.items()}
    return plain
