"""Sharpe ratios and their probabilities, against the published examples and plain code."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from quantsim import statistics
from quantsim.errors import StatisticsError

NORMAL = NormalDist()


def plain_probability(returns: list[float], benchmark: float) -> float:
    """Bailey and López de Prado (2012), eq. 11, with loops."""
    n = len(returns)
    mean = sum(returns) / n
    deviation = math.sqrt(sum((one - mean) ** 2 for one in returns) / n)
    skew = sum(((one - mean) / deviation) ** 3 for one in returns) / n
    kurtosis = sum(((one - mean) / deviation) ** 4 for one in returns) / n
    ratio = mean / deviation
    error = math.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (n - 1))
    return NORMAL.cdf((ratio - benchmark) / error)


@pytest.mark.parametrize("seed", range(5))
def test_the_probability_is_that_of_the_formula(seed: int):
    returns = np.random.default_rng(seed).standard_t(4, size=200) * 0.01 + 0.0007
    found = statistics.probabilistic_sharpe(returns, 0.02)
    assert float(found) == pytest.approx(plain_probability(returns.tolist(), 0.02), rel=1e-12)
    many = statistics.probabilistic_sharpe(np.stack([returns, returns[::-1], -returns]), 0.02)
    assert many[0] == pytest.approx(many[1]) == pytest.approx(float(found))


@pytest.mark.parametrize(
    ("n_trials", "skew", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_it_has_the_figures_of_the_paper_on_deflated_ratios(
    n_trials: int, skew: float, kurtosis: float, probability: float
):
    # Five years of 250 days, an annual ratio of 2.5, a variance of 1/2 across annual ratios of the trials.
    best = math.sqrt(0.5 / 250) * statistics.expected_maximum(n_trials)
    assert n_trials != 100 or best == pytest.approx(0.1132, abs=5e-5)
    found = statistics.probability_above(2.5 / math.sqrt(250), best, 1250, skew, kurtosis)
    assert float(found) == pytest.approx(probability, abs=1e-4)


@pytest.mark.parametrize("n_trials", [2, 10, 100, 1000])
def test_the_expected_maximum_is_that_of_drawn_numbers(n_trials: int):
    drawn = np.random.default_rng(0).standard_normal((4000, n_trials)).max(axis=1)
    assert statistics.expected_maximum(n_trials) == pytest.approx(drawn.mean(), abs=0.06)
    plain = (1 - 0.5772156649) * NORMAL.inv_cdf(1 - 1 / n_trials)
    plain += 0.5772156649 * NORMAL.inv_cdf(1 - 1 / (n_trials * math.e))
    assert statistics.expected_maximum(n_trials) == pytest.approx(plain, rel=1e-9)
    assert statistics.expected_best(n_trials, 101) == pytest.approx(plain / 10, rel=1e-9)


def test_deflation_is_the_probability_above_the_expected_best():
    excess = np.random.default_rng(3).normal(0.001, 0.01, size=384)
    found = statistics.deflated_sharpe(excess, 12.5)
    assert found == pytest.approx(plain_probability(excess.tolist(), statistics.expected_best(12.5, 384)), rel=1e-12)
    assert statistics.deflated_sharpe(excess, 1.0) == pytest.approx(float(statistics.probabilistic_sharpe(excess)))
    assert found < statistics.deflated_sharpe(excess, 1.0)


def test_one_trial_has_no_luck_and_few_have_little():
    assert statistics.expected_maximum(1) == 0.0
    few = [statistics.expected_maximum(one) for one in np.linspace(1.0, 3.0, 41)]
    assert min(few) == 0.0
    assert few == sorted(few)
    assert math.isnan(statistics.expected_maximum(math.nan))


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros(50),
        np.full(50, 0.1),
        np.append(np.zeros(49), -np.inf),
        np.append(np.zeros(49), np.nan),
        np.linspace(-1.0, 1.1, 9),
    ],
    ids=["zero", "constant", "total loss", "nan", "nine days"],
)
def test_what_has_no_ratio_has_no_probability(returns: np.ndarray):
    assert math.isnan(statistics.deflated_sharpe(returns, 10.0))
    assert math.isnan(statistics.probabilistic_sharpe(returns))
    assert len(returns) < statistics.LEAST_DAYS or math.isnan(statistics.sharpe(returns))


def test_nothing_has_no_ratio():
    assert np.isnan(statistics.sharpe(np.zeros((3, 0)))).all()
    assert math.isnan(statistics.deflated_sharpe(np.random.default_rng(0).normal(size=50), math.nan))


def test_bad_counts_are_refused():
    with pytest.raises(StatisticsError, match=r"n_trials = 0\.5 must be at least 1"):
        statistics.expected_best(0.5, 100)
    with pytest.raises(StatisticsError, match="n_days = 1 must be at least 2"):
        statistics.expected_best(10, 1)
    with pytest.raises(StatisticsError, match="pass that of one trial"):
        statistics.deflated_sharpe(np.zeros((50, 2)), 3)
