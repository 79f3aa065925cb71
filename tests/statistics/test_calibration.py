"""How often the tests call noise significant, in small; benchmarks/calibration.py does it at large, on simulated pools."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantsim import statistics

STUDIES, DAYS, TRIALS = 200, 150, 25


def studies(seed: int, losses: float) -> np.ndarray:
    """Excess of trials without skill that share four ways to trade, and lose up to ``losses`` deviations a day."""
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(STUDIES, 4, TRIALS))
    shared = generator.standard_t(5, size=(STUDIES, DAYS, 4))
    excess = shared @ loadings + 0.3 * generator.normal(size=(STUDIES, DAYS, TRIALS))
    excess -= excess.mean(axis=1, keepdims=True)
    lost = losses * generator.random(size=(STUDIES, 1, TRIALS))
    # Where means are 0, resampled days are returns whose null holds exactly.
    days = [statistics.resampled_days(DAYS, 3.0, 1, seed + index)[0] for index in range(STUDIES)]
    return np.stack([one[row] for one, row in zip(excess, days, strict=True)]) - lost


def rejected(excess: np.ndarray) -> dict[str, float]:
    """Shares of the studies that are called significant at 5 %."""
    found = []
    for index, one in enumerate(excess):
        drawn = {"n_resamples": 300, "seed": index}
        spa = statistics.superior_ability(one, **drawn)
        best = int(np.argmax(statistics.sharpe(one.T)))
        deflated = statistics.deflated_sharpe(one[:, best], statistics.independent_trials(one, **drawn))
        found.append(
            {
                "consistent": spa.consistent <= 0.05,
                "upper": spa.upper <= 0.05,
                "StepM": best in statistics.step_m(one, **drawn),
                "deflated": deflated >= 0.95,
            }
        )
    return {name: float(np.mean([row[name] for row in found])) for name in found[0]}


def test_where_the_null_holds_exactly_the_levels_are_exact():
    found = rejected(studies(1, 0.0))
    error = math.sqrt(0.05 * 0.95 / STUDIES)
    for name in ("consistent", "upper", "StepM"):
        assert found[name] == pytest.approx(0.05, abs=0.015 + 2.0 * error), found
    assert found["deflated"] <= 0.05 + 2.0 * error


def test_where_trials_lose_no_test_calls_more_than_its_level_significant():
    found = rejected(studies(2, 0.3))
    assert max(found.values()) <= 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / STUDIES)


def test_skill_of_one_trial_is_found():
    excess = studies(3, 0.3)[:60]
    excess[:, :, 0] += 0.45 * excess[:, :, 0].std(axis=1, keepdims=True)
    assert min(rejected(excess).values()) > 0.5


def test_the_ratio_of_one_trial_that_nobody_chose_is_exact():
    noise = np.random.default_rng(0).standard_t(5, size=(4000, 384))
    found = np.mean(statistics.probabilistic_sharpe(noise) >= 0.95)
    assert found == pytest.approx(0.05, abs=2.5 * math.sqrt(0.05 * 0.95 / 4000))
