"""Laws of the checks in this package. A violation raises an error with the name of the law."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from quantsim.discovery import exception_text
from quantsim.errors import ConformanceError, QuantsimError

__all__ = ["law", "require"]


@contextmanager
def law(name: str, called: str) -> Iterator[None]:
    """Converts every exception in its block to a :class:`ConformanceError` of a law.

    Args:
        name: name of the law.
        called: name of what is checked, such as ``rule 'calm_momentum'``, for exceptions without it.
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
