"""Superior predictive ability and StepM, against arch, plain loops, and cases with known answers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from arch.bootstrap import SPA, StepM

from quantsim import statistics
from quantsim.errors import StatisticsError


def random_excess(seed: int, n_days: int = 120, n_trials: int = 12) -> np.ndarray:
    generator = np.random.default_rng(seed)
    scale = generator.uniform(0.002, 0.03, size=n_trials)
    return scale * (generator.normal(size=(n_days, n_trials)) + generator.normal(0.02, 0.15, size=n_trials))


class SameDays:
    """Gives arch the resamples of this package."""

    def __init__(self, excess: np.ndarray, block: float) -> None:
        self.excess = excess
        self.days = statistics.resampled_days(len(excess), block, 1000, 0)

    def bootstrap(self, _reps: int) -> Iterator[tuple[tuple[np.ndarray], dict[str, object]]]:
        for days in self.days:
            yield (self.excess[days],), {}


def counted(p_value: float) -> float:
    """The p value of arch, with the sample counted as one of the resamples."""
    return (1 + 1000 * p_value) / 1001


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block", [1.5, 4.0])
def test_without_studentizing_p_values_are_those_of_arch(seed: int, block: float):
    excess = random_excess(seed)
    theirs = SPA(np.zeros(len(excess)), -excess, block_size=block, reps=1000)
    theirs.bootstrap = SameDays(excess, block)
    theirs.compute()
    found = statistics.superior_ability(excess, studentized=False, block=block)
    expected = [counted(theirs.pvalues[name]) for name in ("lower", "consistent", "upper")]
    assert [found.lower, found.consistent, found.upper] == pytest.approx(expected, abs=1e-12)
    assert found.lower <= found.consistent <= found.upper


def standard_errors(excess: np.ndarray, block: float) -> np.ndarray:
    """Hansen (2005), section 2.3, with loops."""
    n = len(excess)
    centred = excess - excess.mean(axis=0)
    found = (centred**2).sum(axis=0) / n
    for i in range(1, n):
        kernel = (n - i) / n * (1 - 1 / block) ** i + i / n * (1 - 1 / block) ** (n - i)
        found = found + 2 * kernel * (centred[:-i] * centred[i:]).sum(axis=0) / n
    return np.sqrt(found)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_are_those_of_a_plain_loop(seed: int):
    excess, block = random_excess(seed), 3.0
    n = len(excess)
    errors, means = standard_errors(excess, block), excess.mean(axis=0)
    best = max(0.0, (math.sqrt(n) * means / errors).max())
    shifts = {
        "lower": np.maximum(means, 0.0),
        "consistent": np.where(math.sqrt(n) * means / errors >= -math.sqrt(2 * math.log(math.log(n))), means, 0.0),
        "upper": means,
    }
    found = statistics.superior_ability(excess, block=block, n_resamples=200)
    for name, shift in shifts.items():
        count = 1
        for days in statistics.resampled_days(n, block, 200, 0):
            drawn = math.sqrt(n) * (excess[days].mean(axis=0) - shift) / errors
            count += max(0.0, drawn.max()) >= best
        assert getattr(found, name) == pytest.approx(count / 201)


def test_studentizing_is_arch_on_scaled_returns():
    excess, block = random_excess(11), 2.0
    scaled = excess / standard_errors(excess, block)
    theirs = SPA(np.zeros(len(excess)), -scaled, block_size=block, reps=1000)
    theirs.bootstrap = SameDays(scaled, block)
    theirs.compute()
    found = statistics.superior_ability(excess, block=block)
    assert found.consistent == pytest.approx(counted(theirs.pvalues["consistent"]), abs=1e-12)


def test_the_superior_trials_are_those_of_arch():
    excess, block = random_excess(2, n_days=300), 2.0
    excess[:, 3] += 0.25 * excess[:, 3].std() - excess[:, 3].mean()
    excess[:, 8] += 0.4 * excess[:, 8].std() - excess[:, 8].mean()
    scaled = excess / standard_errors(excess, block)
    theirs = StepM(np.zeros(len(excess)), -scaled, block_size=block, reps=1000)
    theirs.spa.bootstrap = SameDays(scaled, block)
    theirs.compute()
    found = statistics.step_m(excess, block=block)
    assert {3, 8} <= set(found.tolist())
    assert found.tolist() == theirs.superior_models
    assert (found == statistics.step_m(1e-4 * excess, block=block)).all()


def test_any_is_named_only_if_the_test_is_significant():
    for seed in range(30):
        excess = random_excess(seed) + 0.0004
        p_value = statistics.superior_ability(excess).consistent
        assert (len(statistics.step_m(excess)) > 0) == (p_value <= 0.05)


def test_one_trial_that_is_far_ahead_is_named_among_many():
    excess = np.random.default_rng(0).normal(size=(384, 50)) * 0.01
    excess[:, 17] += 0.004
    assert statistics.superior_ability(excess).upper == pytest.approx(1 / 1001)
    assert statistics.step_m(excess).tolist() == [17]


def test_a_quiet_trial_is_not_hidden_by_wild_ones():
    excess = np.random.default_rng(1).normal(size=(384, 20)) * 0.05
    excess[:, 0] = excess[:, 0] / 50.0 + 0.0003
    assert statistics.superior_ability(excess).consistent < 0.01
    assert statistics.superior_ability(excess, studentized=False).consistent > 0.1


def test_where_no_trial_is_ahead_nothing_is_significant():
    behind = np.random.default_rng(0).normal(-0.01, 0.001, size=(100, 5))
    for studentized in (False, True):
        found = statistics.superior_ability(behind, studentized=studentized)
        assert (found.lower, found.consistent, found.upper) == (1.0, 1.0, 1.0)
    assert statistics.step_m(behind).tolist() == []


def test_trials_that_do_not_vary_are_passed_over():
    excess = np.random.default_rng(0).normal(size=(384, 3)) * 0.01
    excess[:, 1] += 0.004
    more = np.insert(excess, [0, 1], 0.0, axis=1)  # trials that trade as the benchmark does
    assert statistics.superior_ability(more) == statistics.superior_ability(excess)
    assert statistics.step_m(more).tolist() == [3]
    same = np.zeros((50, 3))
    assert statistics.superior_ability(same).lower == 1.0
    assert statistics.step_m(same).tolist() == []
    with pytest.raises(StatisticsError, match=r"trial 4 is ahead of the benchmark by the same 0\.01 each day"):
        statistics.superior_ability(np.hstack([excess, np.full((384, 2), [-0.01, 0.01])]))


@pytest.mark.parametrize("function", [statistics.superior_ability, statistics.step_m])
def test_what_is_not_finite_is_refused_with_the_remedy(function):
    excess = random_excess(0)
    excess[5:, [1, 4]] = math.nan
    with pytest.raises(StatisticsError, match=r"trials 1, 4 \(2 in all\) .* finite_trials"):
        function(excess)
    with pytest.raises(StatisticsError, match="2 daily returns are too few"):
        function(excess[:2, :1])
