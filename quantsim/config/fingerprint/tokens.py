"""The order of tokens. quantammsim sorts them, and lists with one value per token are in sorted order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError

__all__ = ["in_order"]


def in_order(values: Values, path: str, given: Any, notes: Notes, n_others: int = 0) -> NDArray[np.float64]:
    """Returns a value as an array with tokens in the study's order: () for a number, (n,) per token, (R, n) for rows.

    Args:
        values: values of the fingerprint, for its tokens.
        path: path of the value.
        given: the value.
        notes: gets a note if tokens were reordered.
        n_others: number of subsidiaries after the tokens; they are not reordered.

    Raises:
        ConfigError: the value has another shape.
    """
    tokens = values["tokens"]
    n = len(tokens) + n_others
    try:
        array = np.asarray(given, np.float64)
    except (OverflowError, TypeError, ValueError):
        array = np.asarray(np.nan)
    fits = array.ndim == 0 or (array.ndim in (1, 2) and array.shape[-1] == n and array.size > 0)
    if isinstance(given, bool | str) or not fits or not np.isfinite(array).all():
        raise ConfigError(
            f"{path} = {given!r} must be a number, a list of one for each of {', '.join(sorted(tokens))}, or a "
            "list of such lists, one for each parameter set"
        )
    if array.ndim == 0:
        return array
    places = [*(sorted(tokens).index(token) for token in tokens), *range(len(tokens), n)]
    if places != list(range(n)) and np.ptp(array[..., : len(tokens)], axis=-1).any():
        notes.add(
            "tokens",
            f"quantammsim sorts {', '.join(tokens)}, so lists with one value per token are read as "
            f"{', '.join(sorted(tokens))}",
        )
    return np.asarray(array[..., places])
