"""Converts the entries of a result file to checkpoints: one per parameter set of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint
from quantsim.checkpoints.methods import BARE_OBJECTIVE
from quantsim.checkpoints.published.natural import NATURAL, NaturalReader
from quantsim.checkpoints.published.raw import SUBSIDIARIES, RawReader, number, of_set
from quantsim.config import Experiment
from quantsim.errors import CheckpointError

__all__ = ["METRIC_NAMES", "EntryReader"]

METRIC_NAMES = {"return": "returns", "sharpe": "daily_sharpe", "jax_sharpe": "sharpe"}
"""Metrics with another name in quantammsim's metric tables. All other names are equal."""

_NAMES_BESIDE = {"return": "returns"}  # in keys such as "train_return"; "sharpe" is per bar in both

_CONTINUOUS = "continuous_test_"  # prefix of such metrics in some versions of quantammsim

_OF_SEARCHES = frozenset(
    f"{split}_{metric}"
    for split in ("train", "validation")
    for metric in ("return", "sharpe", "returns_over_hodl", "returns_over_uniform_hodl")
)
"""Metrics of a search besides its objectives, one number each."""

_OF_EVERY_RUN = (
    "step",
    "objective",
    "train_objective",
    "test_objective",
    "validation_metrics",
    "continuous_test_metrics",
)
_OF_TRAINING = ("hessian_trace", "local_learning_rate", "iterations_since_improvement", "optuna_trial_number")

_NOT_PARAMETERS = frozenset({*_OF_EVERY_RUN, *_OF_TRAINING, *_OF_SEARCHES, SUBSIDIARIES})


class EntryReader:
    """Reads the entries of one file.

    Args:
        experiment: experiment of the translated configuration.
        has_validation: whether part of the training period was held out for validation.
    """

    def __init__(self, experiment: Experiment, *, has_validation: bool) -> None:
        """Opens nothing."""
        self._experiment = experiment
        self._raw = NaturalReader(experiment) if experiment.pool.mechanism in NATURAL else RawReader(experiment)
        self._has_validation = has_validation

    def checkpoints(self, entry: Mapping[str, Any]) -> Iterator[Checkpoint]:
        """Yields a checkpoint for each parameter set of an entry. They do not belong to a run yet.

        Raises:
            CheckpointError: a key is missing or invalid; the message names it.
        """
        step, objective = self._step(entry), _required(entry, "objective")
        n_sets = len(objective) if isinstance(objective, list) else None
        if n_sets == 0:
            raise CheckpointError("objective is empty: there is no parameter set")
        raw = self._raw.read(entry, n_sets, _NOT_PARAMETERS)
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
                objective=number(of_set("objective", objective, index, n_sets), "objective"),
            )

    @staticmethod
    def _step(entry: Mapping[str, Any]) -> int:
        step = _required(entry, "step")
        if isinstance(step, bool) or not isinstance(step, int | float) or step < 0 or not (step % 1 == 0):
            raise CheckpointError(f"step = {step!r} must be a whole number, at least 0")
        return int(step)

    def _metrics(self, entry: Mapping[str, Any], index: int, n_sets: int | None) -> dict[str, dict[str, float]]:
        def read(key: str) -> dict[str, float]:
            value = entry.get(key)
            if n_sets is None and isinstance(value, list) and len(value) == 1:
                value = value[0]
            elif value is not None:
                value = of_set(key, value, index, n_sets)
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
        for key in sorted(_OF_SEARCHES & entry.keys()):
            split, _, metric = key.partition("_")
            if split == "validation" and not self._has_validation:
                split = "test"  # such a search also calls it validation
            found[split].setdefault(_NAMES_BESIDE.get(metric, metric), number(entry[key], key))
        return {split: metrics for split, metrics in found.items() if metrics}

    def _split_of_test(self, entry: Mapping[str, Any]) -> str:
        """Returns the split of a search's single test objective: the validation data if there is any."""
        searched = "optuna_trial_number" in entry and not isinstance(entry.get("test_objective"), list | dict)
        return "validation" if searched and self._has_validation else "test"

    def _named(self, key: str, value: Any) -> dict[str, float]:
        if not isinstance(value, dict):
            bare = number(value, key)
            return {BARE_OBJECTIVE: bare, self._experiment.objective.metric: bare}
        plain = {name.removeprefix(_CONTINUOUS): item for name, item in value.items() if item is not None}
        return {METRIC_NAMES.get(name, name): number(item, f"{key}.{name}") for name, item in plain.items()}


def _plain(arrays: Mapping[str, FloatArray]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values.tolist()) for name, values in arrays.items()}


def _required(entry: Mapping[str, Any], key: str) -> Any:
    if key not in entry:
        raise CheckpointError(f"{key} is missing")
    return entry[key]
