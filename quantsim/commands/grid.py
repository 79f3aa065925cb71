"""``quantsim grid``: evaluates a grid of parameters."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.files import check_files, write_table, writing
from quantsim.commands.options import Json, Quiet, Settings, Study, Verbose, listed
from quantsim.commands.output import note, print_json, say
from quantsim.commands.progress import working
from quantsim.commands.session import load_experiment
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantsim.config import Experiment
    from quantsim.report import Comparison
    from quantsim.simulator.grid import Axis, Cell, Grid

__all__ = ["grid"]

DEFAULT_STUDY = "momentum_zero_fee"
DEFAULT_AXES = ("memory_days=2:100:16:log", "k_per_day=1:200:16:log")


def _verbatim(text: str) -> str:
    """Escapes a text in Markdown, because Typer interprets ``:100:`` as an emoji."""
    return text.replace(":", r"\:")


class Split(enum.StrEnum):
    """The split on which the best cell is chosen."""

    train = "train"
    validation = "validation"
    test = "test"


def grid(
    study: Study = None,
    settings: Settings = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="NAME=LOW:HIGH:N[:log]",
            callback=listed,
            autocompletion=completion.axes,
            help=(
                "A parameter, its range in human units, and the number of values: memory_days=1:120:16:log for all tokens, "
                "memory_days[BTC]=... for one, fast.memory_days=... in a group. Several with commas. Default: "
                f"{_verbatim(' and '.join(DEFAULT_AXES))}."
            ),
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            callback=listed,
            autocompletion=completion.in_list(completion.metrics),
            help="A metric; the first one decides, all are written. Several with commas. Default: those of the study.",
        ),
    ] = None,
    split: Annotated[
        Split, typer.Option(help="The split on which the best cell is chosen, and which is drawn.")
    ] = Split.train,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Writes every cell with its metrics on every split; .csv or .parquet."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draws a heat map of two axes, or a line over one; .png, .svg or .pdf."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Evaluates a grid of parameters on every split, and shows the best cell.

    Parameters without an axis keep the study's value. The best cell is chosen on train, unless --split names another split.
    """
    axes = [_axis(text) for text in axis or DEFAULT_AXES]
    check_files(csv, plot)
    _check_picture(plot, axes)
    experiment = load_experiment(study or DEFAULT_STUDY, settings)
    _check_split(experiment, split)
    from quantsim.metrics import get_metric
    from quantsim.report import compare_cell
    from quantsim.report.grids import failed_cells
    from quantsim.report.json_results import files_json, grid_json
    from quantsim.simulator import Evaluator, evaluate_grid
    from quantsim.simulator.grid import grid_sets

    metrics = tuple(dict.fromkeys(get_metric(name).name for name in metric)) if metric else None
    grid_sets(experiment, axes)  # raises before the prices are read
    prices = experiment.load_prices()
    with working(f"compiling, and evaluating {math.prod(axis.n_points for axis in axes):,} cells", quiet=quiet):
        found = evaluate_grid(experiment, axes, prices, metrics=metrics)
    failed = failed_cells(experiment, found, split.value)
    if failed is not None:
        note(f"Note: {failed}.")
    best = found.best(split=split.value)
    with working("evaluating the baselines", quiet=quiet):
        comparison = compare_cell(Evaluator(experiment, prices), best)
    _show(experiment, found, best, comparison)
    _write_files(experiment, found, best, csv, plot)
    if as_json:
        print_json({**grid_json(experiment, found, best, comparison), **files_json(csv=csv, plot=plot)})


def _axis(text: str) -> Axis:
    from quantsim.simulator.grid import Axis

    name, equals, value = (part.strip() for part in text.partition("="))
    parts = value.split(":")
    log = len(parts) == 4 and parts[3] in ("log", "linear")
    try:
        low, high, n_points = float(parts[0]), float(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        n_points = 0
    if not (name and equals and n_points and (len(parts) == 3 or log)):
        raise ConfigError(
            f"--axis {text!r} must have the form name=low:high:number or name=low:high:number:log, "
            "e.g. memory_days=1:120:16:log"
        )
    return Axis(name, low, high, n_points, log=parts[-1] == "log")


def _check_picture(plot: Path | None, axes: Sequence[Axis]) -> None:
    from quantsim.report.grids import MOST_AXES

    if plot is not None and len(axes) > MOST_AXES:
        raise ConfigError(f"--plot draws one or two axes, not {len(axes)}: remove --plot or an --axis")


def _check_split(experiment: Experiment, split: Split) -> None:
    known = experiment.periods.splits()
    if split.value not in known:
        raise ConfigError(f"study {experiment.name!r} has no {split} period; there are {', '.join(known)}")


def _show(experiment: Experiment, grid: Grid, best: Cell, comparison: Comparison) -> None:
    from quantsim.commands.display import show_beaten, show_comparison, show_notes, show_parameters
    from quantsim.objective import superlative
    from quantsim.report.formats import number_text

    show_beaten(comparison)
    show_notes(grid.notes)
    shape = " x ".join(str(axis.n_points) for axis in grid.axes)
    say(
        f"Study {experiment.name!r}: {experiment.pool.label} on {', '.join(experiment.tokens)}, "
        f"{math.prod(grid.shape):,} cells ({shape})."
    )
    where = ", ".join(f"{name} = {number_text(value)}" for name, value in best.values.items())
    say(f"Best cell: {where}; chosen on {best.chosen_by} data ({superlative(best.metric)} {best.metric}).")
    if best.chosen_by == "test":
        say("Chosen on test data: the test metrics below are not out of sample.", "bold yellow")
    if best.at_end_of:
        note(f"Note: it is at the end of {' and '.join(best.at_end_of)}; values beyond may be better.")
    show_parameters(experiment, best.raw)
    show_comparison(comparison)


def _write_files(experiment: Experiment, grid: Grid, best: Cell, csv: Path | None, plot: Path | None) -> None:
    from quantsim.report.grids import grid_figure, grid_frame

    if csv is not None:
        frame = grid_frame(grid)
        with writing(csv):
            write_table(frame, csv)
        say(f"Cells: {csv} ({len(frame):,} rows)")
    if plot is not None:
        from quantsim.report.canvas import save_figure

        figure = grid_figure(experiment, grid, best)
        with writing(plot):
            save_figure(figure, plot)
        say(f"Plot: {plot}")
