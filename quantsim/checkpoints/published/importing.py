"""Imports result files of quantammsim into a store: either the whole file, or nothing."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint, Run, utc_now
from quantsim.checkpoints.published.entries import EntryReader
from quantsim.checkpoints.published.result_file import ResultFile, place
from quantsim.checkpoints.store import CheckpointStore
from quantsim.config import Experiment
from quantsim.config.fingerprint.pool import GYROSCOPE, INDICES, RECLAMM
from quantsim.errors import CheckpointError, ConfigError, QuantsimError, nearest
from quantsim.rules import rule_names

__all__ = ["PublishedResults", "import_results", "read_results"]

_PRICES_UNKNOWN = IMPORTED
"""Used as the hash of the prices, which are not in the file. So imported runs only compare with imported runs."""

_SUPPLIES = "supplies that quantammsim has"
"""Stands for the file of supplies of an index pool; who evaluates a set here names one, ``--set series.oracle=FILE``."""

_OF_RESULTS = frozenset({"alphabetic", "evaluation_starts", "training_method"})
"""Keys that quantammsim adds to the configuration during a run. They are not settings."""


@dataclass(frozen=True)
class PublishedResults:
    """The content of a result file, as runs and checkpoints.

    Attributes:
        experiment: the study, translated from the configuration in the file.
        runs: the parts of the file as runs with their checkpoints. A repeated training in quantammsim appends to the same
            file, and its steps start again: that is another part.
    """

    experiment: Experiment
    runs: tuple[tuple[Run, tuple[Checkpoint, ...]], ...]


def import_results(
    path: str | os.PathLike[str], store: CheckpointStore, *, source: str | os.PathLike[str] | None = None
) -> tuple[Run, ...]:
    """Imports a result file ``run_….json`` of quantammsim into a store, and returns its runs.

    Each row becomes a checkpoint: raw parameters in the order of the study's tokens, and the metrics of the file under their
    names here. quantammsim computed these metrics, on prices that are not in the file. Simulate a checkpoint to evaluate it
    here. Importing the same file again does not store it twice.

    Args:
        path: path of the file.
        store: checkpoint store to write to.
        source: price source for the study's ``data.source``: ``"bundled"``, a folder, or a file.

    Raises:
        ConfigError: the rule in the configuration is not supported, or the configuration cannot be translated.
        CheckpointError: the file cannot be read or is not a result file; the message names the place. Nothing is stored then.

    Example:
        >>> with CheckpointStore("results/checkpoints.db") as store:  # doctest: +SKIP
        ...     (run,) = import_results("run_33bf6dc8.json", store, source="prices/")
        ...     select(store.checkpoints(run_id=run.run_id), "best_train_objective")
    """
    results = read_results(path, source=source)
    store.add_runs(results.runs)
    return tuple(store.run(run.run_id) for run, _ in results.runs)


def read_results(path: str | os.PathLike[str], *, source: str | os.PathLike[str] | None = None) -> PublishedResults:
    """Reads a result file without storing it; arguments and errors as in :func:`import_results`."""
    file = ResultFile(Path(path))
    entries = file.entries()
    fingerprint = next(entries, None)
    if fingerprint is None:
        raise CheckpointError(f"result file {file.path} is empty: it does not have a configuration")
    fingerprint = {key: value for key, value in fingerprint.items() if key not in _OF_RESULTS}
    settings = fingerprint.get("optimisation_settings") or {}
    if not isinstance(settings, Mapping):
        raise ConfigError(
            f"result file {file.path}, the configuration: optimisation_settings = {settings!r:.60} must be a table"
        )
    # Files without these keys come from older versions; the defaults are those of later versions.
    settings = {"val_fraction": 0.0, "early_stopping": False, **settings}
    experiment, remarks = _translated({**fingerprint, "optimisation_settings": settings}, file.path, source)
    reader = EntryReader(experiment, has_validation=bool(settings["val_fraction"]))
    parts = list(_parts(entries, reader, file.path))
    if not parts:
        raise CheckpointError(f"result file {file.path} has a configuration but no results: there is nothing to import")
    origin = {
        "file": file.path.name,
        "sha256": file.sha256,
        "method": settings.get("method", "gradient_descent"),
        "parts": len(parts),
    }
    now = utc_now()
    runs = []
    for number, rows in enumerate(parts, start=1):
        notes = {"imported": {**origin, "part": number}} | ({"translation": remarks} if remarks else {})
        # The later part is the newer run.
        run = _run(experiment, _run_id(file.sha256, number, experiment), notes, now + timedelta(microseconds=number))
        runs.append((run, tuple(replace(row, run_id=run.run_id) for row in rows)))
    return PublishedResults(experiment, tuple(runs))


def _translated(
    fingerprint: Mapping[str, Any], path: Path, source: str | os.PathLike[str] | None
) -> tuple[Experiment, list[str]]:
    """Returns the study, and notes on keys that could not be translated."""
    rule = fingerprint.get("rule")
    name = rule.rpartition("__")[2] if isinstance(rule, str) else rule
    if name not in (*rule_names(), *INDICES, RECLAMM, GYROSCOPE):
        raise ConfigError(
            f"result file {path} has the rule {rule!r}, which is not supported; {nearest(str(name), rule_names())}"
        )
    tables: dict[str, Any] = {} if source is None else {"data": {"source": os.fspath(source)}}
    if name in INDICES:
        tables["series"] = {"oracle": _SUPPLIES}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            experiment = Experiment.from_fingerprint(fingerprint, **tables)
    except QuantsimError as error:
        raise ConfigError(f"result file {path}, the configuration: {error}") from error
    for warning in caught:
        warnings.warn(warning.message, stacklevel=4)
    return experiment, [str(warning.message) for warning in caught]


def _parts(entries: Iterator[dict[str, Any]], reader: EntryReader, path: Path) -> Iterator[list[Checkpoint]]:
    """Yields the checkpoints of each part."""
    part: list[Checkpoint] = []
    for number, entry in enumerate(entries, start=1):
        try:
            rows = list(reader.checkpoints(entry))
        except QuantsimError as error:
            raise CheckpointError(f"result file {path}, {place(number)}: {error}") from error
        if part and rows[0].step <= part[-1].step:
            yield part
            part = []
        part += rows
    if part:
        yield part


def _run(experiment: Experiment, run_id: str, notes: Mapping[str, Any], at: datetime) -> Run:
    return Run(
        run_id=run_id,
        experiment_id=experiment.identity,
        data_id=_PRICES_UNKNOWN,
        name=experiment.name,
        driver=IMPORTED,
        config=experiment.model_dump(mode="json"),
        seed=experiment.seed,
        status="finished",
        started_at=at,
        updated_at=at,
        finished_at=at,
        notes=notes,
    )


def _run_id(sha256: str, part: int, experiment: Experiment) -> str:
    """Returns an id that is the same for the same file, so that it cannot be stored twice."""
    return hashlib.sha256(f"{sha256}:{part}:{experiment.data.source}".encode()).hexdigest()[:32]
