"""The exceptions that quantsim raises, and helpers that word error messages.

All of them derive from :class:`QuantsimError`, so a caller can catch them with one ``except`` clause. Those for an invalid
value are also ``ValueError``. Messages name the key, the value and the remedy. Callers add context with ``add_note``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ConformanceError",
    "ContractError",
    "DriverError",
    "FingerprintWarning",
    "ParameterError",
    "PriceError",
    "QuantsimError",
    "SelectionError",
    "StatisticsError",
    "WindowError",
    "nearest",
    "reason_of",
]


class QuantsimError(Exception):
    """Base class of all errors that quantsim raises."""


class ConfigError(QuantsimError, ValueError):
    """An experiment, a study file or an override is not valid."""


class PriceError(QuantsimError, ValueError):
    """Price data is missing, malformed, or does not cover the requested range."""


class ParameterError(QuantsimError, ValueError):
    """A strategy parameter is unknown, missing, of the wrong shape, or out of its range."""


class WindowError(QuantsimError, ValueError):
    """An evaluation window does not fit into the prices."""


class DriverError(QuantsimError):
    """A training or search run cannot start or continue."""


class FingerprintWarning(UserWarning):
    """Keys of a configuration dictionary of quantammsim have another meaning here, or no meaning."""


class CheckpointError(QuantsimError):
    """The checkpoint store cannot be opened, read or written."""


class SelectionError(QuantsimError):
    """No stored checkpoint meets the conditions of a selection."""


class StatisticsError(QuantsimError, ValueError):
    """The arguments of a statistic are not valid: too few days or trials, or values that are not finite."""


class ContractError(QuantsimError, ValueError):
    """A contract would revert: an overflow, a division by zero, or an update that it does not allow."""


class ConformanceError(QuantsimError, AssertionError):
    """A rule, fee rule, metric or pool breaks a law that all of its kind keep; :mod:`quantsim.testing` raises it.

    Attributes:
        law: its name, such as ``"no look-ahead"``.
    """

    def __init__(self, law: str, message: str) -> None:
        """Puts the name of the law before what was found."""
        super().__init__(f"{law}: {message}")
        self.law = law


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns the remedy for an unknown name: the closest known one, or the list of all.

    Example:
        >>> nearest("fes", ["fees", "tokens"])
        "did you mean 'fees'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"


def reason_of(error: BaseException) -> str:
    """Returns one line that says what went wrong: the operating system's text, or else the first line of the error.

    Example:
        >>> reason_of(FileNotFoundError(2, "No such file or directory", "prices.csv"))
        'No such file or directory'
        >>> reason_of(ValueError())
        'ValueError'
    """
    text = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
    return text or type(error).__name__
