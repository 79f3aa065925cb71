"""``quantsim fit-volume``: fits how the volume of noise traders depends on the fee."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands.files import check_files, writing
from quantsim.commands.options import Json, Quiet, Verbose
from quantsim.commands.output import note, print_json, say, show

__all__ = ["fit_volume"]


def fit_volume(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            show_default=False,
            help=(
                "CSV or Parquet with a row per day or hour: time, volume_usd, tvl_usd and swap_fee (0.003 for 0.3 %); if "
                "known, arbitrage_volume_usd, and volatility per square root of a day or price_ratio."
            ),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File for a study's fees.volume_model. Default: none."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Posterior draws in the file.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    volatility_days: Annotated[int, typer.Option(help="Days over which volatility is measured.")] = 7,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fits the volume of noise traders, by fee, pool value, volatility and hour, to the history of a pool.

    Shows every elasticity with its 90 % interval, and how much of it comes from the data rather than from the prior.
    """
    check_files(other=output)
    from quantsim.report.volume_tables import errors_line, volume_table
    from quantsim.volume.fit import fit_volume as fit

    found = fit(table, draws=draws, seed=seed, volatility_days=volatility_days)
    if output is not None:
        with writing(output):
            found.write(output)
    for line in found.notes:
        note(f"Note: {line}.")
    if as_json:
        print_json(found.to_json())
        return
    show(volume_table(found))
    say(errors_line(found))
    if output is not None:
        say(f'Model: {output}. In a study: [fees] volume = "elastic", volume_model = "{output}"')
