"""The pool in the arithmetic of its contract: how far it is from the simulation, and what the contract refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.report.html.blocks import Block, Cell, Section, Table, Text

if TYPE_CHECKING:
    from quantsim.onchain import Difference
    from quantsim.report.html.content import Content

__all__ = ["contract"]


def contract(content: Content) -> Section | None:
    """Returns the section; None for a pool that its contract accepts without computing weights, and without notes."""
    (*_, pool) = content.deployment["pools"]
    found = pool["contract"]
    if content.on_chain is None:
        refused = [*found["refused"], *([content.not_on_chain] if content.not_on_chain else [])]
        because = Text("QuantAMM's contracts cannot run this pool:")
        first: tuple[Block, ...] = (because, *map(Text, refused)) if refused else ()
    else:
        first = (
            Text(
                "The same pool with the weights of QuantAMM's contract, computed update by update in its integers and stored "
                "with 9 decimals, through all splits; updates come at the start of each chunk."
            ),
            _table(content.on_chain.difference),
        )
    warnings = tuple(Text(f"Note: {warning}", "muted") for warning in found["warnings"])
    blocks = (*first, *warnings)
    return Section("contract", "In the contract's arithmetic", blocks) if blocks else None


def _table(found: Difference) -> Table:
    rows = {
        "value at the end": f"{found.final_value_bps:+.4g} basis points",
        "value, largest difference": f"{found.largest_value_bps:.4g} basis points",
        "weights, largest difference": f"{found.largest_weight:.3g}",
        "weights, mean difference": f"{found.mean_weight:.3g}",
        "updates": f"{found.updates:,}",
        "moves of weights too small to be stored": f"{found.moves_not_stored:,} of {found.moves:,}",
        "updates in which nothing moved": f"{found.still_updates:,}",
        "updates that reverted": f"{found.reverted:,}",
        "bars at which weights stood still at a guard rail": f"{found.held_bars:,}",
    }
    cells = tuple((Cell(name), Cell(text)) for name, text in rows.items())
    return Table(("difference to floating point", ""), cells)
