"""Numbers of trials and workers, as callers give them to a driver."""

from __future__ import annotations

from quantsim.errors import DriverError

__all__ = ["checked_count"]


def checked_count(what: str, value: int) -> int:
    """The number itself.

    Raises:
        DriverError: it is no whole number, or less than 1; the message names it by ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DriverError(f"{what} = {value!r} must be a whole number, at least 1")
    return value
