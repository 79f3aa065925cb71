"""Assembles the command line from the commands."""

from __future__ import annotations

import typer

from quantsim import __version__
from quantsim.commands import (
    check,
    convert,
    dashboard,
    export,
    fit_volume,
    grid,
    hybrid,
    imports,
    init,
    optuna,
    prices,
    report,
    robust,
    run,
    runs,
    select,
    sgd,
    simulate,
    space,
    validate,
    walk_forward,
)
from quantsim.commands.group import CommandGroup
from quantsim.commands.options import Json, Quiet, Verbose

__all__ = ["app"]

app = typer.Typer(
    name="quantsim",
    cls=CommandGroup,
    rich_markup_mode="markdown",  # joins the lines of docstrings
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show local variables, and with them passwords
    help=(
        "Simulates AMM pools whose weights follow a strategy, and finds good parameters by gradients and by search. "
        "Every command runs without options, on a bundled study and bundled prices."
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"quantsim {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    pass


app.command("init")(init.init)
app.command("run")(run.run)
app.command("optuna")(optuna.optuna)
app.command("sgd")(sgd.sgd)
app.command("hybrid")(hybrid.hybrid)
app.command("walk-forward")(walk_forward.walk_forward)
app.command("simulate")(simulate.simulate)
app.command("grid")(grid.grid)
app.command("fit-volume")(fit_volume.fit_volume)
app.command("robust")(robust.robust)
app.command("select")(select.select)
app.command("export")(export.export)
app.command("import")(imports.import_results)
app.command("dashboard")(dashboard.dashboard)
app.command("convert")(convert.convert)
app.command("space")(space.space)
app.command("check")(check.check)
app.add_typer(prices.app, name="prices")
app.command("validate")(validate.validate)
app.add_typer(runs.app, name="runs")
app.command("report")(report.report)
