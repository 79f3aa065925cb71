"""``quantsim runs``: lists stored runs. Its commands show, compare, label, copy, watch and delete them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Store, Verbose
from quantsim.commands.output import hint, print_json, say, show
from quantsim.commands.runs_changing import delete, note_run, rename_run, tag_run
from quantsim.commands.runs_copying import export_runs, import_runs
from quantsim.commands.runs_reading import compare, show_run, watch_run
from quantsim.commands.session import open_existing_store, place_of
from quantsim.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)

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


_COMMANDS: dict[str, Callable[..., None]] = {
    "show": show_run,
    "compare": compare,
    "tag": tag_run,
    "note": note_run,
    "rename": rename_run,
    "delete": delete,
    "export": export_runs,
    "import": import_runs,
    "watch": watch_run,
}
for _name, _function in _COMMANDS.items():
    app.command(_name)(_function)
