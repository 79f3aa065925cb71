"""Converts training states to bytes and back, bit for bit (safetensors)."""

from __future__ import annotations

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from quantsim.drivers.sgd.step import TrainState
from quantsim.errors import DriverError

__all__ = ["dump_state", "restore_state"]


def dump_state(state: TrainState) -> bytes:
    """Returns the bytes of a state, whose leaves are named by their path in the tree."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return save({jax.tree_util.keystr(path): np.asarray(leaf, order="C") for path, leaf in leaves})


def restore_state(blob: bytes, like: TrainState) -> TrainState:
    """Returns the state that :func:`dump_state` has written, for a state of the same structure.

    Raises:
        DriverError: the bytes are damaged, or the state has another structure.
    """
    try:
        stored = load(blob)
    except SafetensorError as error:
        raise DriverError(f"the stored training state is damaged ({error})") from error
    paths, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(path) for path, _ in paths]
    fits = set(names) == set(stored) and all(
        stored[name].shape == np.shape(leaf) for name, (_, leaf) in zip(names, paths, strict=True)
    )
    if not fits:
        raise DriverError("the stored training state belongs to another optimiser, shape or version of quantsim")
    restored: TrainState = jax.tree_util.tree_unflatten(structure, [jax.numpy.asarray(stored[name]) for name in names])
    return restored
