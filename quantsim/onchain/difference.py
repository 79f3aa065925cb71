"""How far a pool of the contracts is from the simulation in floating point, in weights and in value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.onchain.run import ChainRun

if TYPE_CHECKING:
    from quantsim.simulator import Result

__all__ = ["Difference", "difference"]

_BASIS_POINTS = 1e4


@dataclass(frozen=True)
class Difference:
    """The difference of a simulation in the contracts' integers to the one in floating point.

    Attributes:
        updates: number of updates that the contract performed.
        refused: number of tries that came before the interval had passed.
        reverted: number of updates that failed.
        moves: number of moves, one per update and token, that updates wanted.
        moves_not_stored: number of these that are too small a second to be stored, and did not happen.
        still_updates: number of updates that wanted moves of which none was stored.
        held_bars: number of bars at which weights stood still because one had reached its rail.
        largest_weight: largest absolute difference of a weight at any bar.
        mean_weight: mean absolute difference of weights over bars and tokens.
        final_value_bps: difference of the value at the end, in basis points of the value in floating point.
        largest_value_bps: largest absolute difference of the value at any bar, in basis points.
    """

    updates: int
    refused: int
    reverted: int
    moves: int
    moves_not_stored: int
    still_updates: int
    held_bars: int
    largest_weight: float
    mean_weight: float
    final_value_bps: float
    largest_value_bps: float

    def to_json(self) -> dict[str, Any]:
        """Returns the attributes as JSON values."""
        return asdict(self)

    def describe(self) -> list[str]:
        """Returns sentences for readers."""
        moved = (
            f"{self.moves_not_stored} of {self.moves} moves" if self.moves_not_stored else f"none of {self.moves} moves"
        )
        lines = [
            f"Contract arithmetic: {self.updates} updates; {moved} too small to be stored.",
            f"Difference to floating point: weights up to {self.largest_weight:.3g}, {self.mean_weight:.3g} on average; value "
            f"{self.final_value_bps:+.4g} basis points at the end, {self.largest_value_bps:.4g} at most.",
        ]
        if self.refused or self.reverted:
            lines.append(f"{self.refused} updates came too early and were refused, {self.reverted} reverted.")
        if self.held_bars:
            lines.append(f"Weights stood still at {self.held_bars:,} bars, after one had reached its guard rail.")
        return lines


def difference(run: ChainRun, contract: Result, floating: Result) -> Difference:
    """Returns the difference of two simulations of the same period.

    Args:
        run: the updates.
        contract: simulation with the contracts' weights.
        floating: simulation in floating point.
    """
    apart = np.abs(contract.weights - floating.weights)
    points = _BASIS_POINTS * (contract.value / floating.value - 1.0)
    wanted = [sum(map(bool, update.move())) for update in run.updates]
    lost = [sum(update.not_stored) for update in run.updates]
    return Difference(
        updates=len(run.updates),
        refused=len(run.refused),
        reverted=len(run.reverted),
        moves=sum(wanted),
        moves_not_stored=sum(lost),
        still_updates=sum(bool(moves) and moves == small for moves, small in zip(wanted, lost, strict=True)),
        held_bars=run.held_bars,
        largest_weight=float(apart.max()),
        mean_weight=float(apart.mean()),
        final_value_bps=float(points[-1]),
        largest_value_bps=float(np.abs(points).max()),
    )
