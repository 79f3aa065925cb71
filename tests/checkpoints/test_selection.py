from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantsim.checkpoints import FRONT_METHODS, SELECTION_METHODS, Checkpoint, select, top
from quantsim.checkpoints.methods import METHODS
from quantsim.errors import SelectionError

NAN, INF = math.nan, math.inf
ONE_METRIC = sorted(set(SELECTION_METHODS) - set(FRONT_METHODS))
STORED = [name for name in SELECTION_METHODS if METHODS[name].score is None]
"""Methods that maximise a stored number; tests/checkpoints/test_scores.py has the others."""
ONE_STORED = sorted(set(STORED) & set(ONE_METRIC))
SPLIT_OF = {"best_train": "train", "best_validation": "validation", "best_test": "test"}


def metric_of(method):
    return ("m", "-m") if method in FRONT_METHODS else "m"


@pytest.mark.parametrize(("method", "split"), SPLIT_OF.items())
def test_best_of_each_split(make, method, split):
    rows = [
        make(0, train=3.0, validation=1.0, test=2.0),
        make(1, train=1.0, validation=3.0, test=1.0),
        make(2, train=2.0, validation=2.0, test=3.0),
    ]
    picked = select(rows, method, "m")
    assert picked.checkpoint == max(rows, key=lambda row: row.metrics[split]["m"])
    assert picked.chosen_by == split
    assert picked.used_test_data == (split == "test")
    assert ("test data was used" in picked.describe()) == (split == "test")
    assert (picked.method, picked.metric, picked.minimum, picked.notes) == (method, "m", None, ())


def test_validation_and_daily_log_sharpe_are_the_default(make):
    rows = [make(step, metric="daily_log_sharpe", validation=value) for step, value in enumerate((1.0, 2.0, 0.0))]
    picked = select(rows)
    assert picked.checkpoint.step == 1
    assert picked.method == "best_validation"


def test_pair_of_step_and_set_is_one_row(make):
    # The best step by the mean over sets is 1, the best set by the mean over steps is 1; the best row is neither's.
    rows = [make(0, 0, train=9.0), make(0, 1, train=-9.0), make(1, 0, train=1.0), make(1, 1, train=8.0)]
    assert select(rows, "best_train", "m").checkpoint.key == "r:0:0"


@pytest.mark.parametrize("method", STORED)
def test_nan_never_wins(make, method):
    good = make(1, 0, train=0.5, validation=0.5, test=0.5)
    bad = [make(1, index, train=NAN, validation=NAN, test=NAN) for index in (1, 2)]
    picked = select([bad[0], good, bad[1]], method, metric_of(method))
    assert picked.checkpoints == (good,)
    assert "2 of 3 rows left out" in picked.notes[0]


@pytest.mark.parametrize("method", ONE_STORED)
def test_infinity_ranks_above_and_minus_infinity_below_all_finite_ones(make, method):
    rows = [
        make(1, index, train=value, validation=value, test=value) for index, value in enumerate((1e300, INF, NAN, -INF))
    ]
    ranked = [row.key for row in select(rows, method, "m").checkpoints]
    assert ranked == (["r:1:0", "r:1:1", "r:1:3"] if method == "best_train_per_set" else ["r:1:1"])
    assert [
        row.parameter_set for row in top([make(1, 9, raw={"w": (9.0,)}, train=-INF), rows[0]], 2, "train", "m")
    ] == [0, 9]
    only = select([rows[2], rows[3]], "best_train", "m").checkpoint
    assert only is rows[3], "better than nothing"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_equal_values_are_told_apart_by_the_return_on_the_same_split(split):
    def row(step, value, **returns):
        metrics = {name: {"m": value, "returns": returns.get(name, 9.0)} for name in ("train", "validation", "test")}
        return Checkpoint("r", step, 0, "search", {"w": (float(step),)}, metrics=metrics)

    rows = [
        row(0, INF, **{split: 0.1}),
        row(1, INF, **{split: 0.3}),
        row(2, INF, **{split: 0.2}),
        row(3, 1.0, **{split: 5}),
    ]
    assert select(rows, f"best_{split}", "m").checkpoint.step == 1
    assert [each.step for each in top(rows, 9, split, "m")] == [1, 2, 0, 3]
    nan_last = [row(0, INF, **{split: NAN}), row(1, INF, **{split: -0.9})]
    assert select(nan_last, f"best_{split}", "m").checkpoint.step == 1


def test_a_front_has_infinite_values():
    rows = [two(0, INF, 9.0), two(1, 3.0, 3.0), two(2, 2.0, -INF), two(3, 1.0, 1.0), two(4, INF, 9.5)]
    front = select(rows, "pareto_front", ("gain", "-risk"))
    assert [row.step for row in front.checkpoints] == [0, 1, 2]
    # An infinite one stands one range beyond the finite ones: 3 is half way, and so is 3 between 9 and -3.
    assert select(rows, "balanced", ("gain", "-risk")).checkpoint.step == 1


@pytest.mark.parametrize("poison", [NAN, INF])
@pytest.mark.parametrize("method", STORED)
def test_non_finite_parameters_never_win(make, method, poison):
    good = make(1, 0, train=0.5, validation=0.5, test=0.5)
    bad = make(1, 1, train=9.0, validation=9.0, test=9.0, raw={"w": (1.0, poison)})
    picked = select([bad, good], method, metric_of(method))
    assert picked.checkpoints == (good,)
    assert picked.notes[0] == "1 of 2 rows left out: raw parameters not finite"


def test_metric_that_does_not_decide_may_be_nan(make):
    rows = [make(0, train=1.0, test=NAN), make(1, train=0.0, test=1.0)]
    assert select(rows, "best_train", "m").checkpoint.step == 0
    assert select(rows, "best_train_min_test", "m").checkpoint.step == 1


def test_all_nan_is_an_error_with_the_count(make):
    rows = [make(0, train=NAN), make(1, train=NAN), make(2, train=1.0, raw={"w": (NAN,)}), make(3)]
    with pytest.raises(SelectionError) as caught:
        select(rows, "best_train", "m")
    for part in ("1 of 4 rows left out: train m not stored", "2 of 4 rows", "1 of 4 rows left out: raw parameters"):
        assert part in str(caught.value)


def test_ties_go_to_the_earliest_step_then_the_lowest_set(make):
    rows = [make(2, 0, train=1.0), make(1, 1, train=1.0), make(1, 0, train=1.0), make(0, 0, train=0.0)]
    assert select(rows, "best_train", "m").checkpoint.key == "r:1:0"


def test_last(make):
    rows = [make(0, 0, train=9.0), make(3, 0, train=1.0), make(3, 1, train=2.0), make(3, 2, train=NAN)]
    picked = select(rows, "last", "m")
    assert picked.checkpoint.key == "r:3:1"
    assert picked.chosen_by == "last step"
    assert not picked.used_test_data


def test_last_does_not_go_back_silently(make):
    with pytest.raises(SelectionError, match=r"the last step, 3, .* the last step with such a row is 2"):
        select([make(2, train=1.0), make(3, train=NAN)], "last", "m")


def test_last_takes_one_run(make):
    with pytest.raises(SelectionError, match="one run, not of 2"):
        select([make(0, run_id="a", train=1.0), make(9, run_id="b", train=1.0)], "last", "m")


def test_best_train_min_test(make):
    rows = [make(0, train=3.0, test=-0.1), make(1, train=2.0, test=0.0), make(2, train=1.0, test=0.6)]
    picked = select(rows, "best_train_min_test", "m")
    assert (picked.checkpoint.step, picked.minimum, picked.chosen_by) == (1, 0.0, "train")
    assert picked.used_test_data
    assert ">= 0" in picked.describe()
    assert select(rows, "best_train_min_test", "m", minimum=0.5).checkpoint.step == 2
    assert select(rows, "best_train_min_test", "m", minimum=-1).checkpoint.step == 0


def test_best_test_min_train(make):
    rows = [make(0, train=-1.0, test=3.0), make(1, train=1.0, test=2.0), make(2, train=2.0, test=1.0)]
    picked = select(rows, "best_test_min_train", "m")
    assert (picked.checkpoint.step, picked.chosen_by, picked.used_test_data) == (1, "test", True)


def test_an_unreachable_minimum_is_an_error_with_the_best_value(make):
    rows = [make(0, train=3.0, test=-0.5), make(1, train=2.0, test=-0.25)]
    with pytest.raises(SelectionError, match=r"test m >= 0: of 2 rows the best has -0\.25, 0\.25 short \(r:1:0\)"):
        select(rows, "best_train_min_test", "m")


@pytest.mark.parametrize("minimum", [NAN, INF, -INF])
def test_minimum_must_be_finite(make, minimum):
    with pytest.raises(SelectionError, match="finite"):
        select([make(train=1.0, test=1.0)], "best_train_min_test", "m", minimum=minimum)


def test_minimum_is_refused_where_it_would_be_ignored(make):
    with pytest.raises(SelectionError, match="has no minimum"):
        select([make(train=1.0)], "best_train", "m", minimum=0.0)


def test_best_train_per_set(make):
    rows = [
        make(0, 0, train=1.0),
        make(1, 0, train=2.0),
        make(0, 1, train=5.0),
        make(1, 1, train=4.0),
        make(0, 2, train=NAN),
    ]
    picked = select(rows, "best_train_per_set", "m")
    assert [row.key for row in picked.checkpoints] == ["r:1:0", "r:0:1"]
    assert "parameter set 2 of run r has no eligible row" in picked.notes
    with pytest.raises(SelectionError, match=r"2 checkpoints.*\.checkpoints"):
        _ = picked.checkpoint
    with pytest.raises(SelectionError, match="2 checkpoints"):
        _ = picked.params


def test_sets_of_two_runs_are_different_sets(make):
    rows = [make(0, 0, run_id="b", train=1.0), make(0, 0, run_id="a", train=2.0)]
    assert [row.run_id for row in select(rows, "best_train_per_set", "m").checkpoints] == ["a", "b"]


def test_a_copy_is_the_checkpoint_that_it_is_of(make):
    early, late = (datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2))
    raw = {"w": (1.0, 2.0)}
    trial = make(17, run_id="search", driver="search", train=1.0, raw=raw, created_at=early)
    copy = make(0, run_id="sgd", train=1.0 + 1e-14, raw=raw, created_at=late)  # rounded otherwise
    worse = make(1, run_id="sgd", train=0.5, created_at=late)
    for rows in ([trial, copy, worse], [worse, copy, trial]):
        assert top(rows, 2, "train", "m") == (trial, worse)
        assert select(rows, "best_train", "m").checkpoint == trial
        assert select(rows, "pareto_front", ("m", "-m")).checkpoints == (trial, worse)
    tried = make(9, run_id="other", driver="search", train=1.0, raw={"w": (1.0 + 1e-14, 2.0)}, created_at=late)
    assert select([trial, tried], "best_train", "m").checkpoint == trial, "it went through human units and back"
    of_another_study = make(17, run_id="search", driver="search", train=0.9, raw=raw, created_at=early)
    assert select([of_another_study, copy, worse], "best_train", "m").checkpoint == copy


def test_params_are_arrays(make):
    row = make(train=1.0, raw={"w": (0.1, 0.2), "k": (3.0,)})
    params = select([row], "best_train", "m").params
    assert list(params) == ["w", "k"]
    np.testing.assert_array_equal(params["w"], np.array([0.1, 0.2]))
    assert params["k"].shape == (1,)


def test_unknown_method_suggests(make):
    with pytest.raises(SelectionError, match="did you mean 'best_validation'"):
        select([make(train=1.0)], "best_validaton", "m")


def test_unknown_metric_names_what_is_stored(make):
    with pytest.raises(SelectionError, match=r"did you mean 'sharpe'.*stored: sharpe"):
        select([make(train=1.0, metric="sharpe")], "best_train", "sharp")


def test_without_validation_there_is_no_fallback(make):
    rows = [make(train=1.0, test=1.0)]
    with pytest.raises(
        SelectionError, match=r"no validation metrics are stored; stored: train, test; give the experim"
    ):
        select(rows, "best_validation", "m")


def test_without_any_metrics(make):
    with pytest.raises(SelectionError, match="stored: none"):
        select([make()], "best_train", "m")


@pytest.mark.parametrize("method", SELECTION_METHODS)
def test_nothing_to_select_from(method):
    with pytest.raises(SelectionError, match="nothing to select from"):
        select([], method, metric_of(method))


def test_rows_without_the_metric_are_passed_over(make):
    rows = [make(0, train=1.0, validation=0.5), make(1, train=2.0)]
    picked = select(rows, "best_validation", "m")
    assert picked.checkpoint.step == 0
    assert picked.notes == ("1 of 2 rows left out: validation m not stored",)


def two(step, gain, risk, **options):
    return Checkpoint("r", step, 0, "search", {"w": (1.0,)}, metrics={"train": {"gain": gain, "risk": risk, **options}})


def test_front_and_its_balanced_member():
    rows = [two(0, 4.0, 9.0), two(1, 3.0, 3.0), two(2, 2.0, 2.0), two(3, 1.0, 1.0), two(4, 2.9, 3.0), two(5, 0.0, NAN)]
    front = select(rows, "pareto_front", ("gain", "-risk"))
    assert [row.step for row in front.checkpoints] == [0, 1, 2, 3]
    assert front.metric == "gain, -risk"
    assert "1 of 6 rows left out: train gain, risk is nan" in front.notes
    with pytest.raises(SelectionError, match="selected 4 checkpoints"):
        front.checkpoint  # noqa: B018
    picked = select(reversed(rows), "balanced", ("gain", "-risk"))
    assert picked.checkpoint.step == 1  # a third short of the best gain, a quarter of the least risk
    assert picked.describe() == "balanced: nearest to the best of each, by train gain, -risk"
    assert (picked.chosen_by, picked.used_test_data) == ("train", False)


def test_front_with_a_metric_that_is_the_same_everywhere():
    rows = [two(0, 1.0, 5.0), two(1, 2.0, 5.0)]
    for method in FRONT_METHODS:
        assert [row.step for row in select(rows, method, ("gain", "risk")).checkpoints] == [1]


def test_constraints_keep_rows_out_unless_none_holds():
    rows = [two(0, 4.0, 9.0, room=0.0), two(1, 3.0, 3.0, room=1.0), two(2, 3.5, 4.0, room=NAN)]
    picked = select(rows, "pareto_front", ("gain", "-risk"), constraints={"room": 0.5})
    assert [row.step for row in picked.checkpoints] == [1]
    assert picked.notes == ("2 of 3 rows left out: not train room >= 0.5",)
    picked = select(rows, "pareto_front", ("gain", "-risk"), constraints={"room": 2.0})
    assert len(picked.checkpoints) == 3
    assert picked.notes == ("no row has train room >= 2; all rows are used",)


def test_the_number_of_metrics_fits_the_method(make):
    with pytest.raises(SelectionError, match=r"balanced compares several metrics, but was given m: name at least two"):
        select([make(train=1.0)], "balanced", "m")
    with pytest.raises(SelectionError, match=r"best_train compares one metric, but was given m, n"):
        select([make(train=1.0)], "best_train", ("m", "n"))
    with pytest.raises(SelectionError, match="balanced was given a metric twice: m, m"):
        select([make(train=1.0)], "balanced", ("m", "m"))


@pytest.mark.parametrize("method", ONE_METRIC)
def test_a_method_of_one_metric_minimises_nothing(make, method):
    with pytest.raises(SelectionError, match=f"{method} maximises its metric, but was given '-m': a minus is only for"):
        select([make(train=1.0, validation=1.0, test=1.0)], method, "-m")


def test_top(make):
    rows = [
        make(0, train=1.0, raw={"a": (1.0,), "b": (2.0,)}),
        make(1, train=3.0, raw={"a": (5.0,), "b": (2.0,)}),
        make(2, train=3.0, raw={"b": (2.0,), "a": (5.0,)}),  # the same parameters as step 1
        make(3, train=NAN),
        make(4, train=2.0),
    ]
    assert [row.step for row in top(rows, 2, "train", "m")] == [1, 4]
    assert [row.step for row in top(rows, 9, "train", "m")] == [1, 4, 0]


def test_top_refuses(make):
    with pytest.raises(SelectionError, match="at least 1"):
        top([make(train=1.0)], 0, "train", "m")
    with pytest.raises(SelectionError, match="did you mean 'train'"):
        top([make(train=1.0)], 1, "trian", "m")
    with pytest.raises(SelectionError, match="no test metrics"):
        top([make(train=1.0)], 1, "test", "m")


# Few values, so that ties and duplicates are common.
numbers = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, NAN, INF, -INF])
tables = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 2)),
    st.tuples(numbers, numbers, numbers, st.sampled_from([0.0, 1.0, NAN])),
    min_size=1,
    max_size=12,
)


def build(table) -> list[Checkpoint]:
    return [
        Checkpoint(
            "r",
            step,
            index,
            "sgd",
            {"w": (weight,)},
            metrics={"train": {"m": train}, "validation": {"m": validation}, "test": {"m": test}},
        )
        for (step, index), (train, validation, test, weight) in table.items()
    ]


def brute_force(rows, method) -> list[tuple[int, int]]:
    """The winners' (step, set), by looking at every row; empty if none."""

    def number(row, split):
        if split == "worse":
            return min(
                (number(row, "train"), number(row, "validation")), key=lambda value: (not math.isnan(value), value)
            )
        return row.metrics[split]["m"]

    split, guard = {
        "last": ("train", None),
        "best_train_per_set": ("train", None),
        "best_train_min_test": ("train", "test"),
        "best_test_min_train": ("test", "train"),
    }.get(method) or (SPLIT_OF[method], None)
    able = []
    for row in rows:
        fine = not math.isnan(number(row, split)) and math.isfinite(row.raw["w"][0])
        if guard is not None:
            fine = fine and number(row, guard) >= 0
        if method == "last":
            fine = fine and row.step == max(other.step for other in rows)
        if fine:
            able.append(row)
    winners = {}
    for row in able:
        group = row.parameter_set if method == "best_train_per_set" else 0
        now = winners.get(group)
        if now is None or (
            number(row, split) > number(now, split)
            or (
                number(row, split) == number(now, split)
                and (row.step, row.parameter_set) < (now.step, now.parameter_set)
            )
        ):
            winners[group] = row
    return [(winners[group].step, winners[group].parameter_set) for group in sorted(winners)]


@given(table=tables, method=st.sampled_from(ONE_STORED), seed=st.integers(0, 2**16))
def test_winner_is_that_of_brute_force_in_any_order(table, method, seed):
    rows = build(table)
    expected = brute_force(rows, method)
    shuffled = random.Random(seed).sample(rows, len(rows))  # noqa: S311
    for order in (rows, shuffled):
        if expected:
            assert [(row.step, row.parameter_set) for row in select(order, method, "m").checkpoints] == expected
        else:
            with pytest.raises(SelectionError):
                select(order, method, "m")


@given(table=tables, n=st.integers(1, 4))
def test_top_is_sorted_distinct_and_led_by_the_best(table, n):
    rows = build(table)
    if not brute_force(rows, "best_train"):
        with pytest.raises(SelectionError):
            top(rows, n, "train", "m")
        return
    best = top(rows, n, "train", "m")
    able = [row for row in rows if not math.isnan(row.metrics["train"]["m"]) and row.raw_is_finite]
    assert best[0] == select(rows, "best_train", "m").checkpoint
    assert len({row.raw["w"] for row in best}) == len(best) == min(n, len({row.raw["w"] for row in able}))
    values = [row.metrics["train"]["m"] for row in best]
    assert values == sorted(values, reverse=True)
