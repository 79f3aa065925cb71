"""Converts exceptions of users' code to ConfigError, with the file and line."""

from __future__ import annotations

import dataclasses
import functools
import operator
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quantsim.errors import ConfigError, QuantsimError

__all__ = ["exception_text", "guarded", "place_of"]


def guarded(found: Any, path: Path, attribute: str) -> object:
    """Wraps the functions of an object so that exceptions, including ``sys.exit``, become a ConfigError that names the file.

    Transforms of its parameters may raise ValueError for an invalid value.
    """

    def guard(function: Callable[..., Any], passing: type[Exception]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except passing:
                raise
            except (Exception, SystemExit) as error:
                raise ConfigError(f"{place_of(error, path)}: {attribute} fails with {exception_text(error)}") from error

        return called

    def within(value: Any) -> Any:
        """Wraps a part of the object. Parts that are not from the user's file stay the same object."""
        if isinstance(value, tuple):
            parts = tuple(map(within, value))
            return value if all(map(operator.is_, parts, value)) else parts
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            changed = {name: part for name, one in fields.items() if (part := within(one)) is not one}
            return dataclasses.replace(value, **changed) if changed else value
        code = getattr(value, "__code__", None)
        return guard(value, ValueError) if code is not None and code.co_filename == str(path) else value

    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    parts = {
        name: guard(one, QuantsimError) if callable(one) and not isinstance(one, type) else within(one)
        for name, one in values.items()
    }
    return dataclasses.replace(found, **parts)


def place_of(error: BaseException, path: Path) -> str:
    """Returns the file, and its line where an exception was raised."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def exception_text(error: BaseException) -> str:
    """Returns the type of an exception and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
