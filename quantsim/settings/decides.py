"""What the keys of a study decide, declared with each key."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

__all__ = ["GRADIENTS", "HYBRID", "SEARCH", "Decides", "leaves"]


class Decides(enum.Flag):
    """What a key decides. A key has what its field is annotated with, or else the ``decides`` of its section."""

    NOTHING = 0
    """A name, how much is done and by how many, or where files lie, whose content counts elsewhere."""
    VALUE = enum.auto()
    """What a parameter set is worth: every metric of a whole split."""
    PERIODS = enum.auto()
    """Which periods the metrics of periods are taken over."""
    OBJECTIVE = enum.auto()
    """With the periods, what the metric ``objective`` is."""
    TRIALS = enum.auto()
    """Which trials a search makes."""
    STEPS = enum.auto()
    """Which steps a gradient run makes."""
    ROUNDS = enum.auto()
    """Which rounds a hybrid run makes."""


_METRICS = Decides.VALUE | Decides.PERIODS | Decides.OBJECTIVE
SEARCH = _METRICS | Decides.TRIALS
GRADIENTS = _METRICS | Decides.STEPS
HYBRID = SEARCH | Decides.ROUNDS
"""Which keys count in the identity of a run of each driver."""


def leaves(annotation: Any) -> Iterator[Any]:
    """The types in an annotation that are no containers of others."""
    if get_origin(annotation) is Annotated:
        yield from leaves(get_args(annotation)[0])
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from leaves(argument)
    else:
        yield annotation
