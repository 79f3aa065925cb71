"""Best-so-far tracking."""

from __future__ import annotations

import math

from quantsim.drivers.best import Best


def test_nan_never_wins_and_infinity_has_its_place() -> None:
    best, seen = Best(), []
    for step, value in enumerate([math.nan, -math.inf, -3.0, math.nan, math.inf, 1e300]):
        best = best.update(value, step)
        seen.append(best.step)
    assert seen == [-1, 1, 2, 2, 4, 4]
    assert (best.value, best.stale) == (math.inf, 1)


def test_ties_are_broken_by_the_next_criterion() -> None:
    best = Best().update(math.inf, 0, 0.1).update(math.inf, 1, 0.2).update(math.inf, 2, 0.2).update(math.inf, 3)
    assert (best.step, best.tie, best.stale) == (1, 0.2, 2)


def test_only_a_real_improvement_resets_patience() -> None:
    best = Best().update(1.0, 0).update(1.0, 1).update(0.5, 2)
    assert (best.value, best.step, best.stale) == (1.0, 0, 2)
    assert best.update(1.5, 3) == Best(1.5, 3)
