"""``quantsim simulate``: simulates one parameter set, bar by bar."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantsim.commands import completion
from quantsim.commands.chain_options import (
    Arithmetic,
    BlockSeconds,
    MissedUpdates,
    OracleDecimals,
    OracleDelay,
    UpdateDelay,
    UpdateTimes,
    chain_of,
)
from quantsim.commands.files import check_files, write_table, writing
from quantsim.commands.options import (
    DEFAULT_STORE,
    AsStudy,
    Json,
    Quiet,
    RuleFiles,
    Run,
    Settings,
    Store,
    Study,
    Verbose,
)
from quantsim.commands.output import note, print_json, say
from quantsim.commands.progress import working
from quantsim.commands.session import open_existing_store
from quantsim.commands.starting import StudyOptions
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints.starts import Start
    from quantsim.config import Experiment
    from quantsim.simulator import Result

__all__ = ["simulate"]

DEFAULT_STUDY = "momentum_zero_fee"


class Split(enum.StrEnum):
    """The period; ``all`` is one uninterrupted simulation of all splits."""

    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


def simulate(
    study: Study = None,
    settings: Settings = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT|METHOD",
            autocompletion=completion.methods,
            help="A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, ...; with the study of its run.",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            autocompletion=completion.parameters,
            help="A parameter, one value or one per token: memory_days=20 (days), k_per_day=[5,10]. May be repeated.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="The period; all is one uninterrupted simulation.")] = Split.all,
    arithmetic: Annotated[
        Arithmetic, typer.Option(help="Numbers of the weights; contract: the integers of QuantAMM's contracts.")
    ] = Arithmetic.float,
    block_seconds: BlockSeconds = None,
    oracle_delay: OracleDelay = None,
    oracle_decimals: OracleDecimals = None,
    update_delay: UpdateDelay = None,
    missed_updates: MissedUpdates = None,
    update_times: UpdateTimes = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Writes time, value, weights and reserves; .csv or .parquet."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draws value, HODL and weights; .png, .svg or .pdf."),
    ] = None,
    run: Run = None,
    as_study: AsStudy = False,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Simulates one pool with one parameter set: the study's own, a stored one, or the given one.

    Each split starts with a new pool; `all` is one pool over all splits.

    With `--arithmetic contract` the weights are those of the pool's contract, update by update; the output has the difference
    to floating point.
    """
    from quantsim.parameters import replaced

    check_files(csv, plot)
    chain = chain_of(block_seconds, oracle_delay, oracle_decimals, update_delay, missed_updates, update_times)
    options = StudyOptions(study, tuple(settings or ()), run, tuple(rule_files or ()))
    given = dict(_parameter(text) for text in parameters or ())
    stored: Start | None = None
    if start is None:
        experiment = options.own(DEFAULT_STUDY, "--from", as_study=as_study)
        raw = experiment.initial_parameters(given)
    else:
        stored = _stored(store, start, options, as_study=as_study)
        experiment = stored.experiment
        raw = experiment.initial_parameters(replaced(experiment.layout, stored.params, given))
    if split is not Split.all and split not in experiment.periods.splits():
        known = (*experiment.periods.splits(), Split.all.value)
        raise ConfigError(f"study {experiment.name!r} has no {split} period; there are {', '.join(known)}")
    from quantsim.api.simulation import simulate as simulated
    from quantsim.commands.display import show_beaten, show_changed, show_comparison, show_notes, show_parameters
    from quantsim.onchain.simulation import chain_results
    from quantsim.report import compare_simulation, simulated_pool
    from quantsim.report.json_results import files_json, simulation_json
    from quantsim.simulator import Evaluator

    prices = experiment.load_prices()
    evaluator = Evaluator(experiment, prices)
    if stored is not None and not as_study:
        stored.check_prices(evaluator.data_id)
    with working("compiling and simulating", quiet=quiet):
        result = simulated(experiment, raw, prices, split=split.value, arithmetic=arithmetic.value, chain=chain)
        on_chain = result.on_chain
        pool = simulated_pool(evaluator, result, None if on_chain is None else chain_results(evaluator, raw, chain))
        selection = stored.selection if stored is not None and not given else None
        comparison = compare_simulation(evaluator, result, selection, pool)
    show_beaten(comparison)
    show_notes(result.notes)
    say(
        f"Study {experiment.name!r}: {experiment.pool.label} on {', '.join(result.tokens)}, "
        f"{result.times.size:,} bars of {prices.bar_minutes} min; value {result.value[0]:,.0f} to {result.value[-1]:,.0f} "
        f"USD, fee revenue {result.fee_revenue:,.0f} USD."
    )
    if on_chain is not None:
        for problem in on_chain.pool.problems:
            note(f"Note: {problem.text}")
        for line in on_chain.difference.describe():
            say(line)
    show_parameters(experiment, result.params)
    show_comparison(comparison)
    if stored is not None and not as_study and not given:
        show_changed(stored, pool.metrics, experiment.objective.metric)
    _write_files(experiment, result, pool.metrics, csv, plot)
    if as_json:
        contract = {} if on_chain is None else {"contract": on_chain.to_json()}
        files = files_json(csv=csv, plot=plot)
        print_json({**simulation_json(experiment, result, comparison), **contract, **files})


def _stored(store: str, which: str, options: StudyOptions, *, as_study: bool) -> Start:
    from quantsim.checkpoints.finding import start_from

    with open_existing_store(store) as results:
        found = start_from(results, which, as_study=as_study, **options.stored())
    note(f"Simulating {found.describe()}.")
    for line in found.differences():
        note(f"Note: not as in the run: {line}.")
    return found


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    try:
        numbers = [float(number) for number in value.removeprefix("[").removesuffix("]").split(",")]
    except ValueError:
        numbers = []
    if not equals or not numbers:
        raise ConfigError(
            f"--param {text!r} must have the form name=number or name=[number,number], e.g. memory_days=20"
        )
    return name, numbers if len(numbers) > 1 else numbers[0]


def _write_files(
    experiment: Experiment,
    result: Result,
    metrics: Mapping[str, Mapping[str, float]],
    csv: Path | None,
    plot: Path | None,
) -> None:
    from quantsim.report.paths import hodl_values, path_frame

    if csv is not None:
        frame = path_frame(result)
        with writing(csv):
            write_table(frame, csv)
        say(f"Path: {csv} ({len(frame):,} rows)")
    if plot is not None:
        from quantsim.report.plots import pool_figure, save_figure

        figure = pool_figure(experiment, result, hodl_values(result), metrics)
        with writing(plot):
            save_figure(figure, plot)
        say(f"Plot: {plot}")
