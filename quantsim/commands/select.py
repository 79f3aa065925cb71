"""``quantsim select``: selects stored checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, RuleFiles, Settings, Store, Study, Verbose, listed
from quantsim.commands.output import note, print_json, say
from quantsim.commands.progress import working
from quantsim.commands.session import load_experiment, open_existing_store
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint
    from quantsim.checkpoints.picking import Pick
    from quantsim.report import Comparison

__all__ = ["select"]


def select(
    method: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.methods,
            help=(
                "best_validation (default with validation data), plateau, validation_lower, train_and_validation, consistent, "
                "best_train, last, best_train_per_set; for several metrics: balanced (default if the search has several "
                "objectives), pareto_front; with test data: best_test, best_train_min_test, best_test_min_train. The load "
                "methods of quantammsim are also accepted (docs/fingerprints.md)."
            ),
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            callback=listed,
            autocompletion=completion.in_list(completion.metrics),
            help=(
                "The stored metric to maximise. Default: the study's objective. For balanced and pareto_front give at least "
                "two, with --metric=-NAME to minimise one. Default: search.objectives."
            ),
        ),
    ] = None,
    split_minimum: Annotated[
        float | None,
        typer.Option(
            "--split-minimum",
            help=(
                "For best_train_min_test and best_test_min_train: minimum of the metric on the other split, in its unit. "
                "Default: 0."
            ),
        ),
    ] = None,
    study: Study = None,
    settings: Settings = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            autocompletion=completion.runs,
            help="Only this run: the first characters of its id, or its name.",
        ),
    ] = None,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Selects the best stored checkpoint of all drivers.

    Compares all runs of the newest run's study, of --study, or only --run. They have the same prices, periods, pool, updates
    and fees; metrics of other runs are not comparable.
    """
    from quantsim.checkpoints.picking import pick
    from quantsim.commands.validating import show_validation_of
    from quantsim.report import compare_selection
    from quantsim.report.json_results import selection_json

    given = load_experiment(study, settings) if study is not None else None
    if settings and study is None:
        raise ConfigError("--set changes a study: name it with --study")
    with open_existing_store(store) as results:
        with working("selecting", quiet=quiet):
            picked = pick(
                results,
                method,
                study=given,
                run=run,
                metrics=metrics or (),
                minimum=split_minimum,
                rule_files=rule_files or (),
            )
            comparisons = compare_selection(results, picked.experiment, picked.selection)
        if picked.n_others:
            count = "1 other run is" if picked.n_others == 1 else f"{picked.n_others} other runs are"
            note(f"Note: {count} not comparable with the newest one; use --study or --run to select from them.")
        if as_json:
            print_json(selection_json(picked, comparisons))
            return
        _show(picked, comparisons, store)
        if len(picked.selection.checkpoints) == 1:
            show_validation_of(results, picked)


def _show(picked: Pick, comparisons: Sequence[Comparison], store: str) -> None:
    from quantsim.commands.display import show_beaten, show_caution, show_checkpoint, show_selection

    experiment, runs, selection = picked.experiment, picked.runs, picked.selection
    if len(comparisons) == 1:
        show_beaten(comparisons[0])
    count = f"{len(runs)} runs" if len(runs) > 1 else f"run {runs[0].key}"
    say(f"Study {experiment.name!r}: {experiment.pool.label} on {', '.join(experiment.tokens)}, {count}.")
    for caution in experiment.cautions:
        show_caution(caution)
    show_selection(selection)
    for line in picked.prices_notes:
        note(f"Note: {line}.")
    for checkpoint, comparison in zip(selection.checkpoints, comparisons, strict=True):
        if len(selection.checkpoints) > 1:
            say(f"\nCheckpoint {checkpoint.key}, parameter set {checkpoint.parameter_set}")
            show_beaten(comparison)
        show_checkpoint(experiment, checkpoint, comparison, store)
    _show_raw(selection.checkpoints)


def _show_raw(checkpoints: Sequence[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        say(f"Raw parameters of {checkpoint.key}:")
        for name, values in checkpoint.raw.items():
            say(f"  {name} = {list(values)}")
