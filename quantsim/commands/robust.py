"""``quantsim robust``: a parameter set under variations of parameters, prices, start and costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands import completion
from quantsim.commands.files import check_files, writing
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
    listed,
)
from quantsim.commands.output import note, print_json, say, show
from quantsim.commands.session import open_existing_store
from quantsim.commands.starting import StudyOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quantsim.config import Experiment
    from quantsim.robustness import Robustness, Variations
    from quantsim.simulator import Evaluator

__all__ = ["robust"]

DEFAULT_STUDY = "momentum_fees"


KINDS = ("neighbours", "price_noise", "resampled_prices", "shifted_starts", "costs")


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def robust(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHECKPOINT|METHOD]",
            autocompletion=completion.methods,
            show_default=False,
            help="A stored checkpoint, e.g. 3f9c01ab:120:0, or a selection method: best, ... Default: the study's parameters.",
        ),
    ] = None,
    study: Study = None,
    settings: Settings = None,
    number: Annotated[int, typer.Option("--variations", metavar="N", help="Variations of each kind.")] = 100,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            callback=listed,
            autocompletion=completion.in_list(_kinds),
            help=f"Only this kind of variations: {', '.join(KINDS)}. Several with commas.",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            callback=listed,
            autocompletion=completion.in_list(completion.metrics),
            help="A metric; the first one decides. Several with commas. Default: that of the objective, and returns.",
        ),
    ] = None,
    radius: Annotated[
        float,
        typer.Option(help="Largest distance of neighbouring parameters, in raw units (logits, binary logarithms)."),
    ] = 0.5,
    price_noise: Annotated[float, typer.Option(help="Standard deviation of the noise on log prices.")] = 0.001,
    block_days: Annotated[float, typer.Option(help="Mean length of resampled blocks, in days.")] = 10.0,
    shift_days: Annotated[float, typer.Option(help="Latest start after the beginning of a split, in days.")] = 30.0,
    cost_factor: Annotated[float, typer.Option(help="Largest factor on the costs of the study.")] = 2.0,
    arb_fee: Annotated[
        float, typer.Option(help="Highest arbitrage cost where the study has none; 0.001 is 0.1 %.")
    ] = 0.001,
    gas_cost_usd: Annotated[
        float, typer.Option(help="Highest cost per trade, in USD, where the study has none.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the variations.")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draws the percentiles; .png, .svg or .pdf.")
    ] = None,
    run: Run = None,
    as_study: AsStudy = False,
    rule_files: RuleFiles = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Shows how a result changes if its parameters, the prices, the start or the costs change a little.

    Constant weights with the same costs are shown under the same variations.
    """
    check_files(plot=plot)
    from quantsim.report.json_results import files_json
    from quantsim.robustness import Variations, check_request
    from quantsim.simulator import Evaluator

    variations = Variations(
        n=number,
        radius=radius,
        price_noise=price_noise,
        mean_block_days=block_days,
        shift_days=shift_days,
        cost_factor=cost_factor,
        arb_fee=arb_fee,
        gas_cost_usd=gas_cost_usd,
        seed=seed,
    )
    chosen = kinds or list(KINDS)
    check_request(chosen, metrics)
    options = StudyOptions(study, tuple(settings or ()), run, tuple(rule_files or ()))
    if key is None:
        experiment = options.own(DEFAULT_STUDY, "a checkpoint", as_study=as_study)
        raw, evaluator = experiment.initial_parameters(), Evaluator(experiment)
    else:
        from quantsim.checkpoints.finding import start_from

        with open_existing_store(store) as results:
            start = start_from(results, key, as_study=as_study, **options.stored())
        note(f"Varying {start.describe()}.")
        experiment = start.experiment
        raw, evaluator = experiment.initial_parameters(start.params), Evaluator(experiment)
        if not as_study:
            start.check_prices(evaluator.data_id)
    found = _varied(evaluator, raw, variations, chosen, metrics, quiet=quiet)
    _show(experiment, found)
    if plot is not None:
        _draw(experiment, found, plot)
    if as_json:
        print_json({**found.to_json(), **files_json(plot=plot)})


def _varied(
    evaluator: Evaluator,
    raw: dict[str, NDArray[np.float64]],
    variations: Variations,
    kinds: list[str],
    metrics: list[str] | None,
    *,
    quiet: bool,
) -> Robustness:
    from quantsim.commands.progress import ProgressLine, watching
    from quantsim.robustness import robustness_of

    with watching("variation", quiet=quiet) as watch:

        def advance(kind: str, done: int, n: int) -> None:
            watch(ProgressLine(kinds.index(kind) * n + done, len(kinds) * n, kind.replace("_", " ")))

        return robustness_of(evaluator, raw, variations=variations, kinds=kinds, metrics=metrics, advance=advance)


def _show(experiment: Experiment, found: Robustness) -> None:
    from quantsim.commands.display import show_notes, show_parameters
    from quantsim.report.robustness import robustness_table

    show_notes(found.notes)
    say(f"Study {experiment.name!r}: {experiment.pool.label} on {', '.join(experiment.tokens)}.")
    show_parameters(experiment, found.params)
    for metric in found.metrics:
        show(robustness_table(found, metric))
    for kind, varied in found.kinds.items():
        say(f"{kind.replace('_', ' ')}: {varied.n} variations, {varied.what}.")
    for kind, why in found.left_out.items():
        note(f"Note: {kind.replace('_', ' ')} left out: {why}.")
    say(found.judgement, "bold")


def _draw(experiment: Experiment, found: Robustness, plot: Path) -> None:
    from quantsim.report.canvas import save_figure
    from quantsim.report.robustness import robustness_figure

    figure = robustness_figure(experiment, found, found.metrics[0])
    with writing(plot):
        save_figure(figure, plot)
    say(f"Plot: {plot}")
