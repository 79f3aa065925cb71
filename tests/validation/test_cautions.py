"""Each warning where it applies, and not elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from validation_support import DAYS, STUDY, returns_of, store_run

from quantsim import CheckpointStore, Experiment, validate
from quantsim.checkpoints import Checkpoint
from quantsim.validation import Validation
from quantsim.validation.cautions import own_fees, warnings_of


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints.db")


def validated(store: CheckpointStore, *changes: str, **options: Any) -> Validation:
    """A validation of a run of the study with these changes."""
    run_id = store_run(store, *returns_of(0, n_trials=12), STUDY.override(changes), **options)
    return validate(store, [run_id], n_resamples=100)


def has(found: Validation, text: str) -> bool:
    return any(text in warning for warning in found.warnings)


def test_no_test_period(store: CheckpointStore):
    assert not has(validated(store), "no test period")
    values = STUDY.model_dump(mode="json")
    values["periods"]["test_end"] = None
    days = {split: DAYS[split] for split in ("train", "validation")}
    run_id = store_run(store, *returns_of(0, n_trials=12, days=days), Experiment.from_dict(values, "a study"))
    assert has(validate(store, [run_id], n_resamples=100), "no test period")


def test_validation_that_cannot_tell_trials_apart(store: CheckpointStore):
    found = validated(store)
    assert found.evidence is not None
    assert found.evidence.distinguishable is not None
    assert has(found, "too short to distinguish trials") == (found.evidence.distinguishable < 0.5)
    assert has(found, "too short to distinguish trials")


@pytest.mark.parametrize(
    ("changes", "options", "setting"),
    [
        (["search.overfitting_penalty=0.5"], {}, "search.overfitting_penalty = 0.5"),
        (["sgd.early_stopping_reports=3"], {"driver": "sgd"}, "sgd.early_stopping_reports = 3"),
        ([], {"notes": {"study": "momentum_fees-hybrid-0123abcd"}}, "hybrid"),
    ],
)
def test_selection_by_the_split_that_also_steered(
    store: CheckpointStore, changes: list[str], options: dict[str, Any], setting: str
):
    found = validated(store, *changes, **options)
    (text,) = [warning for warning in found.warnings if "used for both search and selection" in warning]
    assert setting in text


def test_a_split_that_only_chose_did_not_steer(store: CheckpointStore):
    assert not has(validated(store), "both steered")
    assert not has(validated(store, driver="sgd"), "both steered")


def test_a_split_that_steered_is_searched_even_if_it_did_not_choose(store: CheckpointStore):
    changed = STUDY.override(["search.overfitting_penalty=0.5"])
    run_id = store_run(store, *returns_of(0, n_trials=12), experiment=changed)
    steered = validate(store, [run_id], method="best_train", n_resamples=100)
    plain = validate(store, [store_run(store, *returns_of(0, n_trials=12))], method="best_train", n_resamples=100)
    assert steered.evidence is not None
    assert plain.evidence is not None
    assert (steered.evidence.searched, plain.evidence.searched) == (("train", "validation"), ("train",))


@pytest.mark.parametrize(
    ("tables", "human", "expected"),
    [
        ({"parameters": {"swap_fee": 0.003}}, {"swap_fee": (0.01,), "k_per_day": (9.0, 9.0)}, ("swap_fee",)),
        ({"parameters": {"swap_fee": 0.003}}, {"swap_fee": (0.003,), "k_per_day": (9.0, 9.0)}, ()),
        ({"fees": {"rule": "volatility"}}, {"fee.memory_days": (3.0,)}, ("fee.memory_days",)),
        ({"fees": {"swap_fee": 0.003}}, {"memory_days": (3.0, 3.0)}, ()),
    ],
)
def test_fees_of_its_own(tables: dict[str, Any], human: dict[str, tuple[float, ...]], expected: tuple[str, ...]):
    study = Experiment.from_dict({**STUDY.model_dump(mode="json"), "fees": {}, **tables}, "a study")
    assert own_fees(study, Checkpoint("a" * 32, 0, 0, "search", {}, human)) == expected
    assert (len(warnings_of([], (), ("test",), None, expected)) == 1) == bool(expected)


def test_other_runs_of_the_study_are_not_counted_without_a_word(store: CheckpointStore):
    """Of several searches that are judged one by one, the luckiest looks significant."""
    first = store_run(store, *returns_of(0, n_trials=12))
    again = store_run(store, *returns_of(0, n_trials=12), driver="sgd", notes={"start": "a"})
    repeated = store_run(store, *returns_of(0, n_trials=12), driver="sgd", notes={"start": "a"})
    other = store_run(store, *returns_of(1, n_trials=12), STUDY.override(["seed=1"]))
    store_run(store, *returns_of(2, n_trials=12), STUDY.override(["fees.swap_fee=0.001"]))
    said = validate(store, [other], n_resamples=100).warnings[-1]
    assert all(key[:8] in said for key in (first, again, repeated)), said
    assert has(validate(store, [first, again], n_resamples=100), f"other runs of this study are stored ({other[:8]})")
    assert not has(validate(store, [first, repeated, other], n_resamples=100), "of this study")
    assert not has(validate(store, study=STUDY, n_resamples=100), "of this study")
