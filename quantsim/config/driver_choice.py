"""Finds the driver of a study."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import get_args

from quantsim.config.driver_sections import DriverName
from quantsim.config.experiment import Experiment
from quantsim.errors import ConfigError, FingerprintWarning

__all__ = ["driver_of"]

_DRIVERS: tuple[str, ...] = get_args(DriverName)


def driver_of(study: str | os.PathLike[str], overrides: Iterable[str] = ()) -> tuple[str, str]:
    """Returns the driver of a study and the reason: the key ``driver`` names it, or it is the only one with a table.

    Args:
        study: as in :meth:`Experiment.load`; warnings about a fingerprint are not issued here.
        overrides: as in :meth:`Experiment.load`.

    Raises:
        ConfigError: the study does not name a driver, and has tables of several drivers or of none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FingerprintWarning)
        named = Experiment.load(study, overrides).driver
        if named is not None:
            return named, "named in the study"
        given = Experiment.load(study).model_fields_set
    tables = [name for name in _DRIVERS if name in given]
    if len(tables) != 1:
        found = f"tables of {' and '.join(tables)}" if tables else "no table of any"
        raise ConfigError(
            f"study {os.fspath(study)} names no driver and has {found}: add driver = {', '.join(map(repr, _DRIVERS[:-1]))} or "
            f"{_DRIVERS[-1]!r} at its top, use --set driver=..., or use the command of the driver"
        )
    return tables[0], f"the only driver with a table in the study, [{tables[0]}]"
