"""The names that the published implementation has for selection methods: each picks a whole row."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from quantsim.checkpoints import LOAD_METHODS, SELECTION_METHODS, Checkpoint, select
from quantsim.errors import SelectionError

NAN = math.nan
OURS = {
    "best_train_objective": "best_train",
    "best_test_objective": "best_test",
    "best_train_min_test_objective": "best_train_min_test",
    "best_test_min_train_objective": "best_test_min_train",
    "best_train_objective_for_each_parameter_set": "best_train_per_set",
    "best_train_objective_of_last": "last",
}
BY_OBJECTIVE = ("best_objective", "best_objective_of_last")


def published(step, parameter_set, *, objective=0.0, metric="returns_over_uniform_hodl", run_id="r", **splits):
    metrics = {split: {metric: value, "sharpe": -value} for split, value in splits.items()}
    return Checkpoint(run_id, step, parameter_set, "imported", {"w": (1.0,)}, metrics=metrics, objective=objective)


ROWS = [
    published(0, 0, objective=5.0, train=1.0, validation=0.0, test=-1.0),
    published(0, 1, objective=1.0, train=2.0, validation=0.0, test=4.0),
    published(1, 0, objective=2.0, train=-3.0, validation=0.0, test=9.0),
    published(1, 1, objective=3.0, train=0.5, validation=0.0, test=-2.0),
]


def picked(rows, method, metric=None, **options):
    return [(row.step, row.parameter_set) for row in select(rows, method, metric, **options).checkpoints]


def test_every_load_method_is_known_and_none_is_ours():
    assert set(LOAD_METHODS) - {"last"} == {*OURS, *BY_OBJECTIVE, "best_test_objective_of_last"}
    assert set(LOAD_METHODS) & set(SELECTION_METHODS) == {"last"}


@pytest.mark.parametrize(("method", "ours"), OURS.items())
def test_a_load_method_is_ours_with_another_metric(method, ours):
    theirs = select(ROWS, method)
    same = select(ROWS, ours, "returns_over_uniform_hodl")
    assert theirs.checkpoints == same.checkpoints
    assert (theirs.chosen_by, theirs.used_test_data) == (same.chosen_by, same.used_test_data)
    assert picked(ROWS, method, "sharpe") == picked(ROWS, ours, "sharpe")


def test_objective_methods_compare_the_objective_of_the_run():
    assert picked(ROWS, "best_objective") == [(0, 0)]
    assert picked(ROWS, "best_objective_of_last") == [(1, 1)]
    assert select(ROWS, "best_objective").checkpoint == ROWS[0]  # with its own metrics
    assert select(ROWS, "best_objective").describe() == "best_objective: highest train objective"
    assert not select(ROWS, "best_objective").used_test_data
    with pytest.raises(SelectionError, match=r"best_objective compares the objective of the run.*'sharpe'"):
        select(ROWS, "best_objective", "sharpe")


def test_of_last_picks_the_best_set_not_the_first():
    assert picked(ROWS, "best_train_objective_of_last") == [(1, 1)]
    assert picked(ROWS, "best_test_objective_of_last") == [(1, 0)]
    assert select(ROWS, "best_test_objective_of_last").used_test_data


@pytest.mark.parametrize("method", [name for name in LOAD_METHODS if name.endswith("of_last")])
def test_of_last_needs_one_run(method):
    with pytest.raises(SelectionError, match=f"{method} needs the checkpoints of one run, not of 2"):
        select([*ROWS, published(7, 0, train=1.0, test=1.0, run_id="s")], method)


def test_a_pair_that_never_was_is_not_picked():
    # The first row with the best value is 0, the first set with it is 0; row 0 of set 0 has the worst.
    tied = [
        published(0, 0, train=1.0),
        published(0, 1, train=3.0),
        published(1, 0, train=3.0),
        published(1, 1, train=2.0),
    ]
    assert picked(tied, "best_train_objective") == [(0, 1)]
    assert picked(tied, "best_train_objective_for_each_parameter_set") == [(1, 0), (0, 1)]
    # A separate argmax over rows takes the one in which no set has a value.
    failed = [
        published(0, 0, train=2.0),
        published(0, 1, train=NAN),
        published(1, 0, train=NAN),
        published(1, 1, train=NAN),
    ]
    assert picked(failed, "best_train_objective") == [(0, 0)]


def test_minimum_is_met_or_refused():
    assert picked(ROWS, "best_train_min_test_objective") == [(0, 1)]
    assert picked(ROWS, "best_test_min_train_objective") == [(0, 1)]
    assert picked(ROWS, "best_train_min_test_objective", minimum=5.0) == [(1, 0)]
    with pytest.raises(SelectionError, match=r"no row has test returns_over_uniform_hodl >= 10"):
        select(ROWS, "best_train_min_test_objective", minimum=10.0)


def test_the_one_number_of_an_old_file_is_compared():
    rows = [published(step, 0, metric="objective", train=value) for step, value in enumerate((1.0, 3.0, 2.0))]
    assert picked(rows, "best_train_objective") == [(1, 0)]
    assert select(rows, "best_train_objective").metric == "objective"


def test_an_imported_search_has_its_test_objective_on_validation_data():
    rows = [published(0, 0, train=1.0, validation=-2.0), published(1, 0, train=2.0, validation=-3.0)]
    found = select(rows, "best_test_objective")
    assert (found.checkpoint.step, found.chosen_by, found.used_test_data) == (0, "validation", False)
    assert found.describe() == "best_test_objective: highest validation returns_over_uniform_hodl"
    assert "computed on its validation data" in found.notes[0]
    guarded = select(rows, "best_train_min_test_objective", minimum=-2.5)
    assert guarded.checkpoint.step == 0
    assert "where validation returns_over_uniform_hodl >= -2.5" in guarded.describe()
    ours = [Checkpoint("r", 0, 0, "sgd", {"w": (1.0,)}, metrics=rows[0].metrics)]
    with pytest.raises(SelectionError, match="no test metrics are stored"):
        select(ours, "best_test_objective")


def test_the_document_lists_every_load_method():
    page = (Path(__file__).parents[2] / "docs" / "fingerprints.md").read_text(encoding="utf-8")
    table = page.partition("## Load methods")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(LOAD_METHODS)
