"""Laws that the checks of this package test: each violation raises one error with the name of the law."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from quantsim.discovery import exception_text
from quantsim.errors import ConformanceError, QuantsimError

__all__ = ["law", "require"]


@contextmanager
def law(name: str, called: str) -> Iterator[None]:
    """Turns every exception in its block into a :class:`ConformanceError` of that law.

    Args:
        name: of the law.
        called: what is checked, for exceptions that do not say it: ``rule 'calm_momentum'``.
    """
    try:
        yield
    except ConformanceError:
        raise
    except QuantsimError as error:
        notes = [f" ({note})" for note in getattr(error, "__notes__", ()) if note.startswith("while ")]  # none of JAX
        text = str(error) if called in str(error) else f"{called}: {error}"
        raise ConformanceError(name, "".join([text, *notes])) from error
    except (Exception, SystemExit) as error:
        raise ConformanceError(name, f"{called} fails with {exception_text(error)}") from error


def require(kept: bool, name: str, message: str) -> None:
    """Raises :class:`ConformanceError` unless the law is kept."""
    if not kept:
        raise ConformanceError(name, message)
