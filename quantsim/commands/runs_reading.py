"""``quantsim runs show``, ``compare`` and ``watch``, which only read a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Store, Verbose
from quantsim.commands.output import OUT, hint, print_json, say, show
from quantsim.commands.progress import following
from quantsim.commands.session import open_existing_store

if TYPE_CHECKING:
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = ["compare", "show_run", "watch_run"]


def show_run(
    run: Annotated[
        str,
        typer.Argument(
            metavar="[RUN]", autocompletion=completion.runs, help="A run: the first characters of its id, or its name."
        ),
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


def compare(
    first: Annotated[
        str,
        typer.Argument(metavar="A", show_default=False, autocompletion=completion.runs, help="A run, or a checkpoint."),
    ],
    second: Annotated[
        str,
        typer.Argument(metavar="B", show_default=False, autocompletion=completion.runs, help="A run, or a checkpoint."),
    ],
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


def watch_run(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            show_default=False,
            autocompletion=completion.runs,
            help="A run. Default: the newest one that is in progress.",
        ),
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
