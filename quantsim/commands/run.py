"""``quantsim run``: runs a study with its driver."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.options import DEFAULT_STORE, Json, Mlflow, Quiet, Settings, Storage, Store, Tensorboard, Verbose
from quantsim.commands.output import note
from quantsim.errors import ConfigError
from quantsim.limits import MOST_JOBS, MOST_TRIALS

__all__ = ["run"]

_COMMANDS = {"search": "optuna"}
"""Driver → its command, if they have different names."""


def run(
    study: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            autocompletion=completion.studies,
            show_default=False,
            help="A bundled study, a study file (TOML), or a fingerprint of quantammsim (JSON).",
        ),
    ],
    settings: Settings = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps, for sgd and hybrid.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, max=MOST_TRIALS, help="Trials, for search and hybrid.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Time limit of a session, for search and hybrid.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=MOST_JOBS, help="Parallel evaluations, for search and hybrid.")
    ] = None,
    store: Store = DEFAULT_STORE,
    storage: Storage = None,
    tensorboard: Tensorboard = None,
    mlflow: Mlflow = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Runs a study with its driver: gradients (sgd), search, or both (hybrid).

    The driver is the key `driver` of the study, the only one of its tables [sgd], [search] and [hybrid], or the `method` of a
    fingerprint. The result is the same as with `quantsim sgd`, `quantsim optuna` or `quantsim hybrid` and --study.
    """
    from quantsim.config.driver_choice import driver_of

    driver, reason = driver_of(study, settings or ())
    note(f"Driver: {driver}, {reason}.")
    name = _COMMANDS.get(driver, driver)
    command = getattr(importlib.import_module(f"quantsim.commands.{name}"), name)
    given = {
        "steps": steps,
        "trials": trials,
        "max_minutes": max_minutes,
        "jobs": jobs,
        "storage": storage,
        "tensorboard": tensorboard,
        "mlflow": mlflow,
    }
    given = {option: value for option, value in given.items() if value is not None}
    if refused := given.keys() - inspect.signature(command).parameters:
        option = min(refused)
        raise ConfigError(f"--{option.replace('_', '-')} {given[option]} is not for the driver {driver}: remove it")
    command(study=study, settings=settings, store=store, as_json=as_json, quiet=quiet, verbose=verbose, **given)
