"""``quantsim validate``: judges the result of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.files import check_files, writing
from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, RuleFiles, Settings, Store, Study, Verbose, listed
from quantsim.commands.output import print_json, say, show
from quantsim.commands.progress import working
from quantsim.commands.session import load_experiment, open_existing_store
from quantsim.errors import ConfigError

__all__ = ["validate"]


def validate(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            autocompletion=completion.runs,
            help="Runs whose trials count: the first characters of ids, or names. Default: all that compare with the newest.",
        ),
    ] = None,
    study: Study = None,
    settings: Settings = None,
    method: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.methods,
            help="The method that selects, as in `quantsim select`. Default: best_validation.",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            callback=listed,
            autocompletion=completion.in_list(completion.metrics),
            help="The stored metric that selects. Default: the study's objective.",
        ),
    ] = None,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate",
            help=(
                "Evaluates the stored sets again instead of reading their daily returns: for imported runs and those of older "
                "versions."
            ),
        ),
    ] = False,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draws train against validation of all trials, and the ranks of the best out of sample (.png, .svg, .pdf).",
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tests whether luck explains the result of runs.

    Reads the daily returns that are stored with every trial; nothing is run again. Compares with constant weights at the same
    costs. docs/validation.md explains every figure.
    """
    from quantsim.commands.validating import show_short_form
    from quantsim.report.json_results import files_json
    from quantsim.report.validation_text import validation_table
    from quantsim.validation import validate as validated

    check_files(plot=plot)
    if settings and study is None:
        raise ConfigError("--set changes a study: name it with --study")
    given = load_experiment(study, settings) if study is not None else None
    with open_existing_store(store) as results, working("validating", quiet=quiet):
        found = validated(
            results,
            runs or (),
            study=given,
            method=method,
            metrics=metrics or (),
            evaluate=evaluate,
            rule_files=rule_files or (),
        )
    if plot is not None:
        from quantsim.report.canvas import save_figure
        from quantsim.report.validation_plot import validation_figure

        with writing(plot):
            save_figure(validation_figure(found), plot)
    if as_json:
        print_json({**found.to_json(), **files_json(plot=plot)})
        return
    show_short_form(found)
    show(validation_table(found))
    if plot is not None:
        say(f"Picture: {plot}")
