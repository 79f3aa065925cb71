"""The file of a volume model, whose content becomes part of the study: a stored study needs no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantsim.volume.file import read_volume_model

__all__ = ["with_volume_model"]


def with_volume_model(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tables of a study with the table of its volume model in place of a file's path.

    Raises:
        ConfigError: there is no such file, or it is not one of ``quantsim fit-volume``.
    """
    fees = values.get("fees")
    if not isinstance(fees, Mapping) or not isinstance(path := fees.get("volume_model"), str):
        return dict(values)
    return {**values, "fees": {**fees, "volume_model": read_volume_model(path)}}
