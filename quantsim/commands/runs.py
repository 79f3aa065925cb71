"""``quantsim runs``: lists, shows, compares, labels, copies, watches and deletes stored runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Store, Verbose, listed
from quantsim.commands.progress import following
from quantsim.commands.session import (
    OUT,
    hint,
    note,
    open_existing_store,
    open_store,
    place_of,
    print_json,
    say,
    show,
)
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.entries import RunEntry
    from quantsim.checkpoints.runs.transfer import Copied
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)

Key = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        show_default=False,
        help="A run: the first characters of its id, the name that you gave it, or newest.",
    ),
]
Keys = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", show_default=False, callback=listed, help="Runs: ids, names, or newest."),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Copy runs that dead processes on other machines left as running, too.")
]
OfStudy = Annotated[
    str | None, typer.Option("--study", metavar="NAME", help="Only runs of this study, or with this name.")
]
OfDriver = Annotated[str | None, typer.Option("--driver", help="Only runs of this driver: search, sgd, hybrid, ...")]
WithTag = Annotated[str | None, typer.Option("--tag", help="Only runs with this tag.")]
WithStatus = Annotated[
    Literal["running", "finished", "interrupted", "failed"] | None,
    typer.Option("--status", help="Only runs with this status. A run whose process was killed is interrupted."),
]


@app.callback()
def runs(
    context: typer.Context,
    study: OfStudy = None,
    driver: OfDriver = None,
    with_tag: WithTag = None,  # not "tag": defaults of the command of this name would count for it
    status: WithStatus = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lists stored runs, the newest first.

    The folds of a walk-forward count as one run, and so do the phases of a hybrid run. The commands below show,
    compare, label, delete and copy runs.
    """
    if context.invoked_subcommand is None:
        _list(store, as_json, study=study, driver=driver, tag=with_tag, status=status)
        return
    own = context.params.keys() - {"as_json", "quiet", "verbose"}  # which may stand anywhere
    sources = filter(None, map(context.get_parameter_source, own))
    if any(source.name == "COMMANDLINE" for source in sources):
        command = f"quantsim runs {context.invoked_subcommand}"
        raise ConfigError(f"options of `{command}` come after it: write `{command} ...`")


@app.command("list")
def list_runs(
    study: OfStudy = None,
    driver: OfDriver = None,
    tag: WithTag = None,
    status: WithStatus = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lists stored runs, the newest first."""
    _list(store, as_json, study=study, driver=driver, tag=tag, status=status)


def _list(store: str, as_json: bool, **wanted: Any) -> None:
    from quantsim.report.run_tables import runs_legend, runs_table

    with open_existing_store(store, migrate=False) as results:
        found = results.runs(**wanted)
    if as_json:
        print_json({"store": place_of(results), "runs": found.to_json()})
    elif not len(found):
        say("No run matches." if any(wanted.values()) else "No run is stored.")
    else:
        show(runs_table(found))
        hint(runs_legend(found))


@app.command("show")
def show_run(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run: the first characters of its id, or its name.")
    ] = "newest",
    whole_study: Annotated[bool, typer.Option("--study", help="Print the whole study, as TOML.")] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Shows a run: its study, the selected set, and its metrics beside the baselines."""
    from quantsim.report.run_tables import facts_table, folds_table, run_text, study_text

    with open_existing_store(store, migrate=False) as results:
        found = results.details(run)
    if as_json:
        print_json(found.to_json())
        return
    if whole_study:
        from quantsim.config.toml_text import toml_text

        typer.echo(toml_text(found.config), nl=False)
        return
    say(found.entry.name, "bold")
    show(facts_table((*run_text(found.entry), *study_text(found.config))))
    if found.entry.folds:
        show(folds_table(found))
    else:
        _show_selected(found, store)


def _show_selected(found: RunDetails, store: str) -> None:
    from quantsim.commands.display import show_next
    from quantsim.report.run_tables import metrics_table, parameters_of_set

    (result,) = found.results
    if result.checkpoint is None:
        say(f"No set is selected: {result.method}.")
        return
    tokens = found.config.get("pool", {}).get("tokens") or found.config.get("data", {}).get("tokens") or ()
    say(f"Selected {result.checkpoint.key} ({result.method})", "bold")
    show(parameters_of_set(result.checkpoint, tokens))
    show(metrics_table(found, result.checkpoint))
    show_next(store, f"select --run {found.entry.key}", f"report {found.entry.key}")


@app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", show_default=False, help="A run, or a checkpoint.")],
    second: Annotated[str, typer.Argument(metavar="B", show_default=False, help="A run, or a checkpoint.")],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compares two results: studies, parameters, metrics, and daily returns on the same days. Says what does not compare.

    A run stands for its selected set. Folds of a walk-forward compare with folds, on the test data of all.
    """
    from quantsim.report.run_tables import comparison_of_runs

    with open_existing_store(store, migrate=False) as results:
        found = results.compare(first, second)
    if as_json:
        print_json(found.to_json())
        return
    for part in comparison_of_runs(found):
        show(part)
    hint("Intervals ignore the selection: on the data used for it, they look too good.")


@app.command("tag")
def tag_run(
    run: Key,
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


@app.command("note")
def note_run(
    run: Key,
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


@app.command("rename")
def rename_run(
    run: Key,
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


@app.command("delete")
def delete(
    runs: Keys,
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


@app.command("export")
def export_runs(
    runs: Keys,
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

    Runs that belong together are copied together. Optuna studies are not copied: there, a search cannot be resumed.
    """
    from quantsim.checkpoints.redact import redact

    with open_existing_store(store, migrate=False) as results:
        copied = results.export_runs(runs, output, take_over=take_over)
    _say_copied(copied, as_json, f"to {redact(output)}")


@app.command("import")
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
    """Copies runs from another store. Its content is checked, and nothing of it is run."""
    from quantsim.checkpoints.redact import redact
    from quantsim.checkpoints.runs.transfer import opened_source

    with opened_source(source), open_store(store) as results:  # the first, before the other is created
        copied = results.import_runs(source, runs or None, replace=replace, take_over=take_over)
    _say_copied(copied, as_json, f"from {redact(source)}")


def _say_copied(copied: Copied, as_json: bool, where: str) -> None:
    if as_json:
        print_json({"added": copied.added.to_json(), "known": copied.known.to_json()})
        return
    for entries, what in ((copied.added, "Copied"), (copied.known, "There already, so not copied")):
        if len(entries):
            sets = sum(entry.checkpoints for entry in entries)
            say(f"{what} {where}: {', '.join(entry.key for entry in entries)} ({sets:,} sets).")
    if not len(copied.added) + len(copied.known):
        say("No run is stored there.")


@app.command("watch")
def watch_run(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", show_default=False, help="A run. Default: the newest one that is in progress."),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between two looks.")] = 2.0,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Follows a run until it ends: progress, the best so far, time left.

    Works from any process and machine that can read the store. On a terminal it shows a bar, else a line for each change.
    Ctrl-C ends watching, not the run.
    """
    from quantsim.report.run_tables import progress_text

    silent = as_json or quiet
    last: RunProgress | None = None
    try:
        with open_existing_store(store, read_only=True) as results, following(silent=silent) as follow:
            for last in results.watch(run, interval_s=interval):
                follow(last)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note("The run goes on.")
        raise
    if last is not None and as_json:
        print_json(last.to_json())
    elif last is not None and (silent or OUT.is_terminal):
        say(progress_text(last))


def _say_entry(entry: RunEntry, as_json: bool, text: str) -> None:
    if as_json:
        print_json(entry.to_json())
    else:
        say(text)
