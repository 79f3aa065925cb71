"""``quantsim simulate``: what one parameter set does, bar by bar."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantsim.commands.files import check_files, write_table, writing
from quantsim.commands.options import DEFAULT_STORE, AsStudy, RuleFiles, Run, Settings, Store, Study, Verbose
from quantsim.commands.session import load_experiment, note, say
from quantsim.commands.wanted import Wanted
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.commands.starts import Start
    from quantsim.config import Experiment
    from quantsim.prices import Prices
    from quantsim.simulator import Result

__all__ = ["simulate"]

DEFAULT_STUDY = "momentum_zero_fee"


class Split(enum.StrEnum):
    """What to simulate; ``all`` is one uninterrupted run over every split."""

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
            help="A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, ...; with the study of its run.",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="A parameter, one value or one per token: memory_days=20 (days), k_per_day=[5,10] (per day). Repeatable.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="The period; all is one uninterrupted run.")] = Split.all,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Writes time, value, weights and reserves; .csv or .parquet."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draws value against HODL, and weights; .png, .svg or .pdf."),
    ] = None,
    run: Run = None,
    as_study: AsStudy = False,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    verbose: Verbose = False,
) -> None:
    """Simulates one pool with one parameter set: the study's own, a stored one, or the one given.

    Metrics of a split are those of a fresh pool at its start; `all` is one pool over the whole.
    """
    check_files(csv, plot)
    wanted = Wanted(study, tuple(settings or ()), run, tuple(rule_files or ()), as_study)
    experiment, raw, stored = _experiment_and_parameters(wanted, start, parameters or (), store)
    if split is not Split.all and split not in experiment.periods.splits():
        known = (*experiment.periods.splits(), Split.all.value)
        raise ConfigError(f"study {experiment.name!r} has no {split} period; there are {', '.join(known)}")
    from quantsim.commands.candidates import check_same_prices
    from quantsim.commands.outcome import show_changed, show_metrics, show_notes, show_parameters
    from quantsim.simulator import Evaluator
    from quantsim.simulator import simulate as simulated

    prices = experiment.load_prices()
    evaluator = Evaluator(experiment, prices)
    if stored is not None:
        check_same_prices(evaluator.data_id, stored.run.data_id)
    result = simulated(experiment, raw, prices, split=split.value)
    metrics = {split.value: result.metrics}
    if split is Split.all:
        metrics = {**evaluator.evaluate(raw), **metrics}
    show_notes(result.notes)
    say(
        f"Study {experiment.name!r}: {experiment.pool.strategy_name} on {', '.join(result.tokens)}, "
        f"{result.times.size:,} bars of {prices.bar_minutes} min; value {result.value[0]:,.0f} to {result.value[-1]:,.0f} "
        f"USD, fee revenue {result.fee_revenue:,.0f} USD."
    )
    show_parameters(experiment, result.params)
    show_metrics(experiment, metrics)
    if stored is not None and not parameters:
        show_changed(stored.checkpoint, metrics, experiment.objective.metric)
    _write_files(experiment, result, prices, metrics, csv, plot)


def _experiment_and_parameters(
    wanted: Wanted, start: str | None, parameters: Iterable[str], store: str
) -> tuple[Experiment, dict[str, Any], Start | None]:
    """The experiment, the complete raw parameters to simulate, and the stored set whose figures must come out again."""
    from quantsim.checkpoints.checkpoint import IMPORTED
    from quantsim.commands.starts import follow
    from quantsim.parameters import replaced

    given = dict(_parameter(text) for text in parameters)
    if start is None:
        wanted.check_unused("--from")
        experiment = load_experiment(wanted.study or DEFAULT_STUDY, wanted.settings)
        return experiment, experiment.initial_parameters(given), None
    experiment, found = follow(start, wanted, store)
    note(f"Simulating {found.describe()}.")
    changed = found.differences(experiment)
    for line in changed:
        note(f"Note: not as in the run: {line}.")
    raw = experiment.initial_parameters(replaced(experiment.layout, found.raw_for(experiment), given))
    unknown = wanted.as_study or found.run.driver == IMPORTED  # of imported results the prices are not known
    return experiment, raw, None if unknown else found


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
    prices: Prices,
    metrics: dict[str, dict[str, float]],
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
