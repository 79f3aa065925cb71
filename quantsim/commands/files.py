"""Files that commands write: refused before anything long begins where they cannot be written."""

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
    """Refuses what cannot be written.

    Args:
        table: of ``--csv``.
        plot: of ``--plot``.
        other: of an option that takes any name.

    Raises:
        ConfigError: a suffix is wrong, a folder is missing, or a picture is wanted without matplotlib.
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
            raise ConfigError(f"{str(path)!r} cannot be written: a name must be printable characters")
        try:
            os.lstat(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # such as a name that is too long
            raise ConfigError(f"{path} cannot be written: {reason_of(error)}") from error


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table as the suffix says."""
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be written into a ConfigError."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or path}: {reason_of(error)}") from error


def _check_suffix(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
