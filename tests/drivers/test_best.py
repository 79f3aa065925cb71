"""Best-so-far tracking."""

from __future__ import annotations

import math

from quantsim.drivers.best import Best


def test_non_finite_values_never_win() -> None:
    best = Best()
    for step, value in enumerate([math.nan, math.inf, -math.inf, -3.0, math.nan]):
        best = best.update(value, step)
    assert (best.value, best.step, best.stale) == (-3.0, 3, 1)


def test_only_a_real_improvement_resets_patience() -> None:
    best = Best().update(1.0, 0).update(1.0, 1).update(0.5, 2)
    assert (best.value, best.step, best.stale) == (1.0, 0, 2)
    assert best.update(1.5, 3) == Best(1.5, 3)
