"""``quantsim walk-forward``: trains on one window after another, and tests on the data after each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quantsim.commands import completion
from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Settings, Storage, Store, Study, Verbose
from quantsim.commands.output import note, print_json, say, show
from quantsim.commands.progress import ProgressLine, reporting
from quantsim.commands.session import load_experiment, open_store, place_of
from quantsim.errors import ConfigError
from quantsim.limits import MOST_FOLDS, MOST_JOBS, MOST_TRIALS

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment
    from quantsim.out_of_sample import FoldProgress, Grouping, Schedule, WalkForwardOutcome
    from quantsim.prices import Prices

__all__ = ["walk_forward"]

DEFAULT_STUDY = "momentum_fees"


def walk_forward(
    study: Study = None,
    settings: Settings = None,
    driver: Annotated[
        Literal["search", "sgd", "hybrid", "random", "fixed"],
        typer.Option(help="What trains; random is a search with the random sampler, fixed the study's own parameters."),
    ] = "search",
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,…",
            help="Trains with each of these drivers, on the same folds and with the same number of evaluations.",
        ),
    ] = None,
    scheme: Annotated[
        Literal["rolling", "anchored", "cpcv"],
        typer.Option(
            help=(
                "rolling: training windows of equal length; anchored: all from the same start; cpcv: combinatorial purged "
                "cross-validation."
            )
        ),
    ] = "rolling",
    folds: Annotated[
        int | None, typer.Option(min=1, max=MOST_FOLDS, help="Number of folds. Default without lengths: 4.")
    ] = None,
    train_days: Annotated[float | None, typer.Option(help="Length of a training window.")] = None,
    test_days: Annotated[float | None, typer.Option(help="Length of a test window.")] = None,
    step_days: Annotated[float | None, typer.Option(help="Distance of successive folds. Default: --test-days.")] = None,
    validation_days: Annotated[
        float | None,
        typer.Option(
            help="Length of a validation window, on which the set is selected; 0 for none. Default: the study's share."
        ),
    ] = None,
    groups: Annotated[
        int | None, typer.Option(min=2, max=MOST_FOLDS, help="cpcv: number of groups. Default: 6.")
    ] = None,
    test_groups: Annotated[
        int | None, typer.Option(min=1, max=MOST_FOLDS, help="cpcv: test groups of a split. Default: 2.")
    ] = None,
    purge_days: Annotated[
        float | None, typer.Option(help="cpcv: days next to a test group that do not train. Default: 0.")
    ] = None,
    embargo_days: Annotated[
        float | None,
        typer.Option(
            help="cpcv: days after a test group that do not train. Default: the longest memory that is tried."
        ),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_TRIALS,
            help="Evaluations of the objective in each fold: trials, and gradient steps times sets. Default: the study's.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.methods,
            help="Selection method. Default: best_validation, or best_train without validation.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1, max=MOST_JOBS, help="Folds that are trained at the same time; it does not affect results."),
    ] = 1,
    backend: Annotated[
        Literal["threads", "dask", "ray"],
        typer.Option(help="Where trials of a search are evaluated: threads of this process, or a Dask or Ray cluster."),
    ] = "threads",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Address of the cluster. Default: a local cluster for each fold."),
    ] = None,
    storage: Storage = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Writes a picture: .png, .svg or .pdf.")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Trains on one window after another, and tests on the data after each.

    Each fold is a run of its own. To resume an interrupted walk-forward, give the same command again. The folds cover the
    periods of the study, from the start of training to the end of the last one.
    """
    from quantsim.commands.files import check_files
    from quantsim.out_of_sample import Grouping, Resources, Schedule, check_cross_validation, check_walk_forward

    check_files(plot=plot)
    lengths = _given(
        n_folds=folds, train_days=train_days, test_days=test_days, step_days=step_days, validation_days=validation_days
    )
    grouped = _given(n_groups=groups, n_test_groups=test_groups, purge_days=purge_days, embargo_days=embargo_days)
    trainers = tuple(name.strip() for name in compare.split(",")) if compare else (driver,)
    _check_options(scheme, lengths, grouped, compare, plot)
    if storage is not None:
        from quantsim.storages.location import check_storage

        check_storage(storage)
    experiment = load_experiment(study or DEFAULT_STUDY, settings)
    limits: dict[str, Any] = {"evaluations": evaluations, "method": method}
    resources = Resources(jobs, backend, address, storage)
    if scheme == "cpcv":
        check_cross_validation(experiment, Grouping(**grouped), driver, resources=resources, **limits)
    else:
        check_walk_forward(experiment, Schedule(scheme, **lengths), trainers, resources=resources, **limits)
    prices = experiment.load_prices()  # errors come before a store is made
    options = {**limits, "jobs": jobs, "backend": backend, "address": address, "storage": storage}
    with open_store(store) as results:
        if scheme == "cpcv":
            _cross_validate(experiment, prices, results, Grouping(**grouped), driver, options, quiet, as_json)
        else:
            found = _walk(experiment, prices, results, Schedule(scheme, **lengths), trainers, options, quiet)
            _show_folds(found, as_json=as_json, plot=plot)
        note(f"Folds: {place_of(results)}, a run each.")


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _check_options(
    scheme: str, lengths: dict[str, Any], grouped: dict[str, Any], compare: str | None, plot: Path | None
) -> None:
    others = lengths if scheme == "cpcv" else grouped
    for name, value in others.items():
        option = {"n_folds": "folds", "n_groups": "groups", "n_test_groups": "test-groups"}.get(name, name)
        raise ConfigError(f"--{option.replace('_', '-')} {value} is not for --scheme {scheme}: remove it")
    if compare and not all(name.strip() for name in compare.split(",")):
        raise ConfigError(f"--compare {compare}: a name is empty; give drivers with commas between them")
    if scheme == "cpcv" and compare:
        raise ConfigError(f"--compare {compare} is for the schemes rolling and anchored: remove it, or --scheme cpcv")
    if plot is not None and (scheme == "cpcv" or compare):
        raise ConfigError(f"--plot {plot} draws the folds of one driver: remove it, --compare and --scheme cpcv")


def _walk(
    experiment: Experiment,
    prices: Prices,
    store: CheckpointStore,
    schedule: Schedule,
    trainers: tuple[str, ...],
    options: dict[str, Any],
    quiet: bool,
) -> list[WalkForwardOutcome]:
    from quantsim.api import out_of_sample
    from quantsim.out_of_sample import compare_trainers, walk_forward_outcome

    with _watching(store, quiet=quiet) as report:
        if len(trainers) > 1:
            given = {"trainers": trainers, "progress": report, **options}
            found = list(compare_trainers(experiment, prices, store, schedule, **given).values())
        else:
            lengths = {"folds" if name == "n_folds" else name: value for name, value in vars(schedule).items()}
            given = {"driver": trainers[0], "progress": report, **options, **lengths}
            return [out_of_sample.walk_forward(experiment, prices, store=store, **given).outcome]
    return [walk_forward_outcome(one, prices, store) for one in found]


def _show_folds(found: list[WalkForwardOutcome], *, as_json: bool, plot: Path | None) -> None:
    from quantsim.out_of_sample import compare_outcomes
    from quantsim.report.json_results import files_json
    from quantsim.report.walk_forward import comparison_table, curves_table, folds_table, stability_table

    (first, *others) = found
    if plot is not None:
        from quantsim.commands.files import writing
        from quantsim.report.canvas import save_figure
        from quantsim.report.walk_forward_plot import walk_forward_figure

        with writing(plot):
            save_figure(walk_forward_figure(first), plot)
        note(f"Picture: {plot}")
    if others:
        comparison = compare_outcomes({one.trainer: one for one in found})
        if as_json:
            return print_json(comparison.to_json())
        show(comparison_table(comparison))
        return say(comparison.judgement)
    if as_json:
        return print_json({**first.to_json(), **files_json(plot=plot)})
    for table in (folds_table(first), stability_table(first.parameters), curves_table(first)):
        show(table)
    for text in (first.note, first.judgement):
        if text:
            say(text)
    return None


def _cross_validate(
    experiment: Experiment,
    prices: Prices,
    store: CheckpointStore,
    grouping: Grouping,
    driver: str,
    options: dict[str, Any],
    quiet: bool,
    as_json: bool,
) -> None:
    from quantsim.out_of_sample import paths_outcome, run_cross_validation
    from quantsim.report.walk_forward import paths_table, stability_table

    with _watching(store, quiet=quiet) as report:
        found = run_cross_validation(experiment, prices, store, grouping, trainer=driver, progress=report, **options)
    outcome = paths_outcome(found, prices)
    if as_json:
        return print_json(outcome.to_json())
    note(f"Embargo after each test group: {found.embargo_days:g} days.")
    show(stability_table(outcome.parameters))
    show(paths_table(outcome))
    return say(outcome.judgement)


def _watching(
    store: CheckpointStore, *, quiet: bool
) -> contextlib.AbstractContextManager[Callable[[FoldProgress], None]]:
    """Shows the progress of folds, and adds a note on stored folds to an interrupt."""

    def line(progress: FoldProgress) -> ProgressLine:
        best = "none yet" if progress.best is None else f"{progress.best:.3g}"
        text = f"{progress.trainer}, fold {progress.position}: {progress.done} of {progress.total}, best {best}"
        return ProgressLine(progress.finished, progress.n_folds, text)

    def kept(last: FoldProgress) -> str:
        folds = f"{last.finished} of {last.n_folds} folds of {last.trainer}, and all steps of the others"
        return f"{folds}, in {place_of(store)}. Give the same command again to resume."

    return reporting("fold", line, kept, quiet=quiet)
