"""Checks numbers of trials and jobs."""

from __future__ import annotations

from quantsim.errors import DriverError

__all__ = ["checked_count"]


def checked_count(what: str, value: int, most: int) -> int:
    """Returns the number after checking it.

    Raises:
        DriverError: the number is not whole, less than 1 or above ``most``; the message names it by ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise DriverError(f"{what} = {value!r} must be a whole number from 1 to {most:,}")
    return value
