"""``quantsim report``: makes a report of a stored parameter set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.files import check_files
from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, RuleFiles, Run, Settings, Store, Study, Verbose
from quantsim.commands.output import note, print_json, say
from quantsim.commands.progress import working
from quantsim.commands.session import open_existing_store
from quantsim.commands.starting import StudyOptions

__all__ = ["report"]


def report(
    key: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|CHECKPOINT|METHOD]",
            autocompletion=completion.runs_and_methods,
            help=(
                "A run, of which the best set is taken: its id, its name, or newest; a stored checkpoint, e.g. 3f9c01ab:120:0; "
                "or a selection method: best, best_validation, ..."
            ),
        ),
    ] = "newest",
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file.")] = Path(
        "report.html"
    ),
    tear_sheet: Annotated[
        bool, typer.Option("--tearsheet", help="Adds the tear sheet of quantstats (extra tearsheet).")
    ] = False,
    study: Study = None,
    settings: Settings = None,
    run: Run = None,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes a report of a stored parameter set: one HTML file that needs no network.

    It shows the judgement, value, weights, profit and loss by what it comes from, metrics on every split, months, parameters,
    and the study. docs/report.md describes it. Nothing is stored, and the same store and prices give the same file.
    """
    check_files(other=output)
    from quantsim.api.reporting import make_report
    from quantsim.optuna_private import import_importance

    import_importance()
    options = StudyOptions(study, tuple(settings or ()), run, tuple(rule_files or ()))
    with open_existing_store(store) as results, working("making the report", quiet=quiet):
        found = make_report(results, key, tear_sheet=tear_sheet, **options.stored())
    found.save(output)
    note(f"Report of {found.title}.")
    if as_json:
        print_json({"file": str(output), **found.to_json()})
    say(f"Report: {output}")
