"""The effects of the keys of a study, declared with each key."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

__all__ = ["GRADIENTS", "HYBRID", "SEARCH", "Decides", "leaves"]


class Decides(enum.Flag):
    """The effect of a key: the annotation of its field, or else the ``decides`` of its section."""

    NOTHING = 0
    """No result: names, amounts of work, numbers of workers, and locations of files (their content counts elsewhere)."""
    VALUE = enum.auto()
    """The metrics of a parameter set over a whole split."""
    PERIODS = enum.auto()
    """The periods of metrics over periods."""
    OBJECTIVE = enum.auto()
    """The metric ``objective``, together with the periods."""
    TRIALS = enum.auto()
    """The trials of a search."""
    STEPS = enum.auto()
    """The steps of a gradient run."""
    ROUNDS = enum.auto()
    """The rounds of a hybrid run."""


_METRICS = Decides.VALUE | Decides.PERIODS | Decides.OBJECTIVE
SEARCH = _METRICS | Decides.TRIALS
"""The effects that count in the identity of a search."""

GRADIENTS = _METRICS | Decides.STEPS
"""The effects that count in the identity of a gradient run."""

HYBRID = SEARCH | Decides.ROUNDS
"""The effects that count in the identity of a hybrid run."""


def leaves(annotation: Any) -> Iterator[Any]:
    """Yields the types in an annotation, without containers."""
    if get_origin(annotation) is Annotated:
        yield from leaves(get_args(annotation)[0])
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from leaves(argument)
    else:
        yield annotation
