"""``quantsim init``: writes a study file that explains itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands.options import Json, Quiet, Verbose
from quantsim.commands.output import hint, print_json, say

__all__ = ["init"]


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The study file to write.")] = Path("study.toml"),
    tokens: Annotated[str, typer.Option(metavar="A,B,...", help="Tokens of the pool.")] = "BTC,ETH",
    rule: Annotated[str, typer.Option(metavar="NAME|FILE:NAME", help="The rule that moves the weights.")] = "momentum",
    fees: Annotated[float, typer.Option(metavar="SHARE", help="Swap fee, as a share of the traded value.")] = 0.0,
    prices: Annotated[
        str,
        typer.Option(metavar="NAME|FOLDER|FILE", help="The bundled prices, a folder, one file, or synthetic prices."),
    ] = "bundled",
    bar_minutes: Annotated[
        int | None, typer.Option(metavar="MINUTES", help="Length of the bars. Default: that of the files.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes a study with a comment on every key and all defaults, ready to run.

    Periods are chosen from what the prices cover: 60 % for training, 20 % for validation, 20 % for test.
    """
    from quantsim.config.template import write_study_template

    study = write_study_template(
        file,
        force=force,
        tokens=[token.strip() for token in tokens.split(",")],
        rule=rule,
        fees=fees,
        prices=prices,
        bar_minutes=bar_minutes,
    )
    if as_json:
        print_json({"file": str(file), "study": study.model_dump(mode="json")})
        return
    dates = " → ".join(f"{start:%Y-%m-%d}" for start, _ in study.periods.splits().values())
    say(f"Wrote {file}: {study.pool.label} on {', '.join(study.tokens)}, periods from {dates}.")
    hint(f"Next: quantsim simulate --study {file}, or quantsim optuna --study {file}")
