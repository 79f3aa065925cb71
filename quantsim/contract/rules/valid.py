"""Checks of parameters that several rules share."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.fixed_point import ONE
from quantsim.contract.rules.base import Rows

__all__ = ["not_positive", "raw_price_problem", "rows_problem", "size_problem"]


def rows_problem(parameters: Rows, names: tuple[str, ...], optional: int = 0) -> str | None:
    """Returns a reason if there are too few or too many rows, or an empty one."""
    least = len(names) - optional
    if not least <= len(parameters) <= len(names):
        wanted = f"{least}" if not optional else f"{least} to {len(names)}"
        return f"there are {len(parameters)} rows of parameters, but {wanted} are needed: {', '.join(names)}"
    empty = [name for name, row in zip(names, parameters, strict=False) if not row]
    return f"the row of {empty[0]} is empty" if empty else None


def size_problem(parameters: Rows, names: tuple[str, ...], n_tokens: int) -> str | None:
    """Returns a reason if a row has neither one value nor one per token."""
    for name, row in zip(names, parameters, strict=False):
        if len(row) not in (1, n_tokens):
            return f"{name} has {len(row)} values, but must have 1 or {n_tokens}, one per token"
    return None


def not_positive(name: str, row: Sequence[int], least: int = 0) -> str | None:
    """Returns a reason if a value of the row is not above ``least``."""
    low = [value for value in row if value <= least]
    if not low:
        return None
    return f"{name} = {low[0] / ONE:g} must be above {least / ONE:g}"


def raw_price_problem(parameters: Rows, row: int) -> str | None:
    """Returns a reason if the switch ``useRawPrice`` is there, and is not one value of 0 or 1."""
    if len(parameters) <= row or tuple(parameters[row]) in ((0,), (ONE,)):
        return None
    return f"useRawPrice must be one value, 0 or {ONE}"
