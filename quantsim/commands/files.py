"""Output files of commands. They are checked before any long work starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quantsim.errors import ConfigError, reason_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_files", "write_table", "writing"]

_TABLES = (".csv", ".parquet")


def check_files(table: Path | None = None, plot: Path | None = None, other: Path | None = None) -> None:
    """Checks that output files can be written.

    Args:
        table: file of ``--csv``.
        plot: file of ``--plot``.
        other: file of an option that accepts any suffix.

    Raises:
        ConfigError: a suffix is invalid, a folder is missing, a file is not writable, or a plot needs matplotlib.
    """
    if table is not None:
        _check_suffix(table, "--csv", _TABLES)
    if plot is not None:
        from quantsim.report.canvas import SUFFIXES, require_matplotlib

        _check_suffix(plot, "--plot", SUFFIXES)
        require_matplotlib()
    for path in filter(None, (table, plot, other)):
        if not os.path.isdir(path.absolute().parent):
            raise ConfigError(f"{path} cannot be written: there is no folder {path.absolute().parent}")
        if os.path.isdir(path):
            raise ConfigError(f"{path} cannot be written: it is a folder")
        if not str(path).isprintable():
            raise ConfigError(f"{str(path)!r} cannot be written: a file name must have printable characters only")
        try:
            os.lstat(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # such as a name that is too long
            raise ConfigError(f"{path} cannot be written: {reason_of(error)}") from error


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table in the format of the suffix."""
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Converts system errors while writing a file to ConfigError."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or path}: {reason_of(error)}") from error


def _check_suffix(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
