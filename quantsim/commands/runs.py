"""``quantsim runs``: lists, shows, labels and deletes stored runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Store, Verbose
from quantsim.commands.session import hint, note, open_existing_store, place_of, print_json, say, show
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.entries import RunEntry

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
Keys = Annotated[list[str], typer.Argument(metavar="RUN...", show_default=False, help="Runs: ids, names, or newest.")]
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
    tag: WithTag = None,
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
        _list(store, as_json, study=study, driver=driver, tag=tag, status=status)
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
        _show_selected(found)


def _show_selected(found: RunDetails) -> None:
    from quantsim.report.run_tables import metrics_table, parameters_of_set

    (result,) = found.results
    if result.checkpoint is None:
        say(f"No set is selected: {result.method}.")
        return
    tokens = found.config.get("pool", {}).get("tokens") or found.config.get("data", {}).get("tokens") or ()
    say(f"Selected {result.checkpoint.key} ({result.method})", "bold")
    show(parameters_of_set(result.checkpoint, tokens))
    show(metrics_table(found, result.checkpoint))
    hint(f"Intervals and differences: quantsim select --run {found.entry.key}")


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
    hint("Intervals ignore the selection: on train and validation data, selected sets look too good.")


@app.command("tag")
def tag_run(
    run: Key,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", show_default=False, help="Tags.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Removes a tag. May be repeated.")
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
    from quantsim.drivers.search.forgetting import delete_runs
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
