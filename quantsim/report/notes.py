"""Notes on a simulation, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["notes_of_simulation"]


def notes_of_simulation(notes: Mapping[str, Any]) -> list[str]:
    """Returns sentences, without full stops, on warm-up, prices in memory, steps of weights, exogenous swaps and filled gaps.

    Args:
        notes: notes of a :class:`~quantsim.Result` or an :class:`~quantsim.Evaluator`. Cautions are left out.
    """
    lines = [f"the estimators warm up on {notes['warm_up']}"] if "warm_up" in notes else []
    lines += [f"the {name} were {notes[name]}" for name in ("prices", "series") if name in notes]
    lines += [notes["weight_steps"]] if "weight_steps" in notes else []
    if "trades" in notes:
        counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in notes["trades"].items())
        lines.append(f"of the exogenous swaps: {counts}")
    if "supply" in notes:
        lines.append(
            f"joins and exits leave {notes['supply']:.6g} shares for each at first; all figures are of one share"
        )
    if "gaps_filled" in notes:
        lines.append(
            f"{notes['bars_filled']} bars in {notes['gaps_filled']} gaps of the prices are filled with the last price before "
            "them; `quantsim prices` lists them"
        )
    return lines
