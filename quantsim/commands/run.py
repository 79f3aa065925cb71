"""``quantsim run``: a study, with the driver that it names."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated

import typer

from quantsim.commands.options import DEFAULT_STORE, Quiet, Settings, Storage, Store, Verbose
from quantsim.commands.session import note
from quantsim.errors import ConfigError
from quantsim.limits import MOST_JOBS, MOST_TRIALS

__all__ = ["run"]

_COMMANDS = {"search": "optuna"}
"""Driver → its command, where that is called otherwise."""


def run(
    study: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            show_default=False,
            help="A bundled study, a study file (TOML), or a fingerprint of quantammsim (JSON).",
        ),
    ],
    settings: Settings = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps, of sgd and hybrid.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, max=MOST_TRIALS, help="Trials, of search and hybrid.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Budget of a session of search or hybrid.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=MOST_JOBS, help="Workers of search and hybrid.")] = None,
    store: Store = DEFAULT_STORE,
    storage: Storage = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Runs a study with the driver that it names: gradients (sgd), search, or both in turns (hybrid).

    The key `driver` of a study names it, or the only one of its tables [sgd], [search] and [hybrid]; a fingerprint's `method`
    does. It is then the same as `quantsim sgd`, `quantsim optuna` or `quantsim hybrid` with --study.
    """
    from quantsim.config.driver_choice import driver_of

    driver, reason = driver_of(study, settings or ())
    note(f"Driver: {driver}, {reason}.")
    name = _COMMANDS.get(driver, driver)
    command = getattr(importlib.import_module(f"quantsim.commands.{name}"), name)
    given = {"steps": steps, "trials": trials, "max_minutes": max_minutes, "jobs": jobs, "storage": storage}
    given = {option: value for option, value in given.items() if value is not None}
    if refused := given.keys() - inspect.signature(command).parameters:
        option = min(refused)
        raise ConfigError(f"--{option.replace('_', '-')} {given[option]} is not for the driver {driver}: leave it out")
    command(study=study, settings=settings, store=store, quiet=quiet, verbose=verbose, **given)
