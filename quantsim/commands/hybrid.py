"""``quantsim hybrid``: alternates a search and gradient training of its best trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantsim.commands.options import (
    DEFAULT_STORE,
    Json,
    Mlflow,
    Quiet,
    Settings,
    Storage,
    Store,
    Study,
    TakeOver,
    Tensorboard,
    Verbose,
)
from quantsim.commands.output import print_json, say, show
from quantsim.commands.progress import ProgressLine, reporting
from quantsim.commands.session import load_experiment, open_store, place_of, study_storage
from quantsim.commands.starting import compile_ahead
from quantsim.limits import MOST_JOBS

if TYPE_CHECKING:
    from quantsim.api.optimization import Optimization
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment
    from quantsim.drivers.hybrid import HybridProgress, HybridRun
    from quantsim.prices import Prices

__all__ = ["hybrid"]

DEFAULT_STUDY = "momentum_fees"

_STOPS = {
    "rounds": "all rounds are done; --rounds adds more",
    "no gain": "the last round did not increase the best train objective by more than hybrid.min_gain",
    "nothing new": "there is no trial left to fine-tune",
    "evaluations": "the next phase does not fit into hybrid.max_evaluations; increase it to continue",
    "minutes": "hybrid.max_minutes are over; the same command resumes the run",
}


def hybrid(
    study: Study = DEFAULT_STUDY,
    settings: Settings = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Largest number of rounds; the same as --set hybrid.rounds=N.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="New trials of the search per round.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Gradient steps per trial; the same as --set hybrid.steps=N.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Number of trials that are fine-tuned per round.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Ends this session after this time; the same command resumes the run.")
    ] = None,
    max_evaluations: Annotated[
        int | None, typer.Option(min=1, help="Total budget: trials, plus gradient steps times parameter sets.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_JOBS,
            help="Number of trials that are evaluated at the same time; it does not affect results. Default: all processors.",
        ),
    ] = None,
    storage: Storage = None,
    store: Store = DEFAULT_STORE,
    take_over: TakeOver = False,
    tensorboard: Tensorboard = None,
    mlflow: Mlflow = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Finds parameters by alternating search and gradients.

    Each round searches, trains the best trials by gradients, chooses from the results on validation data, and adds them as
    trials to the search, with fees, so that it learns from them. It ends if a round does not help. To resume an interrupted
    run, give the same command again. With more rounds, a finished run continues.
    """
    from quantsim.commands.display import show_beaten, show_notes, show_run
    from quantsim.commands.gains import show_tuned
    from quantsim.commands.study_display import describe_in_dashboard, show_places
    from quantsim.commands.validating import show_validation
    from quantsim.objective import unit_of
    from quantsim.report import gains_table
    from quantsim.tracking import check_tracking

    check_tracking(tensorboard, mlflow)
    given = {
        "rounds": rounds,
        "trials": trials,
        "steps": steps,
        "top": top,
        "max_minutes": max_minutes,
        "max_evaluations": max_evaluations,
    }
    extra = [f"hybrid.{key}={value}" for key, value in given.items() if value is not None]
    experiment = load_experiment(study or DEFAULT_STUDY, [*(settings or ()), *extra])
    compile_ahead(experiment, gradients=True)
    place = study_storage(storage, store)
    prices = experiment.load_prices()  # errors come before a store is made
    with open_store(store) as results:
        options: dict[str, Any] = {
            "storage": place,
            "jobs": jobs,
            "take_over": take_over,
            "tensorboard": tensorboard,
            "mlflow": mlflow,
        }
        done = _run(experiment, prices, results, options, quiet)
        run, found = done.run, done.best
        show_beaten(found.comparison)
        show_notes(results.run(run.run_id).notes)
        say(_summary(experiment, run))
        if run.phases:
            name = experiment.objective.name
            show(gains_table(run.phases, name, unit_of(name), found.comparison.errors(name)))
        show_run(experiment, found, store)
        if any(phase.kind == "gradients" for phase in run.phases):
            show_tuned(results, experiment, found.checkpoint, run.tuned_from)
        validation = show_validation(results, run.run_id, found.checkpoint)
        describe_in_dashboard(experiment, prices, run, place, results.location, found.comparison, validation)
        show_places(experiment, run, results, found.checkpoint, store, own_storage=storage is not None)
        if as_json:
            print_json(done.to_json(validation))


def _run(
    experiment: Experiment, prices: Prices, store: CheckpointStore, options: dict[str, Any], quiet: bool
) -> Optimization[HybridRun]:
    from quantsim.api import drivers
    from quantsim.commands.study_display import naming_take_over

    def kept(last: HybridProgress) -> str:
        done = f"round {last.round} up to evaluation {last.done} of {last.total} of its {_WORDS[last.kind]}"
        return f"{done}, in the study and in {place_of(store)}. Give the same command again to resume."

    with reporting("evaluation", _line, kept, quiet=quiet) as report, naming_take_over():
        return drivers.hybrid(experiment, prices, store=store, progress=report, **options)


_WORDS = {"search": "search", "gradients": "fine-tuning"}


def _line(progress: HybridProgress) -> ProgressLine:
    best = "none yet" if progress.best is None else f"{progress.best:.4g}"
    text = f"best train objective {best}, round {progress.round} of at most {progress.rounds}, {_WORDS[progress.kind]}"
    return ProgressLine(progress.done, progress.total, text)


def _summary(experiment: Experiment, run: HybridRun) -> str:
    text = f"Study {experiment.name!r}: {run.trials} trials, {run.evaluations} evaluations with gradient steps"
    return f"{text}, {run.seconds:.1f} s. It ended: {_STOPS[run.stopped]}."
