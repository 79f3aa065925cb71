"""Reads the raw parameters of an entry of a result file.

In a result file, a parameter is ``[set][token]``, or ``[set][member][token]`` for an ensemble. A search has one set per entry,
without the outer list. Tokens are sorted. Subsidiary pools have separate tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.config import Experiment
from quantsim.errors import CheckpointError
from quantsim.parameters import Parameter
from quantsim.rules.capping import cap

__all__ = ["SUBSIDIARIES", "RawReader", "number", "of_set"]

SUBSIDIARIES = "subsidary_params"

_SUMS = {("index_supply", "logit_lamb"): "logit_delta_lamb"}
"""(rule, parameter here) → parameter there that is added to that of the same name: an index has one memory."""

Table = Mapping[str, Any]


class RawReader:
    """Reads the parameters of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        """Does not read anything yet."""
        self._experiment = experiment
        self._defaults = experiment.initial_parameters()
        self._members = tuple(name for name, _ in experiment.pool.members() if name)
        self._subsidiaries = tuple(dict(experiment.subsidiaries))

    def read(self, entry: Table, n_sets: int | None, others: frozenset[str]) -> dict[str, FloatArray]:
        """Returns raw name → (number of sets, number of labels).

        Args:
            entry: entry of the file.
            n_sets: number of parameter sets in the entry; None for a single set without the outer list.
            others: keys of an entry that are not parameters.

        Raises:
            CheckpointError: a parameter is missing, has no counterpart here, or has the wrong shape.
        """
        tables = self._tables(entry)
        for pool in self._experiment.pools:
            known = {parameter.spec.raw_name for parameter in self._of_pool(pool.group)}
            known |= set() if pool.rule is None else set(pool.rule.ignores)
            tables[pool.group] = self._summed(tables[pool.group], pool.pool.rule_names)
            for key in tables[pool.group]:
                if key not in known and key not in others:
                    raise CheckpointError(
                        f"{key} is not a parameter of {pool.pool.strategy_name} here: it cannot be imported"
                    )
        return {
            parameter.raw_name: self._parameter(parameter, tables[pool.group], n_sets)
            for pool in self._experiment.pools
            for parameter in self._of_pool(pool.group)
        }

    def _tables(self, entry: Table) -> dict[str, Table]:
        """Returns the table of each pool by the name of its group."""
        parts = entry.get(SUBSIDIARIES) or []
        if not isinstance(parts, list) or len(parts) != len(self._subsidiaries):
            count = len(parts) if isinstance(parts, list) else f"{parts!r:.60}"
            raise CheckpointError(
                f"{SUBSIDIARIES} must be a list of a table for each of {len(self._subsidiaries)} subsidiary pools, not {count}"
            )
        if not all(isinstance(part, Mapping) for part in parts):
            raise CheckpointError(f"{SUBSIDIARIES} must hold tables, not {parts!r:.60}")
        return {"": entry, **dict(zip(self._subsidiaries, parts, strict=True))}

    def _summed(self, table: Table, rules: tuple[str, ...]) -> Table:
        """Returns the table of a pool with parameters that are sums of two there."""
        found = dict(table)
        for (rule, name), other in _SUMS.items():
            if rule in rules and name in table and other in table:
                both = [np.asarray(_numbers(table[key], key)) for key in (name, other)]
                if both[0].shape != both[1].shape:
                    raise CheckpointError(
                        f"{other} must have the shape of {name}, {both[0].shape}, not {both[1].shape}"
                    )
                found[name] = (both[0] + both[1]).tolist()
        return found

    def _of_pool(self, group: str) -> list[Parameter]:
        own = {group, *(self._members if not group else ())}
        return [parameter for parameter in self._experiment.layout if parameter.group in own]

    def _parameter(self, parameter: Parameter, table: Table, n_sets: int | None) -> FloatArray:
        name, count = parameter.spec.raw_name, 1 if n_sets is None else n_sets
        if name not in table:
            # A search of quantammsim does not store fixed parameters. It starts all pools with equal weights.
            if name == "initial_weights_logits":
                return np.zeros((count, parameter.size))
            if parameter.active and name != cap.raw_name:  # a cap is a setting there
                raise CheckpointError(f"{name} is missing")
            return np.tile(self._defaults[parameter.raw_name], (count, 1))
        rows = [of_set(name, table[name], index, n_sets) for index in range(count)]
        if parameter.group in self._members:
            member = self._members.index(parameter.group)
            rows = [_of_member(name, row, member, len(self._members)) for row in rows]
        return np.stack([self._per_label(parameter, row) for row in rows])

    def _per_label(self, parameter: Parameter, value: Any) -> FloatArray:
        name, labels = parameter.spec.raw_name, parameter.labels
        values = value if isinstance(value, list) else [value]
        numbers = np.array([number(item, name) for item in values])
        if len(numbers) == 1:
            return np.broadcast_to(numbers, (parameter.size,)).copy()
        if len(numbers) != parameter.size:
            raise CheckpointError(
                f"{name} has {len(numbers)} values, but must have one for each of {', '.join(labels)}"
            )
        tokens = [label for label in labels if label not in self._subsidiaries]
        there = [*sorted(tokens), *(label for label in labels if label in self._subsidiaries)]
        return numbers[[there.index(label) for label in labels]]


def _numbers(value: Any, key: str) -> Any:
    """Returns nested lists with each number checked."""
    return [_numbers(item, key) for item in value] if isinstance(value, list) else number(value, key)


def of_set(key: str, value: Any, index: int, n_sets: int | None) -> Any:
    """Returns the item of one parameter set; raises CheckpointError unless there is one item per set."""
    if n_sets is None:
        return value
    if not isinstance(value, list) or len(value) != n_sets:
        shape = f"a list of {len(value)}" if isinstance(value, list) else f"{value!r:.60}"
        raise CheckpointError(f"{key} must be a list with one item for each of {n_sets} parameter sets, not {shape}")
    return value[index]


def number(value: Any, key: str) -> float:
    """Returns the value as a float; raises CheckpointError if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{key} must hold numbers, not {value!r:.60}")
    try:
        return float(value)
    except OverflowError:
        raise CheckpointError(f"{key} holds {value!r:.60}, which is too large for a number") from None


def _of_member(name: str, row: Any, member: int, n_members: int) -> Any:
    if not isinstance(row, list) or len(row) != n_members or not all(isinstance(item, list) for item in row):
        raise CheckpointError(
            f"{name} must have a row for each of {n_members} members of the ensemble, not {row!r:.60}"
        )
    return row[member]
