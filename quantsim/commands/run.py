"""``quantsim run``: a study, with the driver that it names."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quantsim.commands.options import DEFAULT_STORE, Quiet, Settings, Storage, Store, Verbose
from quantsim.commands.session import note
from quantsim.errors import ConfigError
from quantsim.limits import MOST_JOBS, MOST_TRIALS

__all__ = ["run"]


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
    from quantsim.commands.hybrid import hybrid
    from quantsim.commands.optuna import optuna
    from quantsim.commands.sgd import sgd
    from quantsim.config.driver_choice import driver_of

    driver, reason = driver_of(study, settings or ())
    note(f"Driver: {driver}, {reason}.")
    common: dict[str, Any] = {"study": study, "settings": settings, "store": store, "quiet": quiet, "verbose": verbose}
    searching = {"--trials": trials, "--max-minutes": max_minutes, "--jobs": jobs, "--storage": storage}
    if driver == "sgd":
        _refuse(driver, searching)
        sgd(**common, steps=steps)
    elif driver == "search":
        _refuse(driver, {"--steps": steps})
        optuna(**common, trials=trials, max_minutes=max_minutes, jobs=jobs, storage=storage)
    else:
        if steps is not None:
            common["settings"] = [*(settings or ()), f"hybrid.steps={steps}"]
        hybrid(**common, trials=trials, max_minutes=max_minutes, jobs=jobs, storage=storage)


def _refuse(driver: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value is not None:
            raise ConfigError(f"{option} {value} is not for the driver {driver}: leave it out")
