"""``quantsim sgd``: finds parameters by gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantsim.commands.options import (
    DEFAULT_STORE,
    From,
    Json,
    Mlflow,
    Quiet,
    RuleFiles,
    Run,
    Settings,
    Store,
    Study,
    Tensorboard,
    Verbose,
)
from quantsim.commands.output import print_json, say
from quantsim.commands.progress import ProgressLine, reporting
from quantsim.commands.session import place_of
from quantsim.commands.starting import StudyOptions, beginning, note_other_prices, of_search
from quantsim.errors import ConfigError
from quantsim.limits import MOST_SETS

if TYPE_CHECKING:
    from quantsim.api.optimization import Optimization
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment
    from quantsim.drivers.sgd import Progress, SgdRun
    from quantsim.prices import Prices

__all__ = ["sgd"]

DEFAULT_STUDY = "momentum_zero_fee"

DEFAULT_TOP = 8


def sgd(
    study: Study = None,
    settings: Settings = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps; the same as --set sgd.steps=N.")] = None,
    store: Store = DEFAULT_STORE,
    start: From = None,
    from_study: Annotated[
        str | None,
        typer.Option(
            "--from-study",
            metavar="NAME",
            help="Fine-tunes the best parameter sets of a search, by the name of its Optuna study or its experiment.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_SETS,
            help=f"Number of parameter sets of --from-study. Default: {DEFAULT_TOP}. With 1, sets are drawn around it.",
        ),
    ] = None,
    run: Run = None,
    rule_files: RuleFiles = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start a new run, even if there is an unfinished one.")
    ] = False,
    tensorboard: Tensorboard = None,
    mlflow: Mlflow = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Finds parameters by gradient ascent.

    Trains several parameter sets together on windows of the training period, evaluates them on every split, and shows the
    best set on validation data. To resume an interrupted run, give the same command again.

    The study is that of --study, else with --from or --from-study that of the start, else momentum_zero_fee.
    """
    from quantsim.checkpoints.starts import comparable_starts
    from quantsim.commands.display import show_beaten, show_notes, show_run, show_uses
    from quantsim.commands.gains import show_gain
    from quantsim.commands.validating import show_validation
    from quantsim.tracking import check_tracking

    check_tracking(tensorboard, mlflow)
    if from_study is not None and start:
        raise ConfigError(f"--from {start[0]} and --from-study {from_study} both set the start: give one of them")
    if from_study is None and top is not None:
        raise ConfigError(f"--top {top} needs a search: name it with --from-study, or remove --top")
    extra = [] if steps is None else [f"sgd.steps={steps}"]
    options = StudyOptions(study, (*(settings or ()), *extra), run, tuple(rule_files or ()))
    named = start if from_study is None else of_search(options, from_study, top or DEFAULT_TOP)
    with beginning(options, DEFAULT_STUDY, store, named, gradients=True) as (results, experiment, prices, starts):
        given = {"start": starts, "resume": not fresh, "tensorboard": tensorboard, "mlflow": mlflow}
        trained = _train(experiment, prices, results, given, quiet)
        done, found = trained.run, trained.best
        stored = results.run(done.run_id)
        _, others = comparable_starts(starts, stored.data_id)
        show_beaten(found.comparison)
        show_notes(stored.notes)
        say(_summary(experiment, done))
        note_other_prices(others)
        show_run(experiment, found, store)
        if starts:
            show_gain(results, experiment, done.run_id, starts, found.checkpoint)
        validation = show_validation(results, done.run_id, found.checkpoint)
        say(f"Checkpoints: {place_of(results)}, run {stored.key}")
        show_uses(experiment, found.checkpoint.key, store)
        if as_json:
            print_json(trained.to_json(validation))


def _train(
    experiment: Experiment, prices: Prices, store: CheckpointStore, options: dict[str, Any], quiet: bool
) -> Optimization[SgdRun]:
    from quantsim.api.drivers import train

    def kept(last: Progress) -> str:
        steps = f"all checkpoints up to step {last.step} of {experiment.sgd.steps}"
        return f"{steps}, in {place_of(store)}. Give the same command again (without --fresh) to resume."

    with reporting("step", _line, kept, quiet=quiet) as report:
        return train(experiment, prices, store=store, progress=report, **options)


def _line(progress: Progress) -> ProgressLine:
    text = f"best {progress.decides} objective {progress.best:.4g}"
    text += f", train objective {progress.objective:.4g} (median {progress.median:.4g})"
    if progress.step:
        text += (
            f", learning rate {progress.learning_rate:.3g}, gradient {progress.gradient_norm:.3g}, "
            f"{progress.alive} active sets, {progress.steps_per_second:.3g} steps/s"
        )
    return ProgressLine(progress.step, progress.steps, text, progress.seconds_left)


def _summary(experiment: Experiment, run: SgdRun) -> str:
    text = f"Study {experiment.name!r}: {run.steps} steps, {run.seconds:.1f} s"
    if run.resumed_at:
        text += f", resumed at step {run.resumed_at}"
    if run.stopped_early:
        text += ", stopped early: no improvement"
    if run.restarts:
        text += f", {run.restarts} restarts of parameter sets"
    if run.skipped:
        text += f", {run.skipped} updates rejected (not finite)"
    return text + "."
