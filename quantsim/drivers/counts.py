"""Numbers of trials and workers, as callers give them to a driver."""

from __future__ import annotations

from quantsim.errors import DriverError

__all__ = ["checked_count"]


def checked_count(what: str, value: int, most: int) -> int:
    """The number itself.

    Raises:
        DriverError: it is no whole number, less than 1 or above ``most``; the message names it by ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise DriverError(f"{what} = {value!r} must be a whole number from 1 to {most:,}")
    return value
