"""``quantsim runs export`` and ``import``: copies runs from one store to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, RunKeys, Store, Verbose
from quantsim.commands.output import note, print_json, say
from quantsim.commands.session import open_existing_store, open_store

if TYPE_CHECKING:
    from quantsim.drivers.search.transfer import Transferred

__all__ = ["export_runs", "import_runs"]

TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Copy runs that dead processes on other machines left as running, too.")
]


def export_runs(
    runs: RunKeys,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE|URL", show_default=False, help="The store to copy to, such as runs.db."
        ),
    ],
    take_over: TakeOver = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Copies runs to another store, with checkpoints, daily returns, baselines, states and labels.

    Runs that belong together are copied together. Optuna studies are copied to a journal beside a store in a file, so that
    searches can be resumed there: send both files.
    """
    from quantsim.checkpoints.redact import redact
    from quantsim.drivers.search.transfer import export_runs as exported

    with open_existing_store(store, migrate=False) as results:
        copied = exported(results, runs, output, take_over=take_over)
    _say_copied(copied, as_json, f"to {redact(output)}")


def import_runs(
    source: Annotated[str, typer.Argument(metavar="FILE|URL", show_default=False, help="The store to copy from.")],
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False, help="Runs there. Default: all.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace runs that are stored with other content, such as fewer steps.")
    ] = False,
    take_over: TakeOver = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Copies runs from another store. Its content is checked, and nothing of it is run.

    Optuna studies are copied if the journal beside that store has them.
    """
    from quantsim.checkpoints.redact import redact
    from quantsim.checkpoints.runs.transfer import opened_source
    from quantsim.drivers.search.transfer import import_runs as imported

    with opened_source(source), open_store(store) as results:  # the first, before the other is created
        copied = imported(results, source, runs or None, replace=replace, take_over=take_over)
    _say_copied(copied, as_json, f"from {redact(source)}")


def _say_copied(copied: Transferred, as_json: bool, where: str) -> None:
    if as_json:
        print_json(copied.to_json())
        return
    for entries, what in ((copied.added, "Copied"), (copied.known, "There already, so not copied")):
        if len(entries):
            sets = sum(entry.checkpoints for entry in entries)
            say(f"{what} {where}: {', '.join(entry.key for entry in entries)} ({sets:,} sets).")
    for name, place in copied.studies.items():
        say(f"Optuna study {name}: {place}.")
    for name, reason in copied.left.items():
        note(f"Note: the Optuna study {name} is not copied: {reason}.")
    if not len(copied.added) + len(copied.known):
        say("No run is stored there.")
