"""The stationary bootstrap: resampled days, block lengths, and how often intervals cover the true value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length

from quantsim import statistics
from quantsim.errors import StatisticsError


def autoregressive(n_days: int, memory: float, seed: int, n: int = 1) -> np.ndarray:
    """AR(1) returns of deviation 1, (n_days, n)."""
    noise = np.random.default_rng(seed).normal(size=(n_days + 50, n))
    for day in range(1, len(noise)):
        noise[day] = memory * noise[day - 1] + math.sqrt(1.0 - memory**2) * noise[day]
    return noise[50:]


@pytest.mark.parametrize("block", [1.0, 2.5, 12.0])
def test_resampled_days_come_in_blocks_of_the_mean_length(block: float):
    days = statistics.resampled_days(300, block, 400, seed=1)
    assert days.shape == (400, 300)
    assert days.min() == 0
    assert days.max() == 299
    follows = (np.diff(days, axis=1) % 300 == 1).mean()
    assert follows == pytest.approx(1.0 - 1.0 / block + 1.0 / (300 * block), abs=0.005)
    counts = np.bincount(days.ravel(), minlength=300)
    assert counts.std() / counts.mean() < 3.0 * math.sqrt(block / 400)  # each day as often, those at the ends too
    lengths = np.diff(np.flatnonzero(np.append(True, np.diff(days[:, :].ravel()) % 300 != 1)))
    assert block == 1.0 or lengths.std() == pytest.approx(math.sqrt(block * (block - 1.0)), rel=0.1)  # geometric


def test_resamples_are_seeded_and_cannot_be_changed():
    first = statistics.resampled_days(50, 3.0, 10, seed=1)
    assert (first == statistics.resampled_days(50, 3.0, 10, seed=1)).all()
    assert (first != statistics.resampled_days(50, 3.0, 10, seed=2)).any()
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("n_days", [90, 384])
def test_block_lengths_are_those_of_arch(memory: float, n_days: int):
    columns = autoregressive(n_days, memory, seed=n_days, n=40)
    theirs = np.maximum(optimal_block_length(columns)["stationary"].to_numpy(), 1.0)
    ours = np.array([statistics.block_length(column) for column in columns.T])
    # arch scales autocorrelations by the days that overlap, the paper by all: few windows differ by that.
    same = np.isclose(ours, theirs, rtol=1e-9)
    assert same.mean() >= 0.8
    assert statistics.block_length(columns) == pytest.approx(np.median(ours))
    assert (ours <= math.ceil(min(3.0 * math.sqrt(n_days), n_days / 3.0))).all()


def test_dependent_days_need_longer_blocks():
    lengths = [statistics.block_length(autoregressive(384, memory, 0, 20)) for memory in (0.0, 0.5, 0.9)]
    assert 1.0 <= lengths[0] < 3.0 < lengths[1] < lengths[2]


def test_returns_that_do_not_vary_have_blocks_of_one_day():
    assert statistics.block_length(np.full(30, 0.1)) == 1.0
    noise = autoregressive(100, 0.5, 0)
    assert statistics.block_length(np.hstack([noise, np.zeros((100, 3))])) == statistics.block_length(noise)


def mean(returns: np.ndarray) -> np.ndarray:
    return returns.mean(axis=-1)


def test_the_standard_error_of_a_mean_is_that_of_the_formula():
    returns = np.random.default_rng(0).normal(size=400)
    found = statistics.interval(mean, returns, block=1.0, n_resamples=4000)
    assert found.point == returns.mean()
    assert found.standard_error == pytest.approx(returns.std() / 20.0, rel=0.05)
    assert found.upper - found.lower == pytest.approx(2 * 1.645 * found.standard_error, rel=0.05)
    assert (found.level, found.reason) == (0.9, "")


@pytest.mark.parametrize("memory", [0.0, 0.4])
def test_intervals_cover_the_true_mean_as_often_as_they_say(memory: float):
    covered = 0
    for column in autoregressive(250, memory, seed=7, n=300).T:
        found = statistics.interval(mean, column, n_resamples=200)
        covered += found.lower <= 0.0 <= found.upper
    # 90 %, less what every bootstrap of dependent days loses; the error of the count is 1.7 %
    assert 0.82 <= covered / 300 <= 0.95


def test_a_pair_is_resampled_on_the_same_days():
    market = np.random.default_rng(0).normal(size=300)
    trial = market + 0.01 * np.random.default_rng(1).normal(size=300) + 0.005
    paired = statistics.paired_interval(mean, trial, market, block=3.0)
    of_difference = statistics.interval(mean, trial - market, block=3.0)
    assert paired.lower == pytest.approx(of_difference.lower)
    assert paired.upper == pytest.approx(of_difference.upper)
    assert paired.standard_error < 0.02 * statistics.interval(mean, trial, block=3.0).standard_error
    assert not paired.contains_zero
    assert paired == statistics.paired_interval(mean, trial, market, block=3.0)
    ratio = statistics.paired_interval(statistics.sharpe, trial, market)
    assert ratio.point == pytest.approx(float(statistics.sharpe(trial) - statistics.sharpe(market)))
    assert ratio.lower <= ratio.point <= ratio.upper


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.ones(9), "9 daily returns are too few"),
        (np.zeros(0), "0 daily returns are too few"),
        (np.append(np.zeros(30), -np.inf), "not finite, as after a total loss"),
        (np.zeros(30), "undefined on 200 of 200 resamples"),
    ],
    ids=["few", "none", "total loss", "constant"],
)
def test_what_has_no_interval_says_why(returns: np.ndarray, reason: str):
    found = statistics.interval(statistics.sharpe, returns, n_resamples=200)
    assert math.isnan(found.lower)
    assert math.isnan(found.upper)
    assert reason in found.reason
    assert found.contains_zero


def test_infinite_values_of_a_statistic_are_ordered():
    def sortino(returns: np.ndarray) -> np.ndarray:
        return returns.mean(axis=-1) / np.sqrt(np.square(np.minimum(returns, 0.0)).mean(axis=-1))

    found = statistics.interval(sortino, np.append(np.full(19, 0.01), -0.001), block=1.0)
    assert math.isfinite(found.lower)
    assert found.upper == math.inf


def test_bad_arguments_are_refused():
    series = np.random.default_rng(0).normal(size=30)
    with pytest.raises(StatisticsError, match=r"must map \(\.\.\., days\) to \(\.\.\.\)"):
        statistics.interval(lambda returns: returns.mean(), series)
    with pytest.raises(StatisticsError, match="takes one series"):
        statistics.interval(mean, series[:, None])
    with pytest.raises(StatisticsError, match="30 returns and 29 of the benchmark"):
        statistics.paired_interval(mean, series, series[1:])
    with pytest.raises(StatisticsError, match="level = 90 must be between 0 and 1"):
        statistics.interval(mean, series, level=90)
    with pytest.raises(StatisticsError, match=r"block = 0\.5"):
        statistics.resampled_days(10, 0.5, 1, 0)
    with pytest.raises(StatisticsError, match="9 daily returns are too few"):
        statistics.block_length(series[:9])
