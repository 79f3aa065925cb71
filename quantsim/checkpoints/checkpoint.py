"""Stored values: checkpoints, runs, reports, and states for resuming a run."""

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
    "GIVEN",
    "IMPORTED",
    "ROUNDING",
    "SHORT_RUN_ID",
    "SPLITS",
    "STATUSES",
    "STEPS",
    "TRIALS",
    "Checkpoint",
    "Report",
    "Run",
    "RunState",
    "check_batch",
    "check_driver",
    "chronological",
    "parse_checkpoint_id",
    "utc_now",
]

SPLITS = ("train", "validation", "test")
IMPORTED = "imported"
"""The driver of runs that were imported from a file of another program."""

GIVEN = "given"
"""Key in the reports of a search: numbers of the trials that were given to it instead of drawn."""

STEPS = "steps"
"""Key in the reports of gradient training: name → values of all sets, for every step since the previous report."""

TRIALS = "trials"
"""Key in the notes of a search: how many trials it shall have."""

STATUSES = ("running", "finished", "interrupted", "failed")

SHORT_RUN_ID = 8
"""Number of characters of a run id in a key; they are unique in a store."""

_DRIVER = re.compile(r"[a-z][a-z0-9_]{0,15}")
_CHECKPOINT_ID = re.compile(r"([0-9a-f]{1,32}):(\d{1,18}):(\d{1,18})")

ROUNDING = 1e-9
"""Absolute and relative tolerance for equal parameters or metrics."""

_LARGEST_STEP = 2**63 - 1  # of a signed 64-bit integer, which all databases support


def utc_now() -> datetime:
    """Returns the current time, with time zone UTC."""
    return datetime.now(UTC)


def chronological(splits: Iterable[str]) -> list[str]:
    """Returns splits in chronological order; others, such as "all", come last."""
    return sorted(splits, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))


def check_driver(driver: str) -> None:
    """Raises CheckpointError if this is not a valid name of a driver."""
    if not _DRIVER.fullmatch(driver):
        raise CheckpointError(f"driver = {driver!r} must be 1 to 16 of a-z, 0-9 and _, the first a letter")


@dataclass(frozen=True)
class Checkpoint:
    """One evaluated parameter set and its metrics.

    Values are copied to plain Python types, so NumPy arrays and scalars are accepted.

    Attributes:
        run_id: the run that wrote it.
        step: gradient step or trial number, from 0. Unique in a run together with ``parameter_set``.
        parameter_set: index of the parameter set within the step, from 0.
        driver: name of the driver that made it, such as "sgd" or "search", or "imported". In a hybrid run it is the driver of
            the phase.
        raw: parameter name → raw values, (k,). They may be non-finite: failed sets are kept.
        human: parameter name → values in human units (days, weights, ...), (k,).
        metrics: split ("train", "validation", "test") → metric → value. A split without metrics is left out.
        objective: value of the objective; None if there is none.
        created_at: time of creation, with time zone, in UTC.
        daily_log_returns: split → (D-1,) daily log returns of the pool's value, for a split of ``D`` days. Not compared.
            Empty if they are not stored, or not loaded: :meth:`CheckpointStore.daily_log_returns
            <quantsim.checkpoints.CheckpointStore.daily_log_returns>` loads those of whole runs.

    Raises:
        CheckpointError: a value is invalid; the message names it.
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
    daily_log_returns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict, compare=False, repr=False)

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
        object.__setattr__(self, "daily_log_returns", _returns(self.daily_log_returns))
        if self.objective is not None:
            object.__setattr__(self, "objective", _number("objective", self.objective))

    def __repr__(self) -> str:
        """Key, driver and parameters; a store of thousands of rows is read as a data frame."""
        shown = self.human or self.raw
        sets = (f"{name} {', '.join(f'{value:.4g}' for value in values)}" for name, values in shown.items())
        return f"Checkpoint({self.key!r}, {self.driver}: {'; '.join(sets)})"

    @property
    def checkpoint_id(self) -> str:
        """Unique id in the store: ``<run id>:<step>:<set>``."""
        return f"{self.run_id}:{self.step}:{self.parameter_set}"

    @property
    def key(self) -> str:
        """Short id for users: the first characters of the run id, step and set."""
        return f"{self.run_id[:SHORT_RUN_ID]}:{self.step}:{self.parameter_set}"

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters as arrays (k,), for the simulator."""
        return {name: np.array(values, dtype=np.float64) for name, values in self.raw.items()}

    @property
    def raw_is_finite(self) -> bool:
        """Whether every raw parameter is a finite number."""
        return all(math.isfinite(value) for values in self.raw.values() for value in values)

    def has_parameters_of(self, other: Checkpoint) -> bool:
        """Whether the raw parameters equal those of another checkpoint, up to rounding by conversion to human units."""
        return self.raw.keys() == other.raw.keys() and all(
            len(values) == len(other.raw[name]) and np.allclose(values, other.raw[name], ROUNDING, ROUNDING)
            for name, values in self.raw.items()
        )

    def value(self, split: str, metric: str) -> float | None:
        """Returns the metric on a split; None if it is not stored."""
        return self.metrics.get(split, {}).get(metric)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a driver in the store.

    Attributes:
        run_id: 32 hexadecimal digits, made by the store.
        experiment_id: hash of the configuration keys that count for the driver.
        data_id: hash of the prices; a run is resumed only if both ids agree.
        name: the user's name of the run; may be empty.
        driver: "sgd", "search", "hybrid", or "imported" for a run of another program.
        config: the full configuration as JSON values, with redacted passwords in URLs. Open it with
            :func:`quantsim.checkpoints.stored.study_of_run`, which runs no file that it names.
        seed: random seed; None if nothing was random.
        status: "running", "finished", "interrupted" or "failed". A run whose process was killed stays "running".
        reason: reason of the status; None if there is none.
        started_at, updated_at, finished_at: times with time zone, in UTC; ``updated_at`` is the time of the last write.
        version: version of quantsim that started the run; default: this version.
        notes: notes on the run as JSON values (shorter warm-up, filled gaps, ...).
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

    @property
    def key(self) -> str:
        """Short id for users: the first characters of the id."""
        return self.run_id[:SHORT_RUN_ID]


@dataclass(frozen=True)
class RunState:
    """The state of a driver after ``step``, for resuming: bytes in the driver's format (safetensors, never pickle)."""

    step: int
    blob: bytes
    created_at: datetime


@dataclass(frozen=True)
class Report:
    """A report of a driver after ``step``. ``content`` holds JSON values, and floats that may be non-finite."""

    step: int
    created_at: datetime
    content: Mapping[str, Any]


def check_batch(run_id: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Raises CheckpointError if a checkpoint belongs to another run, or is given twice."""
    seen: set[tuple[int, int]] = set()
    for checkpoint in checkpoints:
        if checkpoint.run_id != run_id:
            raise CheckpointError(f"checkpoint {checkpoint.checkpoint_id} cannot be appended to run {run_id}")
        at = (checkpoint.step, checkpoint.parameter_set)
        if at in seen:
            raise CheckpointError(f"checkpoint {checkpoint.checkpoint_id} is given twice in one append")
        seen.add(at)


def parse_checkpoint_id(text: str) -> tuple[str, int, int]:
    """Parses ``<run id>:<step>:<set>``, where the run id may be shortened; raises CheckpointError if it is invalid."""
    match = _CHECKPOINT_ID.fullmatch(text.strip().lower())
    if match is None:
        raise CheckpointError(
            f"{text!r} is not a checkpoint id; the form is <run id>:<step>:<set>, as in 3f9c01ab:120:0"
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
    """Copies parameters to tuples of floats; a scalar or a matrix is an error, because its shape would be lost."""
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


def _returns(daily: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    arrays: dict[str, NDArray[np.float64]] = {}
    for split, values in daily.items():
        if split not in SPLITS:
            raise CheckpointError(f"unknown split {split!r} of daily log returns; {nearest(str(split), SPLITS)}")
        arrays[split] = np.asarray(values, np.float64)
        if arrays[split].ndim != 1:
            raise CheckpointError(f"the {split} daily log returns must have shape (D-1,), not {arrays[split].shape}")
    return arrays


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    plain: dict[str, dict[str, float]] = {}
    for split, values in metrics.items():
        if split not in SPLITS:
            raise CheckpointError(f"unknown split {split!r} of metrics; {nearest(str(split), SPLITS)}")
        if values:
            plain[split] = {str(name): _number(f"{split} metric {name!r}", value) for name, value in values.items()}
    return plain
