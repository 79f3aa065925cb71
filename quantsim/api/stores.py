"""The checkpoint store of a call: one that is given, a location, or that of the project."""

from __future__ import annotations

import os

from quantsim.checkpoints import CheckpointStore
from quantsim.project import default_store

__all__ = ["StoreLike", "opened"]

StoreLike = CheckpointStore | str | os.PathLike[str]
"""A checkpoint store, or its location."""


def opened(store: StoreLike | None) -> CheckpointStore:
    """Returns a checkpoint store as it is, and opens a location; creates the store if there is none.

    Args:
        store: the store or its location; None for that of the project (:func:`quantsim.project.default_store`).
    """
    if isinstance(store, CheckpointStore):
        return store
    return CheckpointStore(default_store() if store is None else store)
