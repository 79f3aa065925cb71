"""``quantsim optuna``: finds parameters by search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quantsim.commands import completion
from quantsim.commands.options import (
    DEFAULT_STORE,
    From,
    Json,
    Mlflow,
    Quiet,
    RuleFiles,
    Run,
    Settings,
    Storage,
    Store,
    Study,
    TakeOver,
    Tensorboard,
    Verbose,
)
from quantsim.commands.output import note, print_json, say
from quantsim.commands.progress import ProgressLine, reporting
from quantsim.commands.session import place_of, study_storage
from quantsim.commands.starting import StudyOptions, beginning, note_other_prices
from quantsim.limits import MOST_JOBS, MOST_TRIALS

if TYPE_CHECKING:
    from threading import Thread

    from quantsim.api.optimization import Optimization
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment
    from quantsim.drivers.search import SearchProgress, SearchRun
    from quantsim.prices import Prices

__all__ = ["optuna"]

DEFAULT_STUDY = "momentum_fees"


def optuna(
    study: Study = None,
    settings: Settings = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_TRIALS, help="Total number of trials of the study, including failed ones."),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            help="Ends this session after this time; the same command resumes. The same as --set search.max_minutes=N."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_JOBS,
            help="Number of trials that are evaluated at the same time; it does not affect results. Default: all processors.",
        ),
    ] = None,
    backend: Annotated[
        Literal["threads", "dask", "ray"],
        typer.Option(help="Where trials are evaluated: threads of this process, or workers of a Dask or Ray cluster."),
    ] = "threads",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Address of the cluster. Default: a local cluster for this search only."
        ),
    ] = None,
    storage: Storage = None,
    study_name: Annotated[
        str | None,
        typer.Option(help="Name of the Optuna study. Default: the name of the study and a hash of its content."),
    ] = None,
    store: Store = DEFAULT_STORE,
    start: From = None,
    run: Run = None,
    rule_files: RuleFiles = None,
    fix: Annotated[
        list[str] | None,
        typer.Option(
            "--fix",
            metavar="NAME=VALUE",
            autocompletion=completion.parameters,
            help="Fixes a parameter instead of searching it. May be repeated.",
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", metavar="FOLDER", help="Writes HTML pages of the study to this folder.")
    ] = None,
    take_over: TakeOver = False,
    tensorboard: Tensorboard = None,
    mlflow: Mlflow = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Finds parameters by search, with Optuna.

    Each trial evaluates one parameter set on every split. The search maximises the objective on training data. The result is
    chosen on validation data. With --from, stored checkpoints are tried first. To resume an interrupted search, give the same
    command again. `quantsim dashboard` shows the study in the browser.

    The study is that of --study, else with --from that of the first start, else momentum_fees.
    """
    from quantsim.checkpoints.starts import comparable_starts
    from quantsim.commands.display import show_beaten, show_notes, show_run
    from quantsim.commands.study_display import attach_pictures, describe_in_dashboard, show_places, show_study
    from quantsim.commands.validating import show_validation
    from quantsim.report.canvas import import_ahead
    from quantsim.report.study_pages import check_pages
    from quantsim.tracking import check_tracking

    check_tracking(tensorboard, mlflow)
    extra = [f"search.fixed.{one}" for one in fix or ()]
    if max_minutes is not None:
        extra.append(f"search.max_minutes={max_minutes}")
    named = StudyOptions(study, (*(settings or ()), *extra), run, tuple(rule_files or ()))
    if plots is not None:
        check_pages(plots)
    place = ""
    given: dict[str, Any] = {"study_name": study_name, "backend": backend, "address": address}

    def check(experiment: Experiment) -> None:
        nonlocal place
        from quantsim.drivers.search import check_search

        place = study_storage(storage, store)
        check_search(experiment, **given)

    opened = beginning(named, DEFAULT_STUDY, store, start, check, "Trying first")
    with opened as (results, experiment, prices, starts):
        options = {
            "storage": place,
            "jobs": jobs,
            "trials": trials,
            "start": starts,
            "take_over": take_over,
            "tensorboard": tensorboard,
            "mlflow": mlflow,
            **given,
        }
        import_ahead()
        searched = _search(experiment, prices, results, options, quiet)
        done, found = searched.run, searched.best
        stored = results.run(done.run_id)
        show_beaten(found.comparison)
        show_notes(stored.notes)
        note_other_prices(comparable_starts(starts, stored.data_id)[1])
        say(_summary(experiment, done, found.comparison.errors(experiment.objective.name).get("train")))
        if not done.n_new:
            untried = "; the starts of --from were not tried" if starts else ""
            note(f"Note: the study has all its trials, so none was run{untried}. --trials is the total of a study.")
        show_study(experiment, done, place, plots, found.comparison)
        show_run(experiment, found, store)
        validation = show_validation(results, done.run_id, found.checkpoint)
        describe_in_dashboard(experiment, prices, done, place, results.location, found.comparison, validation)
        attach_pictures(experiment, prices, done, place, results.location)
        show_places(experiment, done, results, found.checkpoint, store, own_storage=storage is not None)
        if as_json:
            print_json(searched.to_json(validation))


def _search(
    experiment: Experiment, prices: Prices, store: CheckpointStore, options: dict[str, Any], quiet: bool
) -> Optimization[SearchRun]:
    from quantsim.api.drivers import search
    from quantsim.commands.study_display import naming_take_over
    from quantsim.dashboard.artifacts import compile_pictures

    pictures: Thread | None = None

    def line(progress: SearchProgress) -> ProgressLine:
        return _line(progress, lambda value: _best_text(experiment, value))

    def kept(last: SearchProgress) -> str:
        trials = f"{last.finished} of {last.total} trials"
        return f"{trials}, in the study and in {place_of(store)}. Give the same command again to resume."

    with reporting("trial", line, kept, quiet=quiet) as report, naming_take_over():

        def told(progress: SearchProgress) -> None:
            nonlocal pictures
            if pictures is None:  # trials are drawn on one core, so another one is free
                pictures = compile_pictures(experiment, prices)
            report(progress)

        found = search(experiment, prices, store=store, progress=told, **options)
    if pictures is not None:
        pictures.join()
    return found


def _line(progress: SearchProgress, describe: Callable[[float], str]) -> ProgressLine:
    """Returns the progress of a search, with the best value so far, described by ``describe``."""
    if progress.best_value is None:
        text = "no trial completed yet"
    else:
        text = f"best {describe(progress.best_value)} (trial {progress.best_trial})"
    if progress.pruned:
        text += f", {progress.pruned} pruned"
    if progress.failed:
        text += f", {progress.failed} failed"
    return ProgressLine(progress.finished, progress.total, text)


def _summary(experiment: Experiment, run: SearchRun, error: float | None) -> str:
    text = f"Study {experiment.name!r}: {run.n_trials} trials, {run.seconds:.1f} s"
    if run.stalled:
        text += f", stopped: {experiment.search.patience} trials without a gain"
    elif run.out_of_time:
        text += f", stopped: search.max_minutes = {experiment.search.max_minutes:g} are over; the same command resumes"
    if run.n_pruned:
        text += f", {run.n_pruned} pruned"
    if run.n_failed:
        text += f", {run.n_failed} failed"
    if experiment.search.objectives:
        return f"{text}."
    return f"{text}; best {_best_text(experiment, run.best_value, error)} (trial {run.best_trial})."


def _best_text(experiment: Experiment, value: float, error: float | None = None) -> str:
    """Formats the best value of a search's objective, the first one of several, in digits that its error allows if given."""
    from quantsim.checkpoints.pareto import signed
    from quantsim.objective import shown_value
    from quantsim.report.formats import certain_decimals

    search = experiment.search
    metric, sign = signed((search.objectives or (experiment.objective.name,))[0])
    shown = value if search.overfitting_penalty else shown_value(metric, sign * value)
    text = f"{shown:.4g}" if error is None else f"{shown:.{certain_decimals(error, '')}f}"
    return f"train {metric}{' minus the overfitting penalty' if search.overfitting_penalty else ''} {text}"
