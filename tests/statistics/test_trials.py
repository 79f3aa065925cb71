"""Effective numbers of trials and rank correlations, against eigenvalues, SciPy, and cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from quantsim import statistics
from quantsim.errors import StatisticsError


@pytest.mark.parametrize(("n_days", "n_trials"), [(384, 50), (60, 200)])
def test_effective_trials_are_those_of_the_eigenvalues(n_days: int, n_trials: int):
    generator = np.random.default_rng(0)
    excess = generator.normal(size=(n_days, 8)) @ generator.normal(size=(8, n_trials))
    excess += 0.5 * generator.normal(size=(n_days, n_trials))
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(excess.T))
    expected = eigenvalues.sum() ** 2 / np.square(eigenvalues).sum()
    assert statistics.effective_trials(excess) == pytest.approx(expected, rel=1e-10)
    assert 1.0 < expected < 10.0


def test_trials_that_trade_alike_are_one():
    generator = np.random.default_rng(1)
    groups = generator.normal(size=(4000, 5))
    alike = np.repeat(groups, 20, axis=1)
    assert statistics.effective_trials(alike) == pytest.approx(5.0, rel=0.01)
    assert statistics.cluster_count(alike) == 5
    assert statistics.effective_trials(alike * np.linspace(0.1, 9.0, 100)) == pytest.approx(5.0, rel=0.01)
    noisy = alike + 0.5 * generator.normal(size=alike.shape)
    assert statistics.cluster_count(noisy) == 5
    one = np.repeat(groups[:, :1], 7, axis=1)
    assert statistics.effective_trials(one) == pytest.approx(1.0)
    assert statistics.cluster_count(one) == 1
    assert statistics.cluster_count(groups) == 5


@pytest.mark.parametrize("n_trials", [1, 5, 40])
def test_independent_trials_are_counted_as_they_are(n_trials: int):
    excess = np.random.default_rng(n_trials).normal(size=(800, n_trials)) * np.geomspace(1.0, 9.0, n_trials)
    found = statistics.independent_trials(excess - 0.5, block=1.0, n_resamples=4000)
    assert found == pytest.approx(n_trials, rel=0.15)
    alike = np.repeat(excess, 4, axis=1)
    assert statistics.independent_trials(alike, block=1.0, n_resamples=4000) == pytest.approx(found, rel=1e-6)


def test_the_best_of_correlated_trials_is_as_high_as_that_of_the_independent_trials():
    generator = np.random.default_rng(3)
    loadings = generator.normal(size=(4, 60))
    loadings /= np.linalg.norm(loadings, axis=0)
    best = (generator.normal(size=(20_000, 4)) @ loadings).max(axis=1).mean()
    excess = generator.normal(size=(2000, 4)) @ loadings
    independent = statistics.independent_trials(excess, block=1.0)
    assert statistics.expected_maximum(independent) == pytest.approx(best, abs=0.08)
    # The eigenvalues count how many directions there are, not how many trials point into them.
    assert statistics.effective_trials(excess) < 4.1 < 8.0 < independent


def test_trials_that_do_not_vary_do_not_count():
    noise = np.random.default_rng(2).normal(size=(100, 3))
    constant = np.hstack([noise, np.zeros((100, 2)), np.full((100, 1), 0.1)])
    assert statistics.effective_trials(constant) == pytest.approx(statistics.effective_trials(noise))
    assert statistics.cluster_count(constant) == 3
    assert math.isnan(statistics.effective_trials(np.zeros((100, 2))))
    assert math.isnan(statistics.independent_trials(np.zeros((100, 2))))
    assert statistics.independent_trials(constant[:, :5]) == pytest.approx(statistics.independent_trials(noise))
    assert statistics.cluster_count(np.zeros((100, 2))) == 0
    assert statistics.effective_trials(noise[:, 0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "function",
    [statistics.effective_trials, statistics.independent_trials, statistics.cluster_count, statistics.cscv],
)
def test_what_is_not_finite_is_refused_with_the_remedy(function):
    excess = np.random.default_rng(2).normal(size=(40, 4))
    excess[7:, 2] = -np.inf, *[math.nan] * 32
    with pytest.raises(StatisticsError, match=r"trials 2 \(1 in all\) .* leave them out with finite_trials"):
        function(excess)
    assert statistics.finite_trials(excess).tolist() == [True, True, False, True]
    function(excess[:, statistics.finite_trials(excess)])
    with pytest.raises(StatisticsError, match="9 daily returns are too few"):
        function(excess[:9, :2])
    with pytest.raises(StatisticsError, match="at least one trial"):
        function(excess[:, :0])


def test_rank_correlations_are_those_of_scipy():
    generator = np.random.default_rng(0)
    first = np.round(generator.normal(size=80), 1)  # with ties
    second = np.round(first + generator.normal(size=80), 1)
    second[3], first[5], first[9], second[12] = math.inf, -math.inf, math.nan, math.nan
    there = ~(np.isnan(first) | np.isnan(second))
    found = statistics.rank_correlation(first, second)
    assert found.value == pytest.approx(scipy.stats.spearmanr(first[there], second[there]).statistic, rel=1e-10)
    assert found.n == 78
    error = math.sqrt((1 + found.value**2 / 2) / 75)
    ends = [math.tanh(math.atanh(found.value) + sign * 1.6448536 * error) for sign in (-1, 1)]
    assert [found.interval.lower, found.interval.upper] == pytest.approx(ends)


def test_intervals_of_rank_correlations_cover_zero_on_noise():
    generator = np.random.default_rng(5)
    found = [statistics.rank_correlation(*generator.normal(size=(2, 40))) for _ in range(400)]
    assert np.mean([one.interval.contains_zero for one in found]) == pytest.approx(0.9, abs=0.04)


def test_undefined_rank_correlations_say_why():
    assert "all trials have the same value" in statistics.rank_correlation(np.ones(9), np.arange(9)).interval.reason
    assert "1 pairs of values are too few" in statistics.rank_correlation([1, math.nan], [1, 2]).interval.reason
    three = statistics.rank_correlation([1, 2, 3], [1, 3, 2])
    assert three.value == pytest.approx(0.5)
    assert "too few for an interval" in three.interval.reason
    assert statistics.rank_correlation(np.arange(9), np.arange(9)).value == pytest.approx(1.0)
    with pytest.raises(StatisticsError, match="two values of each trial"):
        statistics.rank_correlation([1, 2], [1, 2, 3])
