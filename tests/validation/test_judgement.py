"""Each rule of the judgement, on evidence that is varied by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from validation_support import METRIC, trials_of

from quantsim.validation.evidence import Evidence, weigh
from quantsim.validation.judgement import judge, yearly_ratio


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return weigh(trials_of(0), ("train", "validation"), METRIC, n_resamples=100)


def with_test(evidence: Evidence, lower: float, upper: float) -> Evidence:
    """The same with another interval of the difference on test data."""
    test = evidence.intervals["test"]
    excess = replace(test.excess, point=(lower + upper) / 2.0, lower=lower, upper=upper)
    return replace(evidence, intervals={**evidence.intervals, "test": replace(test, excess=excess)})


def test_without_significance_it_is_noise(evidence: Evidence):
    found = judge(replace(evidence, superior=()))
    assert found.verdict == "noise"
    assert found.text.startswith("Not distinguishable from noise")
    for figure in (evidence.ratio, evidence.expected_best, evidence.needed):
        assert f"{yearly_ratio(figure):.2f}" in found.text


def test_a_significant_ratio_is_skill_and_test_data_confirm_it_or_not(evidence: Evidence):
    skilled = replace(evidence, superior=(evidence.selected,))
    assert "this confirms the result" in judge(with_test(skilled, 1e-4, 2e-3)).text
    assert "not significant" in judge(with_test(skilled, -1e-4, 2e-3)).text
    against = judge(with_test(skilled, -2e-3, -1e-4))
    assert against.verdict == "contradicted"
    assert "this contradicts skill" in against.text
    assert "confirms" not in against.text


def test_skill_that_no_day_confirms_is_said_to_be_unconfirmed(evidence: Evidence):
    seen = {split: one for split, one in evidence.intervals.items() if split in evidence.searched}
    found = judge(replace(evidence, superior=(evidence.selected,), intervals=seen))
    assert found.verdict == "skill"
    assert "no out-of-sample data" in found.sentences[-1]


def test_a_gain_on_test_data_does_not_make_noise_skill(evidence: Evidence):
    found = judge(with_test(replace(evidence, superior=()), 1e-4, 2e-3))
    assert found.verdict == "noise"
    assert "5 of 100 sets without skill do as well" in found.text


def test_another_trial_may_beat_constant_weights(evidence: Evidence):
    found = judge(replace(evidence, selected=1, superior=(2,)), ["a", "b", "c"])
    assert found.verdict == "another"
    assert "(c)" in found.text
    assert "Not distinguishable from noise, although other trials" in found.text
