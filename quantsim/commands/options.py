"""Options that several commands share, each with its help."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DEFAULT_STORE",
    "VERBOSE",
    "AsStudy",
    "From",
    "Quiet",
    "RuleFiles",
    "Run",
    "Settings",
    "Storage",
    "Store",
    "Study",
    "TakeOver",
    "Verbose",
]

DEFAULT_STORE = "quantsim-results/checkpoints.db"

VERBOSE = "quantsim.verbose"
"""Key of the context's ``meta`` that says whether -v was given, before or after the command's name."""


def _be_verbose(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.meta[VERBOSE] = True
        logging.getLogger("quantsim").setLevel(logging.INFO)


Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_be_verbose, help="Log what happens; show the traceback of an error."),
]
Study = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME|FILE",
        help="A bundled study, a study file (TOML), or a fingerprint of quantammsim (JSON).",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Changes one key of the study, e.g. fees.swap_fee=0.001 or parameters.memory_days=30. May be repeated.",
    ),
]
Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="FILE|URL",
        envvar="QUANTSIM_STORE",
        help="Checkpoint store: an SQLite file, or a database URL.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="FILE|URL",
        envvar="QUANTSIM_STORAGE",
        help=(
            "Where the Optuna study is kept: a journal file (.journal, .log), an SQLite file (.db), a database URL, or "
            "grpc://HOST:PORT. "
            "Default: a journal beside the store; in the same database for a store on a server."
        ),
    ),
]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="CHECKPOINT|METHOD",
        help="A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, best_train, best_validation, ...",
    ),
]
RuleFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--rule-file",
        metavar="FILE",
        help=(
            "The file of a rule or pool of your own in a stored study, which is not run by being read; it must be the file "
            "that was run then. May be repeated."
        ),
    ),
]
Run = Annotated[
    str | None,
    typer.Option("--run", metavar="ID", help="The only run that a method picks from, by the first of its id."),
]
AsStudy = Annotated[
    bool,
    typer.Option(
        "--as-study",
        help="Take stored parameters into a study that differs from that of their run in what decides the figures.",
    ),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Go on with a study that a process on another machine held and left.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
