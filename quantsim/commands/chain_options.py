"""Options of commands that run a pool's contract on a chain."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from quantsim.onchain import Chain

__all__ = [
    "Arithmetic",
    "BlockSeconds",
    "MissedUpdates",
    "OracleDecimals",
    "OracleDelay",
    "UpdateDelay",
    "UpdateTimes",
    "chain_of",
]

_PANEL = "Chain (with --arithmetic contract)"


class Arithmetic(enum.StrEnum):
    """Numbers that weights are computed in."""

    float = "float"
    contract = "contract"


BlockSeconds = Annotated[
    int | None, typer.Option("--block-seconds", help="Seconds between blocks. Default: 12.", rich_help_panel=_PANEL)
]
OracleDelay = Annotated[
    int | None,
    typer.Option("--oracle-delay", metavar="SECONDS", help="Age of the prices of an update.", rich_help_panel=_PANEL),
]
OracleDecimals = Annotated[
    int | None,
    typer.Option("--oracle-decimals", help="Decimals of the oracles' prices. Default: 18.", rich_help_panel=_PANEL),
]
UpdateDelay = Annotated[
    int | None,
    typer.Option("--update-delay", metavar="SECONDS", help="How much later updates come.", rich_help_panel=_PANEL),
]
MissedUpdates = Annotated[
    list[str] | None,
    typer.Option(
        "--missed-update", metavar="TIME", help="Planned time of an update that does not come. May be repeated.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
UpdateTimes = Annotated[
    Path | None,
    typer.Option(
        "--update-times",
        metavar="FILE",
        help="A table with the column time: when updates come.",
        rich_help_panel=_PANEL,
    ),
]


def chain_of(
    block_seconds: int | None,
    oracle_delay: int | None,
    oracle_decimals: int | None,
    update_delay: int | None,
    missed_updates: list[str] | None,
    update_times: Path | None,
) -> Chain | None:
    """Returns the chain that the options describe; None without any."""
    given: dict[str, Any] = {
        "block_seconds": block_seconds,
        "oracle_delay_seconds": oracle_delay,
        "oracle_decimals": oracle_decimals,
        "update_delay_seconds": update_delay,
        "missed_updates": tuple(missed_updates) if missed_updates else None,
    }
    set_ones = {name: value for name, value in given.items() if value is not None}
    if not set_ones and update_times is None:
        return None
    from quantsim.onchain.chain import Chain, load_times

    if update_times is not None:
        set_ones["update_times"] = load_times(update_times)
    return Chain(**set_ones)
