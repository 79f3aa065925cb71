"""``quantsim runs tag``, ``note``, ``rename`` and ``delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, RunKey, RunKeys, Store, Verbose, listed
from quantsim.commands.output import note, print_json, say, show
from quantsim.commands.session import open_existing_store
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints.runs.entries import RunEntry

__all__ = ["delete", "note_run", "rename_run", "tag_run"]


def tag_run(
    run: RunKey,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="[TAG]...", show_default=False, callback=listed, help="Tags.")
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="TAG", callback=listed, help="Removes tags; several with commas."),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Adds tags to a run, and removes others."""
    with open_existing_store(store) as results:
        entry = results.tag(run, tags or (), remove=remove or ())
    _say_entry(entry, as_json, f"Tags of {entry.key}: {', '.join(entry.tags) or 'none'}.")


def note_run(
    run: RunKey,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", show_default=False, help="The note. Without it, the note is shown."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Removes the note.")] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes a note on a run in place of an earlier one, or shows it."""
    if remove and text is not None:
        raise ConfigError("give a note, or --remove, not both")
    with open_existing_store(store) as results:
        entry = results.entry(run) if text is None and not remove else results.annotate(run, text)
    _say_entry(entry, as_json, entry.note or f"Run {entry.key} has no note.")


def rename_run(
    run: RunKey,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False, help="The new name.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Removes the name; the run is called as its study.")] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Gives a run a name, by which other commands of `quantsim runs` find it."""
    if remove == (name is not None):
        raise ConfigError("give a name, or --remove")
    with open_existing_store(store) as results:
        entry = results.rename(run, name)
    _say_entry(entry, as_json, f"Run {entry.key} is called {entry.name}.")


def delete(
    runs: RunKeys,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Delete a run that a dead process on another machine left as running.")
    ] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Deletes runs with all their results, and the Optuna studies of their searches. Runs in progress are refused."""
    from quantsim.checkpoints.runs.entries import RunList
    from quantsim.drivers.search.deletion import delete_runs
    from quantsim.report.run_tables import runs_table

    with open_existing_store(store) as results:
        if not yes and as_json:
            raise ConfigError("--json asks nothing: add --yes")
        if not yes:
            show(runs_table(RunList({entry.run_id: entry for entry in map(results.entry, runs)}.values())))
            typer.confirm("Delete these runs with all their results?", abort=True, err=True)
        found = delete_runs(results, runs, take_over=take_over)
    if as_json:
        print_json({"deleted": found.runs.to_json(), "studies": list(found.studies), "kept_studies": found.kept})
        return
    sets = sum(entry.checkpoints for entry in found.runs)
    say(f"Deleted {', '.join(entry.key for entry in found.runs)}: {sets:,} sets.")
    for name, reason in found.kept.items():
        note(f"Note: the Optuna study {name} is kept: {reason}")


def _say_entry(entry: RunEntry, as_json: bool, text: str) -> None:
    if as_json:
        print_json(entry.to_json())
    else:
        say(text)
