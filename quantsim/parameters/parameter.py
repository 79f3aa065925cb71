"""One parameter of an experiment: a spec, bound to tokens or to the pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from quantsim.parameters.spec import ParameterSpec

__all__ = ["Parameter", "bind", "scoped"]

Value = TypeVar("Value")

SEPARATOR = "."


@dataclass(frozen=True)
class Parameter:
    """A parameter of an experiment.

    Attributes:
        spec: names, unit, transform and range.
        labels: owner of each of the ``m`` values: the tokens of the pool, or the pool itself.
        chunk_minutes: length of the pool's chunks, in minutes (memories depend on it).
        group: the ensemble member, subsidiary pool or fee rule that owns the parameter; empty for the pool itself.
        active: whether the parameter has an effect under the experiment's settings. Inactive ones are accepted and ignored.
    """

    spec: ParameterSpec
    labels: tuple[str, ...]
    chunk_minutes: float
    group: str = ""
    active: bool = True

    @property
    def raw_name(self) -> str:
        """The raw name with its group: ``fast.logit_lamb``."""
        return in_group(self.group, self.spec.raw_name)

    @property
    def human_name(self) -> str:
        """The human-readable name with its group: ``fast.memory_days``."""
        return in_group(self.group, self.spec.human_name)

    @property
    def size(self) -> int:
        """Number of values, ``m``."""
        return len(self.labels)

    @property
    def trainable(self) -> bool:
        """Whether gradient training changes it."""
        return self.active and self.spec.trainable

    @property
    def searchable(self) -> bool:
        """Whether a search may change it."""
        return self.active and self.spec.searchable


def bind(
    specs: Iterable[ParameterSpec],
    labels: tuple[str, ...],
    chunk_minutes: float,
    *,
    group: str = "",
    settings: Mapping[str, Any] | None = None,
) -> tuple[Parameter, ...]:
    """Returns the parameters of one group.

    Args:
        specs: parameter specs, in dependency order.
        labels: owner of each value.
        chunk_minutes: length of the pool's chunks, in minutes.
        group: name of the group.
        settings: pool settings that decide which parameters are active; None makes all active.
    """
    return tuple(
        Parameter(spec, labels, chunk_minutes, group, settings is None or spec.matters(settings)) for spec in specs
    )


def in_group(group: str, name: str) -> str:
    """Returns ``group.name``, or the name alone if the group is empty."""
    return f"{group}{SEPARATOR}{name}" if group else name


def scoped(values: Mapping[str, Value], group: str) -> dict[str, Value]:
    """Returns the entries of one group, under their names inside the group; all entries if the group is empty."""
    start = in_group(group, "")
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}
