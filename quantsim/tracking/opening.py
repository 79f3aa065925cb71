"""Opens trackers, or says what is missing, before any long work."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from quantsim.checkpoints.redact import redact
from quantsim.errors import ConfigError
from quantsim.tracking.tracker import Tracker
from quantsim.tracking.tracking import Tracking

__all__ = ["check_tracking", "open_tracking"]

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+|databricks")
_DATABASES = (".db", ".sqlite", ".sqlite3")
_EXAMPLES = "give an SQLite file such as mlflow.db, or the address of a tracking server such as http://host:5000"


def check_tracking(tensorboard: str | os.PathLike[str] | None = None, mlflow: str | None = None) -> None:
    """Raises ConfigError if a package is missing, or a place cannot be one. Imports nothing and connects to nothing.

    Args:
        tensorboard: folder for TensorBoard; None for none.
        mlflow: tracking URI of MLflow, or the path of an SQLite file; None for none.
    """
    if tensorboard is not None:
        _require("tensorboardX", "tensorboard", f"tensorboard = {os.fspath(tensorboard)!r}")
        _check_folder(Path(tensorboard))
    if mlflow is not None:
        _require("mlflow", "mlflow", f"mlflow = {redact(mlflow)!r}")
        if not _URI.fullmatch(mlflow) and not mlflow.endswith(_DATABASES):
            raise ConfigError(f"mlflow = {redact(mlflow)!r} is neither a URI nor an SQLite file: {_EXAMPLES}")


def _check_folder(folder: Path) -> None:
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise ConfigError(
            f"tensorboard = {str(folder)!r} cannot be a folder: {error.strerror}; name another"
        ) from error
    if not there.is_dir():
        raise ConfigError(f"tensorboard = {str(folder)!r}: {there} is a file: name a folder for TensorBoard's files")


def open_tracking(tensorboard: str | os.PathLike[str] | None = None, mlflow: str | None = None) -> Tracking:
    """Returns the trackers of a call; arguments as in :func:`check_tracking`.

    Args:
        tensorboard: folder for TensorBoard; None for none.
        mlflow: tracking URI of MLflow, such as ``sqlite:///mlflow.db`` or ``http://host:5000``; the path of an SQLite file
            (``mlflow.db``) is one, too. None for none.

    Raises:
        ConfigError: a package is missing, the folder cannot be made, or MLflow cannot be reached.
    """
    check_tracking(tensorboard, mlflow)
    trackers: list[Tracker] = []
    if tensorboard is not None:
        from quantsim.tracking.tensorboard import TensorBoard

        try:
            Path(tensorboard).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"tensorboard = {os.fspath(tensorboard)!r} cannot be made: {error.strerror}") from error
        trackers.append(TensorBoard(Path(tensorboard)))
    if mlflow is not None:
        from quantsim.tracking.mlflow import Mlflow

        try:
            trackers.append(Mlflow(mlflow if _URI.fullmatch(mlflow) else f"sqlite:///{mlflow}"))
        except Exception as error:  # of requests, SQLAlchemy and MLflow
            raise ConfigError(
                f"mlflow = {redact(mlflow)!r} cannot be opened: {redact(str(error))}; {_EXAMPLES}"
            ) from error
    return Tracking(trackers)


def _require(package: str, extra: str, option: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"{option} needs {package}, which is not installed: pip install 'quantsim[{extra}]'")
