"""Combinatorially symmetric cross-validation against a plain loop over the halves, and cases with known answers."""

from __future__ import annotations

import itertools
import math
from statistics import mean, pstdev

import numpy as np
import pytest

from quantsim import statistics
from quantsim.errors import StatisticsError


def plain(excess: np.ndarray, n_blocks: int) -> tuple[list[float], list[float]]:
    """Mean of the best trial outside, and the logit of its rank, of each half: Bailey et al. (2017), section 2."""
    n_days, n_trials = excess.shape
    edges = [round(n_days * block / n_blocks) for block in range(n_blocks + 1)]

    def ratios(blocks: set[int]) -> list[float]:
        days = [day for block in sorted(blocks) for day in range(edges[block], edges[block + 1])]
        columns = [[float(excess[day, trial]) for day in days] for trial in range(n_trials)]
        return [mean(column) / pstdev(column) for column in columns]

    losses, logits = [], []
    for chosen in itertools.combinations(range(n_blocks), n_blocks // 2):
        inside = ratios(set(chosen))
        outside = ratios(set(range(n_blocks)) - set(chosen))
        best = inside.index(max(inside))
        rank = 1 + sum(one < outside[best] for one in outside)
        losses.append(outside[best])
        logits.append(math.log(rank / (n_trials + 1 - rank)))
    return losses, logits


@pytest.mark.parametrize(("n_days", "n_trials", "n_blocks"), [(60, 7, 6), (63, 4, 4), (97, 3, 8), (30, 2, 2)])
def test_each_half_is_that_of_a_plain_loop(n_days: int, n_trials: int, n_blocks: int):
    excess = np.random.default_rng(n_days).normal(0.0005, 0.01, size=(n_days, n_trials))
    losses, logits = plain(excess, n_blocks)
    found = statistics.cscv(excess, n_blocks)
    assert found.logits.tolist() == pytest.approx(logits, abs=1e-12)
    assert found.probability_of_loss == mean(one < 0.0 for one in losses)
    assert found.pbo == mean(one <= 0.0 for one in logits)
    assert (found.n_splits, found.n_blocks) == (math.comb(n_blocks, n_blocks // 2), n_blocks)


def test_the_halves_are_computed_in_parts():
    excess = np.random.default_rng(0).normal(size=(100, 300))
    found = statistics.cscv(excess, 10)
    few = np.hstack([excess, np.full((100, 1700), -1.0)])  # smaller parts, the same best trials
    assert statistics.cscv(few, 10).probability_of_loss == found.probability_of_loss


def test_on_noise_half_lose_and_skill_does_not():
    noise = np.random.default_rng(4).normal(size=(40, 384, 20)) * 0.01
    found = [statistics.cscv(one, 8) for one in noise]
    assert np.mean([one.probability_of_loss for one in found]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([one.pbo for one in found]) == pytest.approx(0.5, abs=0.08)
    skilled = noise[0].copy()
    skilled[:, 3] += 0.005
    assert statistics.cscv(skilled).probability_of_loss == 0.0
    assert statistics.cscv(skilled).pbo == 0.0


def test_where_most_trials_lose_pbo_says_all_is_well_and_the_loss_does_not():
    generator = np.random.default_rng(5)
    excess = generator.normal(size=(384, 20)) * 0.01 - np.linspace(0.0, 0.01, 20)
    found = statistics.cscv(excess)
    assert found.pbo < 0.1
    assert found.probability_of_loss > 0.4


def test_blocks_are_sixteen_or_of_five_days():
    noise = np.random.default_rng(0).normal(size=(384, 3))
    assert [statistics.cscv(noise[:days]).n_blocks for days in (10, 29, 59, 90, 384)] == [2, 4, 10, 16, 16]
    with pytest.raises(StatisticsError, match="n_blocks = 5 must be even, and 2 to 20 for 384 days"):
        statistics.cscv(noise, 5)
    with pytest.raises(StatisticsError, match="n_blocks = 8 must be even, and 2 to 6 for 13 days"):
        statistics.cscv(noise[:13], 8)


def test_trials_that_are_all_the_same_have_no_rank():
    noise = np.random.default_rng(0).normal(0.01, 0.01, size=(100, 1))
    for excess in (noise, np.repeat(noise, 4, axis=1)):
        found = statistics.cscv(excess)
        assert math.isnan(found.pbo)
        assert found.probability_of_loss == statistics.cscv(noise).probability_of_loss
    # A trial that trades as the benchmark does is neither ahead nor behind.
    assert statistics.cscv(np.zeros((100, 3))).probability_of_loss == 0.0
    lost = np.hstack([np.zeros((100, 1)), noise - 1.0])
    assert statistics.cscv(lost).probability_of_loss == 0.0
