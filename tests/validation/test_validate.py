"""Validation of stored runs: which trials count, what is missing, what is warned of, and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_support import FIGURES_OF_A_VALIDATION
from validation_support import METRIC, STUDY, returns_of, store_run

from quantsim import CheckpointStore, validate
from quantsim.errors import CheckpointError, SelectionError

QUICK = {"n_resamples": 100}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints.db")


def test_a_search_is_judged_from_its_stored_returns(store: CheckpointStore):
    returns, benchmark = returns_of(0)
    run_id = store_run(store, returns, benchmark)
    found = validate(store, [run_id[:8]], **QUICK)
    assert (found.verdict, found.trials.count, found.runs) == ("noise", 60, (run_id,))
    assert found.evidence is not None
    assert found.evidence.searched == ("train", "validation")
    assert found.method == "best_validation"
    scores = [row.value("validation", METRIC) for row in store.checkpoints(run_id=run_id)]
    assert found.checkpoint.step == np.argmax(scores)
    np.testing.assert_array_equal(found.trials.returns["test"], returns["test"])
    assert validate(store, **QUICK).to_json() == found.to_json()


def test_json_has_the_documented_keys_and_no_number_that_json_lacks(store: CheckpointStore):
    returns, benchmark = returns_of(0)
    found = validate(store, [store_run(store, returns, benchmark)], **QUICK).to_json()
    assert found.keys() >= FIGURES_OF_A_VALIDATION
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["trials"] == 60
    assert found["spa_p_value"].keys() == {"lower", "consistent", "upper"}
    assert found["rank_correlation"].keys() == {"train/validation", "train/test", "validation/test"}
    assert found["intervals"].keys() == {"train", "validation", "test"}
    assert found["judgement"].startswith("Not distinguishable from noise")


def test_reports_and_sets_of_gradients_are_trials(store: CheckpointStore):
    returns, benchmark = returns_of(1)
    run_id = store_run(store, returns, benchmark, driver="sgd", n_sets=4)
    found = validate(store, [run_id], **QUICK)
    assert found.trials.count == 60
    assert found.origin.kind == ("gradient" if found.checkpoint.step else "start")
    assert found.evidence is not None
    assert (found.evidence.searched, found.evidence.fitted) == (("validation",), ("train",))
    assert "train data, it ends" not in found.judgement.text  # not out of sample, either


@pytest.mark.parametrize(
    "options",
    [
        {"driver": "sgd"},
        {"driver": "imported", "experiment": STUDY.override(["driver='sgd'"])},
        {"experiment": STUDY.override(["search.pruner='median'"])},
    ],
)
def test_a_fit_to_training_data_is_no_skill(store: CheckpointStore, options: dict[str, Any]):
    returns, benchmark = returns_of(1, n_trials=20)
    fitted = {**returns, "train": returns["train"] + 0.3 * returns["train"].std()}
    search, other = (store_run(store, fitted, benchmark, **given) for given in ({}, options))
    assert validate(store, [search], method="best_train", **QUICK).verdict == "skill"
    found = validate(store, [other], method="best_train", **QUICK)
    assert (found.verdict, found.to_json()["fitted"]) == ("undecided", ["train"])
    assert "so the tests do not hold there" in found.judgement.text
    assert "significant." not in found.judgement.sentences[0]
    assert validate(store, [other], **QUICK).verdict == "noise"


def test_several_runs_are_compared_with_the_constant_weights_of_the_selected_one(store: CheckpointStore):
    """Comparable runs may differ in the initial weights of the study, and so in constant weights."""
    runs = [store_run(store, *returns_of(seed, n_trials=20)) for seed in (0, 1)]
    for run_id in runs:
        selected = store.checkpoints(run_id=run_id)[0]
        found = validate(store, runs, selected=store.get(selected.checkpoint_id), **QUICK)
        own = store.baselines(run_id)["constant_weights"]
        for split, returns in own.daily_log_returns.items():
            np.testing.assert_array_equal(found.trials.constant_weights[split], returns)


def test_several_runs_are_judged_together(store: CheckpointStore):
    runs = [store_run(store, *returns_of(seed, n_trials=20)) for seed in (0, 0)]
    found = validate(store, runs, **QUICK)
    assert found.trials.count == 40
    other = store_run(store, *returns_of(0, n_trials=5), data_id="other")
    with pytest.raises(SelectionError, match=f"run {other[:8]} is of another study or other prices"):
        validate(store, [runs[0], other])
    changed = STUDY.override(["fees.swap_fee=0.001"])
    with pytest.raises(SelectionError, match="is not of study"):
        validate(store, runs, study=changed)
    with pytest.raises(SelectionError, match="not comparable"):
        validate(store, [runs[0], store_run(store, *returns_of(0, n_trials=5), experiment=changed)])


def test_a_set_of_another_run_that_is_selected_brings_the_trials_of_its_run(store: CheckpointStore):
    first, second = (store_run(store, *returns_of(seed, n_trials=8)) for seed in (0, 0))
    found = validate(store, [second], selected=store.get(f"{first}:3:0"), **QUICK)
    assert found.trials.count == 16
    assert found.checkpoint.run_id == found.trials.rows[found.trials.selected].run_id == first


def test_trials_without_finite_returns_are_left_out_and_counted(store: CheckpointStore):
    returns, benchmark = returns_of(0, n_trials=20)
    run_id = store_run(store, returns, benchmark)
    lost = {split: values[:, 7] - np.inf for split, values in returns.items()}
    row = replace(store.get(f"{run_id}:7:0"), daily_log_returns=lost)
    store.resume_run(run_id)
    store.append(run_id, [row])
    found = validate(store, [run_id], **QUICK)
    assert (found.trials.count, found.trials.left_out) == (19, 1)
    assert found.to_json()["left_out"] == 1


def test_runs_without_returns_are_refused_with_the_remedy(store: CheckpointStore):
    returns, _ = returns_of(0, n_trials=5)
    with pytest.raises(CheckpointError, match=r"no baseline 'constant_weights' is stored for run .*--evaluate"):
        validate(store, [store_run(store, returns, None)])


def test_too_few_days_are_not_judged(store: CheckpointStore):
    days = {"train": 20, "validation": 9}
    found = validate(store, [store_run(store, *returns_of(0, n_trials=5, skill=2.0, days=days))])
    assert found.verdict == "undecided"
    assert found.evidence is None
    figures = found.to_json()
    assert figures.keys() >= FIGURES_OF_A_VALIDATION
    assert figures["deflated_sharpe"] is None


def test_test_data_that_chose_are_days_that_searched(store: CheckpointStore):
    found = validate(store, [store_run(store, *returns_of(0, n_trials=10))], method="best_test", **QUICK)
    assert found.evidence is not None
    assert found.evidence.searched == ("train", "test")
    assert any("test data was used for selection" in text for text in found.warnings)


def test_methods_that_select_several_sets_are_refused(store: CheckpointStore):
    run_id = store_run(store, *returns_of(0, n_trials=10), driver="sgd", n_sets=2)
    with pytest.raises(SelectionError, match="selected 2 checkpoints"):
        validate(store, [run_id], method="best_train_per_set")
