"""Laws of the results of a pool: what one run satisfies, and which runs agree."""

from __future__ import annotations

import numpy as np

from quantsim.testing.laws import require
from quantsim.testing.pool_cases import SOME, PoolCase, Read

__all__ = ["check_agreement", "check_read", "check_same", "keep"]

_SAME = 1e-8  # of the initial value
_REMEDIES = {
    "finite": "guard logarithms, roots and divisions by what may be zero",
    "initial value": "scale the reserves to this value at the prices of the window's first bar",
    "value": "leave value out of ReserveRun, or compute it from the same reserves",
    "shares": "leave shares_at to ReserveRun",
    "simplex": "weights are positive, and each row of them sums to 1",
    "chosen bars": "let all methods of the run read the same path",
    "invariant": "compute what comes in and what goes out from one invariant, and add fees to it",
    "fees": "fees are what stays in the pool at each visit, in the quote currency, and 0 without costs",
    "no look-ahead": "read prices with window.cut, and for each bar only those up to it; count bars from its first",
    "scan modes": "use setup.scan_mode only to choose how a recursion is computed",
    "units": "let values scale with setup.initial_value",
    "schedule": "let run read parameters from window.schedule unless that is None, or leave follows_schedule False",
    "paths": "return a reason in Pool.paths for a path that does not support this setup, or correct one of them",
}


def keep(kept: bool, name: str, message: str) -> None:
    require(kept, name, f"{message}; {_REMEDIES[name]}" if name in _REMEDIES else message)


def check_read(case: PoolCase, read: Read) -> None:
    """Checks that the results of a run are consistent."""
    for part, values in read._asdict().items():
        keep(bool(np.isfinite(values).all()), "finite", f"{case.called}: {part} is not finite at every bar")
    first = float(read.value[0])
    keep(
        abs(first - 1.0) <= _SAME,
        "initial value",
        f"{case.called} is worth {first:.12g} times setup.initial_value at its first bar, and must be worth exactly this",
    )
    rows = {
        "value": (read.value, read.held.sum(axis=1), "value_at is not the value of reserves_at"),
        "shares": (
            read.shares,
            read.held / read.value[:, None],
            "shares_at is not the share of the reserves in the value",
        ),
        "simplex": (read.weights.sum(axis=1), np.ones(case.bars.size), "weights_at does not sum to 1"),
        "chosen bars": (
            np.column_stack([read.value_at_some, read.held_at_some]),
            np.column_stack([read.value, read.held])[np.isin(case.bars, SOME)],
            "value_at or reserves_at of some bars differ from the same bars of the whole window",
        ),
        "fees": (
            read.earned[:1],
            read.earned[1:].sum(keepdims=True),
            "fee_revenue of two parts does not add up to that of the window",
        ),
    }
    for name, (found, wanted, what) in rows.items():
        apart = float(np.abs(found - wanted).max())
        keep(apart <= _SAME, name, f"{case.called}: {what}; they differ by {apart:.3g} of the initial value")
    keep(
        bool((read.weights >= 0.0).all()),
        "simplex",
        f"{case.called}: weights_at is {read.weights.min():.3g} somewhere",
    )
    fall = -float(np.diff(read.log_invariant).min(initial=0.0))
    keep(fall <= _SAME, "invariant", f"{case.called}: log_invariant_at falls by {fall:.3g} between two bars")
    least, most = float(read.earned.min()), float(read.earned.max())
    keep(least >= 0.0, "fees", f"{case.called}: fee_revenue is {least:.3g}, and must not be negative")
    without = not case.setup.costs.charges
    keep(most == 0.0 or not without, "fees", f"{case.called}: fee_revenue is {most:.3g}, but the setup has no costs")


def check_same(case: PoolCase, name: str, read: Read, other: Read, last: int, why: str) -> None:
    """Checks that two runs are equal up to a bar."""
    known = case.bars <= last
    for part in ("value", "held", "shares", "weights"):
        before, after = getattr(read, part)[known], getattr(other, part)[: int(known.sum())]
        apart = np.abs(after - before).max(initial=0.0)
        keep(
            bool(apart <= _SAME),
            name,
            f"{case.called}: {part} up to bar {last} changes by {apart:.3g} {why}",
        )


def check_agreement(cases: list[PoolCase], reads: list[Read]) -> None:
    """Checks that all paths agree at the bars that all of them read."""
    first, *others = (np.column_stack([read.value_at_some, read.held_at_some]) for read in reads)
    for case, found in zip(cases[1:], others, strict=True):
        apart = float(np.abs(found - first).max())
        keep(
            apart <= _SAME,
            "paths",
            f"{case.called}: value and reserves differ by {apart:.3g} of the initial value from those of {cases[0].called}",
        )
