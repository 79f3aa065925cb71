"""Files of volume models, as JSON: what ``quantsim fit-volume`` writes and ``fees.volume_model`` names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from quantsim.errors import ConfigError, reason_of
from quantsim.volume.model import VolumeModel

__all__ = ["read_volume_model", "write_volume_model"]


def write_volume_model(path: str | os.PathLike[str], model: VolumeModel, fit: dict[str, Any] | None = None) -> None:
    """Writes a model to a JSON file, with a report of its fit for readers, which a study does not read.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = json.dumps({"volume_model": model.model_dump(mode="json"), "fit": fit or {}}, indent=1)
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {reason_of(error)}") from error


def read_volume_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the table ``fees.volume_model`` of a file; the study that it becomes part of checks it.

    Raises:
        ConfigError: the file does not exist, cannot be read, or is not one of ``quantsim fit-volume``.
    """
    wrong = f"fees.volume_model = {os.fspath(path)!r}"
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{wrong}: {reason_of(error)}; `quantsim fit-volume TABLE --output FILE` writes one"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{wrong} is not JSON: give a file of `quantsim fit-volume`") from error
    table = values.get("volume_model") if isinstance(values, dict) else None
    if not isinstance(table, dict):
        raise ConfigError(f"{wrong} has no table volume_model: give a file of `quantsim fit-volume`")
    return table
