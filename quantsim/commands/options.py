"""Options that several commands share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.defaults import DEFAULT_STORE
from quantsim.project import ENVIRONMENT

__all__ = [
    "DEFAULT_STORE",
    "JSON",
    "QUIET",
    "VERBOSE",
    "AsStudy",
    "From",
    "Json",
    "Mlflow",
    "Quiet",
    "RuleFiles",
    "Run",
    "RunKey",
    "RunKeys",
    "Settings",
    "Storage",
    "Store",
    "Study",
    "TakeOver",
    "Tensorboard",
    "Verbose",
    "listed",
]

VERBOSE, JSON, QUIET = "quantsim.verbose", "quantsim.json", "quantsim.quiet"
"""Keys of the context's ``meta`` for -v, --json and --quiet, before or after the name of the command."""


def _remembering(key: str) -> Callable[[typer.Context, bool], bool]:
    """Returns the callback of an option: all commands see whether it was given, wherever it was given."""

    def callback(context: typer.Context, wanted: bool) -> bool:
        if wanted:
            context.meta[key] = True
            if key == VERBOSE:
                logging.getLogger("quantsim").setLevel(logging.INFO)
        return key in context.meta

    return callback


Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_remembering(VERBOSE), help="Log more; show the traceback of an error."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=_remembering(JSON),
        help='Print the result as one JSON document; NaN is null, infinity is "inf" or "-inf".',
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=_remembering(QUIET), help="Print only the result: no progress, no suggestions."
    ),
]


def listed(values: list[str] | None) -> list[str] | None:
    """Splits values at commas: ``--metric a,b`` is ``--metric a --metric b``."""
    if values is None:
        return None
    return [part.strip() for value in values for part in value.split(",")]


Study = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME|FILE",
        autocompletion=completion.studies,
        help="A bundled study, a study file (TOML), or a fingerprint of quantammsim (JSON).",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        autocompletion=completion.settings,
        help="Sets one key of the study, e.g. fees.swap_fee=0.001 or parameters.memory_days=30. May be repeated.",
    ),
]
Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="FILE|URL",
        envvar=ENVIRONMENT["store"],
        help="Checkpoint store: an SQLite file, or a database URL.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="FILE|URL",
        envvar=ENVIRONMENT["storage"],
        help=(
            "Storage of the Optuna study: a journal file (.journal, .log), an SQLite file (.db), a database URL, or "
            "grpc://HOST:PORT. Default: a journal next to the store; for a store on a server, the same database."
        ),
    ),
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="CHECKPOINT|METHOD",
        callback=listed,
        autocompletion=completion.in_list(completion.methods),
        help=(
            "A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, best_train, best_validation, ... Several "
            "with commas."
        ),
    ),
]
RuleFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--rule-file",
        metavar="FILE",
        help=(
            "The file of your own rule or pool in a stored study. Reading a stored study does not run it. It must be the same "
            "file as in the run. May be repeated."
        ),
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        autocompletion=completion.runs,
        help="Select only from this run: the first characters of its id, or its name.",
    ),
]
AsStudy = Annotated[
    bool,
    typer.Option(
        "--as-study",
        help="Use stored parameters in a study that differs from that of their run in what decides metrics.",
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Continue a study whose lease a dead process on another machine still holds."),
]
Tensorboard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", metavar="FOLDER", help="Also writes all results and curves to this folder, for TensorBoard."
    ),
]
Mlflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        metavar="FILE|URI",
        help="Also logs all results and curves to MLflow: an SQLite file (mlflow.db), or a tracking URI.",
    ),
]
RunKey = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        show_default=False,
        autocompletion=completion.runs,
        help="A run: the first characters of its id, the name that you gave it, or newest.",
    ),
]
RunKeys = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        show_default=False,
        callback=listed,
        autocompletion=completion.runs,
        help="Runs: ids, names, or newest.",
    ),
]
