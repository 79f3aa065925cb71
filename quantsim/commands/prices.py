"""``quantsim prices``: lists price data."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from quantsim.commands.options import Verbose
from quantsim.commands.session import say, show

__all__ = ["prices"]


def prices(
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            help="The bundled prices, a folder with one file per token, one file, or synthetic prices.",
        ),
    ] = "bundled",
    stamps: Annotated[
        Literal["end", "start"],
        typer.Option(
            help="What the files' stamps mark: the end of a bar, or its start, as in most exchanges' candles."
        ),
    ] = "end",
    verbose: Verbose = False,
) -> None:
    """Lists tokens, range, bar length, and every gap with its place and length."""
    from quantsim.prices import available
    from quantsim.report import coverage_table, gaps_table

    covered = available(source, stamps=stamps)
    show(coverage_table(covered, f"Prices: {source}"))
    gaps = [gap for token in covered for gap in token.gaps]
    if gaps:
        show(gaps_table(gaps))
    else:
        say("No gaps.")
