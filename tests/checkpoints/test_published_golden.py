"""The result files that the published implementation wrote, and what each of its load methods returns of them."""

from __future__ import annotations

import json
import warnings

import pytest

import quantsim
from quantsim.checkpoints import LOAD_METHODS, Checkpoint, select
from quantsim.checkpoints.published import read_results
from quantsim.errors import FingerprintWarning, SelectionError

GRADIENT = "run_a2de3921e212e9748eb5aa130ce8b14bc1d52e796c2f719f7144f4bb85e0d023.json"
SEARCH = "run_33bf6dc80ff9efaac29a94650866ec4300874fd62fb042b46fc7b261e62acc9c.json"


@pytest.fixture(scope="module")
def picks(shared):
    return json.loads((shared / "golden" / "results" / "picks.json").read_text())


@pytest.fixture(scope="module", params=[GRADIENT, SEARCH])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def read(shared, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FingerprintWarning)
        ((run, checkpoints),) = read_results(shared / "golden" / "results" / name).runs
    return run, checkpoints


@pytest.fixture(scope="module")
def rows(read):
    return read[1]


@pytest.fixture(scope="module")
def written(shared, name):
    return json.loads(json.loads((shared / "golden" / "results" / name).read_text()))


def test_nothing_of_a_file_is_lost(rows, written, picks, name):
    entries = written[1:]
    assert len(rows) == picks[name]["n_rows"] * picks[name]["n_sets"]
    for row in rows:
        entry = entries[row.step]
        many = isinstance(entry["objective"], list)
        for key in ("log_k", "logit_lamb"):
            assert list(row.raw[key]) == (entry[key][row.parameter_set] if many else entry[key])
        assert row.objective == (entry["objective"][row.parameter_set] if many else entry["objective"])


def test_load_methods_pick_the_expected_rows(rows, picks, name):
    methods = picks[name]["methods"]
    assert set(methods) | {"best_test_objective_of_last"} == set(LOAD_METHODS)
    for method, pick in methods.items():
        if "right" in pick:
            found = select(rows, method).checkpoints
            assert [[row.step, row.parameter_set] for row in found] == pick["right"], method
    assert select(rows, "last", "daily_log_sharpe").checkpoint.step == methods["last"]["published"][0][0]


def best(rows: list[Checkpoint], split: str, metric: str, guard: str = "") -> Checkpoint:
    return max(
        (row for row in rows if not guard or row.metrics[guard][metric] >= 0.0),
        key=lambda row: row.metrics[split][metric],
    )


def test_load_methods_that_look_for_a_name_that_is_not_there(rows, name):
    if name == GRADIENT:
        metric = "returns_over_uniform_hodl"
        assert select(rows, "best_train_min_test_objective").checkpoint == best(rows, "train", metric, "test")
        assert select(rows, "best_test_min_train_objective").checkpoint == best(rows, "test", metric, "train")
        last = [row for row in rows if row.step == 3]
        assert select(rows, "best_test_objective_of_last").checkpoint == best(last, "test", metric)
        return
    # All trials lost on the validation data, which are what it calls test data: there, none meets the minimum, and the first
    # trial is returned all the same.
    with pytest.raises(SelectionError, match=r"no row has validation objective >= 0: of 8 rows the best has -3.29"):
        select(rows, "best_train_min_test_objective")
    assert select(rows, "best_test_min_train_objective").checkpoint.step == 0
    assert select(rows, "best_test_objective_of_last").checkpoint.step == 7


def test_imported_results_are_reproduced(shared):
    """Over the bars of training and validation there, which need not end where a chunk does."""
    source = shared / "data" / "minute"
    with pytest.warns(
        FingerprintWarning, match="val_fraction: validation starts with a chunk, .* 00:00, but in quantammsim .* 14:24"
    ):
        results = read_results(shared / "golden" / "results" / GRADIENT, source=source)
    ((_, rows),) = results.runs
    row = next(row for row in rows if (row.step, row.parameter_set) == (2, 1))
    value = quantsim.simulate(results.experiment, dict(row.raw), split="all").value
    end = value.size - 31 * 1440  # of May, the test period
    cut = int(0.8 * end) + 1
    for split, bars in (("train", value[:cut]), ("validation", value[cut : end + 1])):
        assert bars[-1] / bars[0] - 1 == pytest.approx(row.metrics[split]["returns"], rel=1e-6), split
