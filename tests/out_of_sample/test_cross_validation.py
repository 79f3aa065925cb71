"""Splits are trained on their training blocks alone: their prices hold nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from walk_forward_support import make_prices, make_study

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.checkpoints.stored import study_of_run
from quantsim.errors import ConfigError
from quantsim.folds import Span
from quantsim.out_of_sample import CrossValidation, Grouping, run_cross_validation
from quantsim.out_of_sample.bridged import bridged
from quantsim.out_of_sample.memory import memory_days

DAY = timedelta(days=1)
START = datetime(2023, 1, 21, tzinfo=UTC)
GROUPING = Grouping(3, 1, purge_days=1, embargo_days=5)
STUDY = ("periods.test_end='2023-05-21'", "search.trials=3", "search.batch=3")


def span(first: int, stop: int) -> Span:
    return Span(START + first * DAY, START + stop * DAY)


def test_bridges_are_straight_lines_that_depend_on_the_kept_prices_alone(prices: Prices):
    whole, kept = span(0, 100), [span(20, 40), span(60, 90)]
    found = bridged(prices, whole, kept)
    first, bars = 40, lambda one: slice(40 + 2 * one[0], 40 + 2 * one[1])  # 20 days of two bars come before
    assert found.n_bars == first + 2 * 90
    for own in ((-20, 0), (20, 40), (60, 90)):
        np.testing.assert_array_equal(found.prices[bars(own)], prices.prices[bars(own)])
    gap = np.log(found.prices[first + 79 : first + 121])
    np.testing.assert_allclose(
        np.diff(gap, axis=0), np.broadcast_to(np.diff(gap, axis=0).mean(axis=0), (41, 2)), rtol=1e-9
    )
    unseen = np.ones(prices.n_bars, bool)
    unseen[:first] = False
    unseen[bars((20, 40))] = unseen[bars((60, 90))] = False
    other = prices.prices.copy()
    other[unseen] *= np.random.default_rng(1).uniform(0.5, 2.0, other[unseen].shape)
    assert bridged(replace(prices, prices=other), whole, kept).identity == found.identity


def test_a_gap_before_all_prices_has_the_first_one_after_it(prices: Prices):
    cut = prices.slice(40, prices.n_bars)
    found = bridged(cut, span(0, 100), [span(20, 40)])
    np.testing.assert_allclose(found.prices[:40], np.broadcast_to(found.prices[40], (40, 2)), rtol=1e-12)


@pytest.fixture(scope="module")
def stored(prices: Prices, tmp_path_factory: pytest.TempPathFactory) -> tuple[CrossValidation, list, list]:
    """A cross-validation, its checkpoints, and the studies of its runs."""
    with CheckpointStore(tmp_path_factory.mktemp("cpcv") / "a.db") as store:
        found = run_cross_validation(make_study(*STUDY), prices, store, GROUPING)
        runs = store.runs_of_group(found.group_id)
        assert [run.run_id for run in runs] == [result.run_id for result in found.results]
        return found, [contents(store, run.run_id) for run in runs], [study_of_run(run) for run in runs]


def contents(store: CheckpointStore, run_id: str) -> list:
    return [(row.step, dict(row.raw), dict(row.metrics)) for row in store.checkpoints(run_id=run_id)]


def test_splits_are_trained_on_their_blocks(stored: tuple[CrossValidation, list, list], prices: Prices):
    found, _, studies = stored
    assert found.groups == (span(0, 40), span(40, 80), span(80, 120))
    assert found.paths == ((0, 1, 2),)
    blocks = [[span(46, 120)], [span(0, 39), span(86, 120)], [span(0, 79)]]
    for result, study, train in zip(found.results, studies, blocks, strict=True):
        assert study.objective.periods == tuple(map(tuple, train))
        assert study.periods.splits() == {"train": (train[0].start, train[-1].end)}
        row = result.checkpoint
        evaluator = Evaluator(study, bridged(prices, span(0, 120), train))
        alone = evaluator.evaluate_sets({name: values[None] for name, values in row.params.items()})
        assert alone.metrics["train"]["objective"][0] == pytest.approx(row.value("train", "objective"), rel=1e-12)
        parts = [
            alone.daily_log_returns["train"][0][(one.start - train[0].start).days : (one.end - train[0].start).days - 1]
            for one in train
        ]
        sharpe = [np.sqrt(365) * part.mean() / part.std() for part in parts]
        assert np.mean(sharpe) == pytest.approx(row.value("train", "objective"), rel=1e-3)


def test_prices_outside_the_training_blocks_change_nothing(
    stored: tuple[CrossValidation, list, list], store: CheckpointStore, prices: Prices
):
    other = prices.prices.copy()
    hidden = slice(40 + 2 * 39, 40 + 2 * 86)  # of the second split: purged, test and embargoed days
    other[hidden] = make_prices("2023-01-01").prices[hidden]
    found = run_cross_validation(make_study(*STUDY), replace(prices, prices=other), store, GROUPING, jobs=2)
    assert found.group_id != stored[0].group_id
    same = [contents(store, result.run_id) == rows for result, rows in zip(found.results, stored[1], strict=True)]
    assert same == [False, True, False]


def test_the_embargo_is_the_longest_memory_that_training_may_reach():
    assert memory_days(make_study(), "sgd") == 20.0
    assert memory_days(make_study(), "search") == 20.0  # draws up to 200, limited by max_memory_days
    narrow = make_study("search.ranges.memory_days={low=1.0, high=8.0}")
    assert memory_days(narrow, "search") == memory_days(narrow, "hybrid") == 8.0
    assert memory_days(narrow, "sgd") == 20.0
    assert memory_days(make_study("search.fixed.memory_days=3.0"), "random") == 3.0
    assert memory_days(make_study(), "fixed") == pytest.approx(5.0)


def test_what_leaves_nothing_to_train_on_or_looks_ahead_is_refused(store: CheckpointStore, prices: Prices):
    with pytest.raises(ConfigError, match="embargo = 20 leave no training data") as failed:
        run_cross_validation(make_study(*STUDY), prices, store, Grouping(6, 5))
    assert "lower update.max_memory_days, or give embargo_days" in failed.value.__notes__[0]
    with pytest.raises(ConfigError, match="needs validation data"):
        run_cross_validation(make_study(*STUDY), prices, store, GROUPING, method="best_validation")
    with pytest.raises(ConfigError, match=r"series\.gas_cost_usd = .* runs through test groups"):
        run_cross_validation(make_study("series.gas_cost_usd='gas.csv'"), prices, store, GROUPING)
    assert store.find_runs() == []
