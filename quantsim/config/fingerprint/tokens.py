"""The order of tokens: there they are sorted, and lists of one value per token are in that order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError

__all__ = ["in_order"]


def in_order(values: Values, path: str, given: Any, notes: Notes, n_others: int = 0) -> NDArray[np.float64]:
    """A value as an array: () for a number, (n,) for one per token, (R, n) for rows of these; tokens in the study's order.

    Args:
        values: with the tokens.
        path: of the value.
        given: the value.
        notes: told where tokens had to change places.
        n_others: how many subsidiaries follow the tokens; their places stay.

    Raises:
        ConfigError: it is none of these.
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
            f"quantammsim sorts {', '.join(tokens)}, so lists of one value per token are taken to be for "
            f"{', '.join(sorted(tokens))}",
        )
    return np.asarray(array[..., places])
