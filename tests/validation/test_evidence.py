"""The figures of trials, on arrays with known skill."""

from __future__ import annotations

import numpy as np
import pytest
from validation_support import DAYS, METRIC, returns_of, trials_of

from quantsim.statistics import (
    deflated_sharpe,
    effective_trials,
    expected_best,
    independent_trials,
    interval,
    sharpe,
    step_m,
)
from quantsim.statistics.threshold import needed_ratio
from quantsim.validation.evidence import weigh
from quantsim.validation.judgement import judge
from quantsim.validation.trials import Trials

SEARCHED = ("train", "validation")


def test_figures_are_of_the_days_that_searched():
    trials = trials_of(0)
    evidence = weigh(trials, SEARCHED, METRIC, n_resamples=200)
    excess = np.concatenate([trials.returns[split] - trials.constant_weights[split][:, None] for split in SEARCHED])
    own = excess[:, trials.selected]
    assert evidence.n_days == DAYS["train"] + DAYS["validation"]
    assert evidence.effective_trials == effective_trials(excess)
    assert evidence.ratio == pytest.approx(own.mean() / own.std())
    assert evidence.independent_trials == independent_trials(excess, n_resamples=200)
    assert evidence.expected_best == expected_best(evidence.independent_trials, evidence.n_days)
    assert evidence.deflated_sharpe == deflated_sharpe(own, evidence.independent_trials)
    assert evidence.best == np.argmax(excess.mean(axis=0) / excess.std(axis=0))
    assert evidence.average["train"].point == pytest.approx(excess[: DAYS["train"]].mean())
    assert set(evidence.intervals) == set(DAYS)
    test = interval(sharpe, trials.returns["test"][:, trials.selected], n_resamples=200)
    assert evidence.intervals["test"].sharpe == test


def test_copies_of_a_trial_are_one_trial():
    trials = trials_of(1, n_trials=8)
    repeated = {split: np.repeat(values, 25, axis=1) for split, values in trials.returns.items()}
    rows = tuple(row for row in trials.rows for _ in range(25))
    many = Trials(rows, 25 * trials.selected, repeated, trials.constant_weights)
    one, other = (weigh(each, SEARCHED, METRIC, n_resamples=100) for each in (trials, many))
    assert (one.n_trials, other.n_trials) == (8, 200)
    assert other.effective_trials == pytest.approx(one.effective_trials)
    assert other.deflated_sharpe == pytest.approx(one.deflated_sharpe)
    assert other.distinguishable == one.distinguishable


def test_step_m_names_a_trial_from_the_ratio_that_it_needs():
    excess = trials_of(2, n_trials=10).excess(SEARCHED)
    needed, own = needed_ratio(excess, 4, 0.05, n_resamples=200), excess[:, 4]
    for factor, named in ((0.98, False), (1.02, True)):
        moved = excess.copy()
        moved[:, 4] = own - own.mean() + factor * needed * own.std()
        assert (4 in step_m(moved, n_resamples=200)) is named


def test_noise_does_not_pass_for_skill():
    """Of 12 studies of noise, with the best on validation selected, at most 2 pass: more have a probability of 2 % at 5 %."""
    found = [judge(weigh(trials_of(seed, n_trials=20), SEARCHED, METRIC, n_resamples=100)) for seed in range(12)]
    verdicts = [one.verdict for one in found]
    assert sum(verdict in ("skill", "contradicted") for verdict in verdicts) <= 2
    assert verdicts.count("noise") >= 10


def test_skill_with_enough_days_passes():
    days = {"train": 700, "validation": 300, "test": 300}
    found = [judge(weigh(trials_of(seed, n_trials=20, skill=0.25, days=days), SEARCHED, METRIC)) for seed in range(3)]
    assert [one.verdict for one in found] == ["skill"] * 3


def test_trials_that_are_constant_weights_are_no_evidence():
    returns, benchmark = returns_of(3, n_trials=5)
    returns = {split: values.copy() for split, values in returns.items()}
    for split in SEARCHED:  # not on test data, where the set has moved
        returns[split][:, 1] = benchmark[split]
    trials = trials_of(3, n_trials=5)
    held = Trials(trials.rows, 1, returns, benchmark)
    assert held.that_differ(SEARCHED) is None
    kept = Trials(trials.rows, 2, returns, benchmark).that_differ(SEARCHED)
    assert kept is not None
    assert (kept.count, kept.rows[kept.selected].step) == (4, 2)
    assert weigh(kept, SEARCHED, METRIC, n_resamples=50).best_deflated_sharpe >= 0.0  # not nan
    assert judge(None).verdict == "undecided"
