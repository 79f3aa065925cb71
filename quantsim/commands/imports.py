"""``quantsim import``: imports results of quantammsim into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Store, Verbose
from quantsim.commands.output import print_json, say
from quantsim.commands.session import open_store, showing_warnings

__all__ = ["import_results"]


def import_results(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", show_default=False, help="Result files of quantammsim, run_….json."),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            help="Price source of the imported study (data.source), because prices are not in the file. Default: bundled.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Imports result files of quantammsim into the store.

    Steps, parameter sets and metrics are those of the file; the study is translated from its configuration. quantammsim
    computed the metrics; `quantsim simulate --from KEY` evaluates a set here. A file is not stored twice.
    """
    imported = [_import(file, store, source) for file in files]
    from quantsim.commands.display import show_next

    show_next(store, "select --method best_train_objective", "simulate --from best_train_objective")
    if as_json:
        print_json({"imported": imported})


def _import(file: Path, store: str, source: str | None) -> dict[str, Any]:
    from quantsim.checkpoints.published import read_results

    with showing_warnings():
        read = read_results(file, source=source)
    with open_store(store) as results:
        is_new = results.add_runs(read.runs)
    experiment, n_checkpoints = read.experiment, sum(len(rows) for _, rows in read.runs)
    ids = ", ".join(run.key for run, _ in read.runs)
    if not is_new:
        say(f"{file} was imported before, as run {ids}: nothing was stored.")
    else:
        say(
            f"Imported {file}: {n_checkpoints:,} checkpoints of {experiment.pool.label} on "
            f"{', '.join(experiment.tokens)}, as run {ids}."
        )
    runs = [run.run_id for run, _ in read.runs]
    return {"file": str(file), "runs": runs, "checkpoints": n_checkpoints, "is_new": is_new}
