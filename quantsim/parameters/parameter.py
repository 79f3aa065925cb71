"""One parameter of an experiment: a rule's spec, bound to what its values belong to."""

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
    """A parameter as an experiment has it.

    Attributes:
        spec: its names, unit, transform and range.
        labels: what each of its ``m`` values belongs to: the pool's tokens, or the pool itself.
        chunk_minutes: length of the pool's chunks, in minutes (memories depend on it).
        group: the member of an ensemble, subsidiary pool or fee rule that it is a parameter of; empty for the pool's own.
        active: whether it matters under the experiment's settings. Where it does not, it is accepted and ignored.
    """

    spec: ParameterSpec
    labels: tuple[str, ...]
    chunk_minutes: float
    group: str = ""
    active: bool = True

    @property
    def raw_name(self) -> str:
        """The spec's raw name, in its group: ``fast.logit_lamb``."""
        return in_group(self.group, self.spec.raw_name)

    @property
    def human_name(self) -> str:
        """The spec's human-readable name, in its group: ``fast.memory_days``."""
        return in_group(self.group, self.spec.human_name)

    @property
    def size(self) -> int:
        """The number of its values, ``m``."""
        return len(self.labels)

    @property
    def trainable(self) -> bool:
        """Whether gradients move it."""
        return self.active and self.spec.trainable

    @property
    def searchable(self) -> bool:
        """Whether the search may move it."""
        return self.active and self.spec.searchable


def bind(
    specs: Iterable[ParameterSpec],
    labels: tuple[str, ...],
    chunk_minutes: float,
    *,
    group: str = "",
    settings: Mapping[str, Any] | None = None,
) -> tuple[Parameter, ...]:
    """The parameters of one group.

    Args:
        specs: in dependency order.
        labels: what values belong to.
        chunk_minutes: length of the pool's chunks, in minutes.
        group: where they belong.
        settings: decide which of them matter; all of them unless given.
    """
    return tuple(
        Parameter(spec, labels, chunk_minutes, group, settings is None or spec.matters(settings)) for spec in specs
    )


def in_group(group: str, name: str) -> str:
    """``group.name``, or the name alone where there is no group."""
    return f"{group}{SEPARATOR}{name}" if group else name


def scoped(values: Mapping[str, Value], group: str) -> dict[str, Value]:
    """What a table holds of one group, under the names inside the group; the whole table for no group."""
    start = in_group(group, "")
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}
