"""Makes checkpoints of the entries of a result file: one for each parameter set of a step.

There, values per token are in the order of the sorted tokens. A search has one parameter set per entry, and no list around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint
from quantsim.checkpoints.methods import BARE_OBJECTIVE
from quantsim.config import Experiment
from quantsim.errors import CheckpointError
from quantsim.parameters import Parameter

__all__ = ["METRIC_NAMES", "EntryReader"]

METRIC_NAMES = {"return": "returns", "sharpe": "daily_sharpe", "jax_sharpe": "sharpe"}
"""Metrics that have another name there, in tables of metrics. The names of all others are the same."""

_NAMES_BESIDE = {"return": "returns"}  # in keys such as "train_return"; "sharpe" is of bars there, as here

_CONTINUOUS = "continuous_test_"  # before the names of such metrics, in some versions of that implementation

_NOT_PARAMETERS = frozenset(
    {
        *("step", "objective", "train_objective", "test_objective", "validation_metrics", "continuous_test_metrics"),
        *(
            "hessian_trace",
            "local_learning_rate",
            "iterations_since_improvement",
            "optuna_trial_number",
            "subsidary_params",
        ),
        *(
            f"{split}_{metric}"
            for split in ("train", "validation")
            for metric in ("return", "sharpe", "returns_over_hodl", "returns_over_uniform_hodl")
        ),
    }
)

FloatArray = NDArray[np.float64]


class EntryReader:
    """Reads the entries of one file.

    Args:
        experiment: the translated configuration.
        fingerprint: the configuration itself.
    """

    def __init__(self, experiment: Experiment, fingerprint: Mapping[str, Any]) -> None:
        """Opens nothing."""
        self._experiment = experiment
        self._sorted_tokens = tuple(sorted(experiment.tokens))
        self._own = experiment.initial_parameters()
        self._ignored = frozenset(experiment.pools[-1].rule.ignores)
        self._members = tuple(dict(experiment.pool.ensemble))
        settings = fingerprint.get("optimisation_settings") or {}
        self._has_validation = bool(settings.get("val_fraction"))

    def checkpoints(self, entry: Mapping[str, Any]) -> Iterator[Checkpoint]:
        """Yields a checkpoint for each parameter set of an entry, of no run yet.

        Raises:
            CheckpointError: something in it is missing or is not what it has to be; the message names the key.
        """
        step, objective = self._step(entry), _required(entry, "objective")
        n_sets = len(objective) if isinstance(objective, list) else None
        if n_sets == 0:
            raise CheckpointError("objective is empty: there is no parameter set")
        raw = self._raw(entry, n_sets)
        for index in range(1 if n_sets is None else n_sets):
            values = {name: rows[index] for name, rows in raw.items()}
            finite = all(np.isfinite(row).all() for row in values.values())
            yield Checkpoint(
                run_id="",
                step=step,
                parameter_set=index,
                driver=IMPORTED,
                raw=_plain(values),
                human=_plain(self._experiment.human_parameters(values)) if finite else {},
                metrics=self._metrics(entry, index, n_sets),
                objective=_number(_of_set("objective", objective, index, n_sets), "objective"),
            )

    @staticmethod
    def _step(entry: Mapping[str, Any]) -> int:
        step = _required(entry, "step")
        if isinstance(step, bool) or not isinstance(step, int | float) or step < 0 or step != int(step):
            raise CheckpointError(f"step = {step!r} must be a whole number, at least 0")
        return int(step)

    def _raw(self, entry: Mapping[str, Any], n_sets: int | None) -> dict[str, FloatArray]:
        """Raw name → (number of sets, number of labels)."""
        if entry.get("subsidary_params"):
            raise CheckpointError("subsidary_params: parameters of subsidiary pools cannot be imported")
        names = {parameter.spec.raw_name for parameter in self._experiment.layout}
        for key in entry:
            if key not in names and key not in _NOT_PARAMETERS and key not in self._ignored:
                raise CheckpointError(
                    f"{key} is no parameter of {self._experiment.pool.strategy_name} here: it cannot be imported"
                )
        return {parameter.raw_name: self._parameter(parameter, entry, n_sets) for parameter in self._experiment.layout}

    def _parameter(self, parameter: Parameter, entry: Mapping[str, Any], n_sets: int | None) -> FloatArray:
        name, count = parameter.spec.raw_name, 1 if n_sets is None else n_sets
        if name not in entry:
            # A search there does not store what it does not draw. It starts all pools with equal weights.
            if name == "initial_weights_logits":
                return np.zeros((count, parameter.size))
            if parameter.active:
                raise CheckpointError(f"{name} is missing")
            return np.tile(self._own[parameter.raw_name], (count, 1))
        rows = [_of_set(name, entry[name], index, n_sets) for index in range(count)]
        if parameter.group in self._members:
            member = self._members.index(parameter.group)
            rows = [_of_member(name, row, member, len(self._members)) for row in rows]
        return np.stack([self._per_label(parameter, row) for row in rows])

    def _per_label(self, parameter: Parameter, value: Any) -> FloatArray:
        name, labels = parameter.spec.raw_name, parameter.labels
        values = value if isinstance(value, list) else [value]
        numbers = np.array([_number(item, name) for item in values])
        if len(numbers) == 1:
            return np.broadcast_to(numbers, (parameter.size,)).copy()
        if len(numbers) != parameter.size:
            raise CheckpointError(
                f"{name} has {len(numbers)} values, and must have one for each of {', '.join(labels)}"
            )
        if set(labels) == set(self._sorted_tokens):
            return numbers[[self._sorted_tokens.index(label) for label in labels]]
        return numbers

    def _metrics(self, entry: Mapping[str, Any], index: int, n_sets: int | None) -> dict[str, dict[str, float]]:
        def read(key: str) -> dict[str, float]:
            value = entry.get(key)
            if n_sets is None and isinstance(value, list) and len(value) == 1:
                value = value[0]
            elif value is not None:
                value = _of_set(key, value, index, n_sets)
            return {} if value is None else self._named(key, value)

        found: dict[str, dict[str, float]] = {
            "train": read("train_objective"),
            "validation": read("validation_metrics"),
            "test": {},
        }
        fresh, continuous = read("test_objective"), read("continuous_test_metrics")
        found[self._split_of_test(entry)] |= continuous or fresh
        if continuous:
            found["test"] |= {
                f"test_objective_{name}": fresh[name] for name in fresh if fresh[name] != continuous.get(name)
            }
        for key in sorted(_NOT_PARAMETERS & entry.keys()):
            split, _, metric = key.partition("_")
            if split in found and metric not in ("objective", "metrics"):
                # Without validation data, a search there calls what it measures on test data so.
                table = found["test" if split == "validation" and not self._has_validation else split]
                table.setdefault(_NAMES_BESIDE.get(metric, metric), _number(entry[key], key))
        return {split: metrics for split, metrics in found.items() if metrics}

    def _split_of_test(self, entry: Mapping[str, Any]) -> str:
        """Where a search states one number as its test objective, that is of the validation data if there are any."""
        searched = "optuna_trial_number" in entry and not isinstance(entry.get("test_objective"), list | dict)
        return "validation" if searched and self._has_validation else "test"

    def _named(self, key: str, value: Any) -> dict[str, float]:
        if not isinstance(value, dict):
            number = _number(value, key)
            return {BARE_OBJECTIVE: number, self._experiment.objective.metric: number}
        plain = {name.removeprefix(_CONTINUOUS): item for name, item in value.items() if item is not None}
        return {METRIC_NAMES.get(name, name): _number(item, f"{key}.{name}") for name, item in plain.items()}


def _plain(arrays: Mapping[str, FloatArray]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values.tolist()) for name, values in arrays.items()}


def _required(entry: Mapping[str, Any], key: str) -> Any:
    if key not in entry:
        raise CheckpointError(f"{key} is missing")
    return entry[key]


def _of_set(key: str, value: Any, index: int, n_sets: int | None) -> Any:
    """What a key holds of one parameter set."""
    if n_sets is None:
        return value
    if not isinstance(value, list) or len(value) != n_sets:
        shape = f"a list of {len(value)}" if isinstance(value, list) else f"{value!r:.60}"
        raise CheckpointError(f"{key} must be a list with one item for each of {n_sets} parameter sets, not {shape}")
    return value[index]


def _of_member(name: str, row: Any, member: int, n_members: int) -> Any:
    if not isinstance(row, list) or len(row) != n_members or not all(isinstance(item, list) for item in row):
        raise CheckpointError(
            f"{name} must have a row for each of {n_members} members of the ensemble, not {row!r:.60}"
        )
    return row[member]


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{key} must hold numbers, not {value!r:.60}")
    try:
        return float(value)
    except OverflowError:
        raise CheckpointError(f"{key} holds {value!r:.60}, more than a number can be") from None
