"""``quantsim prices``: lists price data, imports files, and downloads from exchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quantsim.commands.options import Json, Quiet, Verbose
from quantsim.commands.output import note, print_json, say, show
from quantsim.commands.progress import ProgressLine, watching
from quantsim.project import ENVIRONMENT

if TYPE_CHECKING:
    from quantsim.prices.importing import ImportReport

__all__ = ["app"]

app = typer.Typer(rich_markup_mode="markdown", add_completion=False, pretty_exceptions_enable=False)

_Folder = Annotated[
    Path,
    typer.Option(
        "--to",
        metavar="FOLDER",
        envvar=ENVIRONMENT["prices"],
        help="Folder for one Parquet file per token. It is a price source.",
    ),
]


@app.callback(invoke_without_command=True)
def prices(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            envvar=ENVIRONMENT["prices"],
            help="The bundled prices, a folder with one file per token, one file, or synthetic prices.",
        ),
    ] = "bundled",
    stamps: Annotated[
        Literal["end", "start"],
        typer.Option(
            help="What the files' stamps mark: the end of a bar, or its start, as in most exchanges' candles."
        ),
    ] = "end",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lists tokens, range, bar length, and every gap with its place and length. Also imports and downloads prices."""
    if context.invoked_subcommand is not None:
        return
    from quantsim.prices import available
    from quantsim.report import coverage_table, gaps_table

    covered = available(source, stamps=stamps)
    if as_json:
        print_json({"source": source, "tokens": [one.to_json() for one in covered]})
        return
    show(coverage_table(covered, f"Prices: {source}"))
    gaps = [gap for token in covered for gap in token.gaps]
    if gaps:
        show(gaps_table(gaps))
    else:
        say("No gaps.")


@app.command("import")
def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            show_default=False,
            help="Files, folders or archives; the first that has a price for a bar counts.",
        ),
    ],
    folder: _Folder = Path("prices"),
    tokens: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Tokens to import. Default: all that are found.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="NAME", help="Token of all files, if their names do not say it.")
    ] = None,
    stamps: Annotated[
        Literal["end", "start"] | None,
        typer.Option(help="What stamps mark in files that do not state it: the end of a bar, or its start."),
    ] = None,
    bar: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="Import files with this bar length only: 1m, 30m, 1h, 1d."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same tokens.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Imports downloaded price files: checks and merges them, and writes one file per token.

    Reads CSV, also compressed, Parquet, Feather, and the JSON of ccxt: Binance's klines, Kraken's OHLCVT, data of freqtrade and
    others, in any number of pieces. Reports stamps, gaps, repeated bars, bars on which sources disagree, and the hash that pins
    the prices in a study.
    """
    from quantsim.prices.importing import import_prices
    from quantsim.prices.time_grid import minutes_of

    with watching("file", quiet=quiet, begin="reading ...") as watch:
        report = import_prices(
            paths,
            folder,
            tokens=None if tokens is None else _listed(tokens),
            token=token,
            stamps=stamps,
            bar_minutes=None if bar is None else minutes_of(bar),
            overwrite=overwrite,
            progress=lambda done, total, name: watch(ProgressLine(done, total, name)),
        )
    _show_report(report, as_json=as_json)


@app.command("download")
def download(
    tokens: Annotated[str, typer.Option(metavar="A,B,...", show_default=False, help="Tokens to download.")],
    since: Annotated[
        str, typer.Option(metavar="TIME", show_default=False, help="Start of the first bar, in UTC: 2023-01-01.")
    ],
    exchange: Annotated[str, typer.Option(metavar="NAME", help="An exchange of ccxt.")] = "binance",
    bar: Annotated[str, typer.Option(metavar="LENGTH", help="Bar length: 1m, 30m, 1h, 1d.")] = "1m",
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End of the last bar, in UTC. Default: now.")
    ] = None,
    quote: Annotated[
        str, typer.Option(metavar="CURRENCY", help="The dollar currency of the markets: USDT, USDC, USD, ...")
    ] = "USDT",
    folder: _Folder = Path("prices"),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Downloads prices from an exchange, one file per token (extra `download`).

    The same command goes on after an interrupt. Later, it adds newer bars, and asks again for missing ones.
    """
    from quantsim.prices.downloading import download_prices
    from quantsim.prices.time_grid import minutes_of

    with watching("bar", quiet=quiet, begin="asking ...") as watch:
        report = download_prices(
            _listed(tokens),
            since,
            exchange=exchange,
            until=until,
            bar_minutes=minutes_of(bar),
            quote=quote,
            folder=folder,
            progress=lambda done, total, token: watch(ProgressLine(done, total, token)),
        )
    _show_report(report, as_json=as_json)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _show_report(report: ImportReport, *, as_json: bool) -> None:
    from quantsim.report import coverage_table
    from quantsim.report.import_tables import disagreements_table, files_table, notes_on

    if as_json:
        print_json(report.as_json())
        return
    show(files_table(report))
    show(coverage_table([one.coverage for one in report.tokens], f"Prices: {report.folder}"))
    if any(one.disagreements for one in report.tokens):
        show(disagreements_table(report))
    for line in notes_on(report):
        note(line)
    say(report.study_table())
