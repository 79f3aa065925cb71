"""Reads the parameters of reCLAMM pools and E-CLPs, which quantammsim stores in natural units, a number for each set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.checkpoints.published.raw import SUBSIDIARIES, number, of_set
from quantsim.config import Experiment
from quantsim.errors import CheckpointError, ParameterError
from quantsim.parameters import common

__all__ = ["NATURAL", "NaturalReader"]

NATURAL = frozenset({"reclamm", "eclp"})
"""Types of pools with such parameters."""

_NAMES = {common.swap_fee.human_name: "fees"}
"""Name here → name there; all others are equal."""


class NaturalReader:
    """Reads the parameters of an experiment of one of these types."""

    def __init__(self, experiment: Experiment) -> None:
        """Does not read anything yet."""
        self._experiment = experiment
        self._names = {_NAMES.get(each.human_name, each.human_name): each.human_name for each in experiment.layout}
        self._needed = {_NAMES.get(each.human_name, each.human_name) for each in experiment.active_parameters}

    def read(self, entry: Mapping[str, Any], n_sets: int | None, others: frozenset[str]) -> dict[str, FloatArray]:
        """Returns raw name → (number of sets, 1); arguments as for :class:`RawReader`.

        A set whose values are not finite, or not valid for this pool, such as a price ratio below 1, is nan.

        Raises:
            CheckpointError: a parameter is missing, has no counterpart here, or has the wrong shape; or there are subsidiaries.
        """
        if entry.get(SUBSIDIARIES):
            raise CheckpointError(
                f"{SUBSIDIARIES} of a pool of type {self._experiment.pool.type!r}: cannot be imported"
            )
        for key in entry:
            if key not in self._names and key not in others:
                raise CheckpointError(
                    f"{key} is not a parameter of {self._experiment.pool.strategy_name} here: it cannot be imported"
                )
        if missing := sorted(self._needed - entry.keys()):
            raise CheckpointError(f"{missing[0]} is missing")
        rows = [self._set(entry, index, n_sets) for index in range(1 if n_sets is None else n_sets)]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _set(self, entry: Mapping[str, Any], index: int, n_sets: int | None) -> dict[str, FloatArray]:
        found = {here: _single(there, entry, index, n_sets) for there, here in self._names.items() if there in entry}
        if all(map(math.isfinite, found.values())):
            try:
                return self._experiment.initial_parameters(found)
            except ParameterError:  # it left the bounds during training
                pass
        return {name: np.full_like(row, math.nan) for name, row in self._experiment.initial_parameters().items()}


def _single(key: str, entry: Mapping[str, Any], index: int, n_sets: int | None) -> float:
    value = of_set(key, entry[key], index, n_sets)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    return number(value, key)
