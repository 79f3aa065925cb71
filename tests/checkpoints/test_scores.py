"""Methods that maximise more than a stored number, against plain code."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from quantsim.checkpoints import Checkpoint, select
from quantsim.checkpoints.scores import N_CANDIDATES, N_NEIGHBOURS, N_PERIODS, RADIUS
from quantsim.errors import SelectionError
from quantsim.statistics import block_length, resampled_days

METRIC = "daily_log_sharpe"
DAYS = {"train": 60, "validation": 40}
SCORED = ("plateau", "validation_lower", "consistent")


def sharpe(returns):
    return math.sqrt(365.0) * returns.mean(axis=-1) / (returns.std(axis=-1) + 1e-8)


def row(index: int, returns: dict[str, np.ndarray], **options) -> Checkpoint:
    """A trial with its daily returns, and the metrics of these."""
    if "metrics" not in options:
        options["metrics"] = {split: {METRIC: float(sharpe(values))} for split, values in returns.items()}
    options.setdefault("raw", {"w": (float(index),)})
    return Checkpoint(options.pop("run_id", "r"), index, 0, "search", daily_log_returns=returns, **options)


@pytest.fixture
def rows() -> list[Checkpoint]:
    random = np.random.default_rng(4)
    market = {split: random.normal(0.0, 0.02, n) for split, n in DAYS.items()}
    return [
        row(index, {split: market[split] + random.normal(0.0, 0.02, n) for split, n in DAYS.items()})
        for index in range(30)
    ]


def evaluate(sets):
    """A metric that is best, 9, at 7 and nowhere near; elsewhere it falls off slowly from 5 at 20."""
    (w,) = np.moveaxis(np.asarray(sets["w"]), 1, 0)
    return {"validation": {METRIC: np.where(np.abs(w - 7.0) < 0.1, 9.0, 5.0 - 0.1 * np.abs(w - 20.0))}}


def on_plateau(index: int, w: float) -> Checkpoint:
    value = float(evaluate({"w": np.array([[w]])})["validation"][METRIC][0])
    return row(index, {}, raw={"w": (w,)}, metrics={"validation": {METRIC: value}, "train": {METRIC: value}})


def test_validation_lower_is_the_lower_end_of_the_interval(rows):
    returns = np.array([one.daily_log_returns["validation"] for one in rows])
    days = [resampled_days(DAYS["validation"], block_length(one), 1000, 0) for one in returns]
    lower = [np.sort(sharpe(one[resample]))[49] for one, resample in zip(returns, days, strict=True)]  # 5 % of 1000
    picked = select(rows, "validation_lower")
    assert picked.checkpoint is rows[int(np.argmax(lower))]
    assert picked.chosen_by == "validation"
    assert not picked.used_test_data
    assert picked.describe() == (
        "validation_lower: highest lower end of the 90% interval of validation daily_log_sharpe"
    )
    assert picked.notes == (
        f"the selected row has a lower end of the 90% interval of validation daily_log_sharpe of {max(lower):.3g}",
    )
    assert max(lower) < picked.checkpoint.metrics["validation"][METRIC]


def test_consistent_is_the_mean_rank_over_periods(rows):
    joined = np.array([np.concatenate([one.daily_log_returns[split] for split in DAYS]) for one in rows])
    ranks = np.zeros(len(rows))
    for period in np.array_split(np.arange(sum(DAYS.values())), N_PERIODS):
        order = np.argsort(sharpe(joined[:, period]))
        ranks[order] += np.arange(1, len(rows) + 1) / len(rows) / N_PERIODS
    picked = select(rows, "consistent")
    assert picked.checkpoint is rows[int(np.argmax(ranks))]
    assert picked.chosen_by == "train and validation"
    assert picked.describe() == (
        f"consistent: highest mean rank (1 is the best) by {METRIC} on {N_PERIODS} periods of train and validation"
    )


def test_train_and_validation_is_the_mean_rank_on_both(make):
    values = [(9.0, 0.1), (8.0, 3.0), (0.5, 9.0), (8.5, 0.2), (0.1, 3.0)]
    rows = [make(step, train=train, validation=validation) for step, (train, validation) in enumerate(values)]
    picked = select(rows, "train_and_validation", "m")  # train ranks 5 3 2 4 1, validation ranks 1 3.5 5 2 3.5
    assert picked.checkpoint is rows[2]
    assert picked.describe() == "train_and_validation: highest mean rank (1 is the best) by m on train and validation"
    assert picked.chosen_by == "train and validation"
    assert picked.notes == ("the selected row has a mean rank (1 is the best) by m on train and validation of 0.7",)
    with pytest.raises(SelectionError, match="no validation metrics are stored"):
        select([make(0, train=1.0)], "train_and_validation", "m")


def test_plateau_passes_over_a_set_that_its_neighbours_do_not_share():
    rows = [on_plateau(index, w) for index, w in enumerate((7.0, 12.0, 19.0, 25.0))]
    assert select(rows, "best_validation").checkpoint is rows[0]
    picked = select(rows, "plateau", evaluate=evaluate)
    assert picked.checkpoint is rows[2]
    near = np.sort(evaluate({"w": np.linspace(19.0 - RADIUS, 19.0 + RADIUS, 999)[:, None]})["validation"][METRIC])
    (note,) = picked.notes
    assert note.startswith(
        "the selected row has a 5th percentile of validation daily_log_sharpe over neighbours of 4.8"
    )
    assert near[0] <= float(note.split()[-1]) <= near[99]


def test_plateau_evaluates_the_best_sets_once_and_on_the_split_that_selects():
    calls = []

    def counted(sets):
        calls.append(sets["w"])
        return evaluate(sets)

    rows = [on_plateau(index, 20.0 + 0.1 * index) for index in range(N_CANDIDATES + 5)]
    twin = on_plateau(99, 20.0)
    picked = select([*rows, twin], "plateau", evaluate=counted)
    assert picked.checkpoint is rows[0]
    (sets,) = calls
    assert sets.shape == (N_CANDIDATES * N_NEIGHBOURS, 1)
    assert sets.max() <= 20.0 + 0.1 * (N_CANDIDATES - 1) + RADIUS


def test_a_neighbour_without_a_value_is_the_worst():
    def fails_beside_20(sets):
        values = evaluate(sets)["validation"][METRIC]
        return {"validation": {METRIC: np.where(np.abs(np.asarray(sets["w"])[:, 0] - 20.0) < 0.2, np.nan, values)}}

    rows = [on_plateau(index, w) for index, w in enumerate((20.0, 25.0))]
    assert select(rows, "plateau", evaluate=fails_beside_20).checkpoint is rows[1]


def test_plateau_says_what_it_needs():
    rows = [on_plateau(0, 20.0)]
    with pytest.raises(SelectionError, match="plateau evaluates neighbours of stored parameter sets: give evaluate"):
        select(rows, "plateau")
    with pytest.raises(
        SelectionError, match="plateau needs validation daily_log_sharpe, which evaluate does not return"
    ):
        select(rows, "plateau", evaluate=lambda sets: {"validation": {}})


@pytest.mark.parametrize("method", ["validation_lower", "consistent"])
def test_rows_without_returns_are_counted(rows, method):
    without = [row(40, {}, metrics=rows[0].metrics), row(41, {}, metrics=rows[0].metrics)]
    picked = select([*rows, *without], method)
    assert picked.checkpoint is select(rows, method).checkpoint
    assert picked.notes[0].startswith("2 of 32 rows left out: daily returns of ")
    with pytest.raises(SelectionError, match=r"no row has daily returns of .*validation: .* run the study again"):
        select(without, method)


@pytest.mark.parametrize("method", ["validation_lower", "consistent"])
def test_a_row_that_lost_everything_is_not_picked(rows, method):
    lost = {split: np.where(np.arange(n) == n - 1, -np.inf, 0.1) for split, n in DAYS.items()}
    ruined = row(50, lost, metrics=rows[0].metrics)
    picked = select([ruined, *rows], method)
    assert picked.checkpoint is select(rows, method).checkpoint
    assert picked.notes[0].startswith("1 of 31 rows left out: the ")
    with pytest.raises(SelectionError, match="is nan for all of them"):
        select([ruined], method)


@pytest.mark.parametrize("method", ["validation_lower", "consistent"])
def test_a_metric_that_days_do_not_determine_is_refused(rows, method):
    stored = [
        row(each.step, each.daily_log_returns, metrics={split: {"sharpe": 1.0} for split in DAYS}) for each in rows
    ]
    with pytest.raises(SelectionError, match=r"daily returns do not determine 'sharpe': did you mean 'daily_sharpe'"):
        select(stored, method, "sharpe")


def test_periods_of_consistent_need_days():
    short = [row(index, {split: np.array([0.01, 0.02 * index, 0.0]) for split in DAYS}) for index in range(3)]
    with pytest.raises(SelectionError, match="6 days cannot be cut into 6 periods"):
        select(short, "consistent")


@pytest.mark.parametrize("method", SCORED)
def test_the_order_of_rows_does_not_matter_and_a_copy_is_its_original(rows, method):
    if method == "plateau":
        rows = [on_plateau(index, 15.0 + index) for index in range(9)]
    picked = select(rows, method, evaluate=evaluate).checkpoint
    later = picked.created_at + timedelta(days=1)
    copy = row(0, picked.daily_log_returns, raw=picked.raw, metrics=picked.metrics, run_id="a", created_at=later)
    assert select(reversed(rows), method, evaluate=evaluate).checkpoint is picked
    assert select([copy, *rows], method, evaluate=evaluate).checkpoint is picked


@pytest.mark.parametrize("method", [*SCORED, "train_and_validation"])
def test_ties_and_constraints_are_those_of_the_other_methods(rows, method):
    def alike(index: int, returns: float, room: float) -> Checkpoint:
        """A row with the score of the others; only the tie-breaker on validation, and a constrained metric, differ."""
        tables = {split: {METRIC: 1.0, "returns": 0.0} for split in DAYS}
        tables["validation"]["returns"], tables["train"]["room"] = returns, room
        return row(index, rows[0].daily_log_returns, metrics=tables, raw={"w": (20.0 + index,)})

    tied = [alike(0, 0.1, 1.0), alike(1, 0.3, 0.0), alike(2, 0.2, 1.0)]

    def flat(sets):
        return {"validation": {METRIC: np.ones(len(sets["w"]))}}

    assert select(tied, method, evaluate=flat).checkpoint is tied[1]
    kept = select(tied, method, evaluate=flat, constraints={"room": 0.5})
    assert kept.checkpoint is tied[2]
    assert kept.notes[0] == "1 of 3 rows left out: not train room >= 0.5"


def test_the_information_ratio_is_that_above_constant_weights(rows):
    constant = {split: rows[0].daily_log_returns[split] for split in DAYS}
    above = [
        row(each.step, each.daily_log_returns, metrics={split: {"information_ratio": 0.0} for split in DAYS})
        for each in rows[1:]
    ]
    excess = [
        row(each.step, {split: each.daily_log_returns[split] - constant[split] for split in DAYS}) for each in rows[1:]
    ]
    for method in ("validation_lower", "consistent"):
        picked = select(above, method, "information_ratio", constant_weights=constant)
        expected = select(excess, method)  # its Sharpe ratio
        assert picked.checkpoint.step == expected.checkpoint.step
        assert picked.notes[0].split()[-1] == expected.notes[0].split()[-1]
        with pytest.raises(
            SelectionError, match="information_ratio compares with constant weights, whose daily returns of"
        ):
            select(above, method, "information_ratio")
