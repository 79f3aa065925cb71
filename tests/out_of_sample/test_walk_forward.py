"""Folds are ordinary runs that see nothing of the data after them, that can be resumed, and that share their programs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from walk_forward_support import SCHEDULE, make_prices, make_study

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.checkpoints.stored import study_of_run
from quantsim.drivers.sgd.step import advance
from quantsim.errors import ConfigError, DriverError, SelectionError, WindowError
from quantsim.out_of_sample import Schedule, WalkForward, compare_trainers, run_walk_forward
from quantsim.out_of_sample.trainers import budgeted, content_of_task
from quantsim.simulator.evaluate import sample_splits

TRAINERS = ("search", "sgd", "hybrid")


def contents(found: WalkForward) -> list:
    """What is to be the same: parameters, metrics and the place of every selected set."""
    rows = [result.checkpoint for result in found.results]
    return [(row.step, row.parameter_set, dict(row.raw), dict(row.metrics)) for row in rows]


Rows = list[tuple[Any, ...]]


def rows_of(store: CheckpointStore, found: WalkForward) -> list[Rows]:
    """All that each fold stored, but for run ids and times: place, parameters, and metrics and daily returns by split."""
    return [_rows_of_run(store, result.run_id) for result in found.results]


def _rows_of_run(store: CheckpointStore, run_id: str) -> Rows:
    rows = store.checkpoints(run_id=run_id)
    splits: list[dict[str, Any]] = [dict(row.metrics) for row in rows]
    for name in splits[0]:
        daily = store.daily_log_returns([run_id], name)
        assert daily.checkpoint_ids == tuple(row.checkpoint_id for row in rows)
        for own, values in zip(splits, daily.values, strict=True):
            own[name] = (own[name], values.tobytes())
    return [((row.step, row.parameter_set), dict(row.raw), own) for row, own in zip(rows, splits, strict=True)]


@pytest.fixture(scope="module")
def both(
    prices: Prices, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, WalkForward], dict[str, list[Rows]]]:
    before = compiled()
    with CheckpointStore(tmp_path_factory.mktemp("whole") / "a.db") as store:
        found = {name: run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=name) for name in TRAINERS}
        grown = compiled()
        assert (grown[0] - before[0], grown[1] - before[1]) <= (2, 1), "for twelve runs of three trainers"
        return found, {name: rows_of(store, one) for name, one in found.items()}


@pytest.fixture
def whole(both: tuple[dict[str, WalkForward], dict[str, list[Rows]]]) -> dict[str, WalkForward]:
    """A walk-forward with each driver that was not interrupted."""
    return both[0]


@pytest.fixture
def trained(both: tuple[dict[str, WalkForward], dict[str, list[Rows]]]) -> dict[str, list[Rows]]:
    """All that these stored."""
    return both[1]


def compiled() -> tuple[int, int]:
    """Programs of evaluations and of gradient steps that are compiled."""
    return sample_splits._cache_size(), advance._cache_size()


def test_each_fold_is_a_run_of_its_periods_in_one_group(store: CheckpointStore, prices: Prices):
    found = run_walk_forward(make_study(), prices, store, SCHEDULE)
    runs = store.runs_of_group(found.group_id)
    assert [run.run_id for run in runs] == [result.run_id for result in found.results]
    assert len(runs) == 4
    for run, result in zip(runs, found.results, strict=True):
        own, fold = study_of_run(run), result.fold
        assert own.periods.splits() == {"train": fold.train, "validation": fold.validation, "test": fold.test}
        assert len(store.checkpoints(run_id=run.run_id)) == 8
        best = max(row.value("validation", "daily_log_sharpe") for row in store.checkpoints(run_id=run.run_id))
        assert result.checkpoint.value("validation", "daily_log_sharpe") == best
        alone = Evaluator(own, prices).evaluate(result.params)
        assert result.in_sample("daily_log_sharpe") == pytest.approx(alone["train"]["daily_log_sharpe"], rel=1e-12)
        assert result.out_of_sample("daily_log_sharpe") == pytest.approx(alone["test"]["daily_log_sharpe"], rel=1e-12)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_number_of_folds_and_jobs_adds_no_compilation(
    trainer: str, whole: dict[str, WalkForward], store: CheckpointStore, prices: Prices
):
    before = compiled()
    other = make_study("seed=5", "parameters.memory_days=6.0")
    found = run_walk_forward(other, prices, store, SCHEDULE, trainer=trainer, jobs=3)
    assert compiled() == before
    assert contents(found) != contents(whole[trainer])


@pytest.mark.parametrize("trainer", TRAINERS)
def test_jobs_change_no_result(trainer: str, whole: dict[str, WalkForward], store: CheckpointStore, prices: Prices):
    found = run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=trainer, jobs=6)
    assert contents(found) == contents(whole[trainer])
    assert found.group_id == whole[trainer].group_id


class Killed(BaseException):
    """Stands for whatever ends the process."""


@pytest.mark.parametrize(("trainer", "jobs"), [("search", 1), ("search", 3), ("sgd", 3), ("hybrid", 1)])
def test_a_killed_walk_forward_ends_with_the_same_numbers(
    trainer: str,
    jobs: int,
    whole: dict[str, WalkForward],
    store: CheckpointStore,
    prices: Prices,
    monkeypatch: pytest.MonkeyPatch,
):
    for limit in (2, 1, 3):
        steps = itertools.count(1)

        def cut(_progress, steps: Iterator[int] = steps, limit: int = limit) -> None:
            if next(steps) >= limit:
                raise Killed

        monkeypatch.setattr(store, "finish_run", lambda *_: None)  # a killed process leaves its runs as running
        with pytest.raises(Killed):
            run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=trainer, jobs=jobs, progress=cut)
        monkeypatch.undo()
    assert {run.status for run in store.find_runs()} == {"running"}
    found = run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=trainer, jobs=jobs)
    assert contents(found) == contents(whole[trainer])
    assert [run.status for run in store.runs_of_group(found.group_id)] == ["finished"] * 4


def test_what_is_finished_is_not_run_again(store: CheckpointStore, prices: Prices):
    for trainer in ("sgd", "fixed"):
        first = run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=trainer)
        seen = []
        again = run_walk_forward(make_study(), prices, store, SCHEDULE, trainer=trainer, progress=seen.append)
        assert [result.run_id for result in again.results] == [result.run_id for result in first.results]
        assert seen == []


@pytest.mark.parametrize("trainer", TRAINERS)
def test_prices_after_a_boundary_change_nothing_before_it(
    trainer: str, whole: dict[str, WalkForward], trained: dict[str, list[Rows]], store: CheckpointStore
):
    folds = [result.fold for result in whole[trainer].results]
    after = folds[1].test.start
    found = run_walk_forward(make_study(), make_prices(f"{after:%Y-%m-%d}"), store, SCHEDULE, trainer=trainer)
    (first, second, *later), (first_before, second_before, *later_before) = rows_of(store, found), trained[trainer]
    assert first == first_before
    assert [(place, raw, {**splits, "test": None}) for place, raw, splits in second] == [
        (place, raw, {**splits, "test": None}) for place, raw, splits in second_before
    ]
    assert second != second_before
    assert found.results[1].checkpoint.raw == whole[trainer].results[1].checkpoint.raw
    assert all(now != before for now, before in zip(later, later_before, strict=True))


def test_trainers_are_compared_on_the_same_folds_with_the_same_budget(store: CheckpointStore, prices: Prices):
    names = ("search", "sgd", "random", "fixed")
    found = compare_trainers(make_study(), prices, store, SCHEDULE, trainers=names, evaluations=4)
    assert list(found) == list(names)
    assert len({tuple(result.fold for result in one.results) for one in found.values()}) == 1
    rows = {name: [store.checkpoints(run_id=each.run_id) for each in one.results] for name, one in found.items()}
    assert [len(each) for name in ("search", "random") for each in rows[name]] == [4] * 8
    assert [max(row.step for row in each) for each in rows["sgd"]] == [4] * 4
    samplers = [study_of_run(store.run(found[name].results[0].run_id)).search.sampler for name in ("search", "random")]
    assert samplers == ["tpe", "random"]
    given = make_study().initial_parameters()
    assert all(np.array_equal(row.params[key], given[key]) for (row,) in rows["fixed"] for key in given)


def test_a_round_of_a_hybrid_run_fits_its_budget():
    study = make_study("hybrid.trials=50", "hybrid.top=4", "hybrid.steps=100", "hybrid.min_gain=0.1")
    assert budgeted(study, "hybrid", None).hybrid == study.hybrid
    small, large = budgeted(study, "hybrid", 40).hybrid, budgeted(study, "hybrid", 1000).hybrid
    assert (small.trials, small.steps, small.max_evaluations) == (20, 4, 40)
    assert small.trials + small.top * (small.steps + 1) == 40
    assert (large.trials, large.steps, large.max_evaluations, large.min_gain) == (50, 100, 1000, 0.0)
    assert large.rounds * (large.trials + large.top * (large.steps + 1)) >= 1000


def test_other_budgets_and_ranges_are_other_results(store: CheckpointStore, prices: Prices):
    lengths = Schedule(train_days=40, validation_days=12, test_days=60)
    large, small = (run_walk_forward(make_study(), prices, store, lengths, evaluations=n) for n in (6, 4))
    other = make_study("search.ranges.memory_days={low=1.0, high=2.0}")
    ranges = run_walk_forward(other, prices, store, lengths, evaluations=4)
    rows = [store.checkpoints(run_id=one.results[0].run_id) for one in (large, small, ranges)]
    assert [len(each) for each in rows] == [6, 4, 4]
    again = run_walk_forward(make_study(), prices, store, lengths, evaluations=4)
    assert contents(again) == contents(small)
    budgets = [budgeted(make_study(), "hybrid", n) for n in (None, 6, 9)]
    assert len({str(content_of_task(study, "hybrid")) for study in (*budgets, other)}) == 4


def test_a_failing_fold_is_named(store: CheckpointStore, prices: Prices):
    study = make_study("objective.metric='daily_sharpe'", "sgd.train=['memory_days']")
    lengths = Schedule(train_days=1, validation_days=0, test_days=60)
    with pytest.raises(WindowError, match="undefined over 1 days") as failed:
        run_walk_forward(study, prices, store, lengths)
    assert "in fold 0 of 2, trained by search" in failed.value.__notes__


def test_too_short_a_validation_for_intervals_is_refused_before_training(store: CheckpointStore, prices: Prices):
    lengths = Schedule(train_days=60, validation_days=10, test_days=20)
    with pytest.raises(ConfigError, match="'validation_lower' needs more than 10 days of validation data"):
        run_walk_forward(make_study(), prices, store, lengths, method="validation_lower")


def test_what_would_see_test_data_is_refused(store: CheckpointStore, prices: Prices):
    with pytest.raises(ConfigError, match="method = 'best_test' uses test data"):
        run_walk_forward(make_study(), prices, store, method="best_test")
    with pytest.raises(SelectionError, match="best_valdation"):
        run_walk_forward(make_study(), prices, store, method="best_valdation")
    with pytest.raises(ConfigError, match=r"objective\.periods are dates"):
        run_walk_forward(make_study("objective.periods=[['2023-02-01', '2023-02-10']]"), prices, store)
    changes = ("pool.rule='min_variance'", "parameters={}", "sgd.train=['memory_days']")
    looking = make_study(*changes, "update.published_look_ahead=true")
    with pytest.raises(ConfigError, match="published_look_ahead"):
        run_walk_forward(looking, prices, store)
    assert store.find_runs() == []


def test_what_cannot_train_is_refused(store: CheckpointStore, prices: Prices):
    with pytest.raises(ConfigError, match="driver = 'tpe' must be one of"):
        run_walk_forward(make_study(), prices, store, trainer="tpe")
    with pytest.raises(DriverError, match="backend = 'dask' evaluates trials of a search"):
        run_walk_forward(make_study(), prices, store, trainer="sgd", backend="dask")
    with pytest.raises(ConfigError, match="name each once"):
        compare_trainers(make_study(), prices, store, trainers=("sgd", "sgd"))
    with pytest.raises(ConfigError, match="evaluations = 2 are less than a round"):
        compare_trainers(make_study(), prices, store, trainers=("search", "hybrid"), evaluations=2)
    assert store.find_runs() == []


def test_validation_has_the_share_of_the_study_by_default():
    study = make_study("periods.train_end='2023-03-07'", "periods.validation_end='2023-03-21'")
    (fold, *_) = Schedule(train_days=30, test_days=20).folds(study)
    assert (fold.train.days, fold.validation.days, fold.test.days) == (30, round(30 * 14 / 45), 20)
    folds = Schedule(n_folds=3).folds(study)  # 31 days each
    assert (folds[0].train.days, folds[0].validation.days) == (31 - 7, 7)
    assert [fold.test.start - folds[0].test.start for fold in folds] == [timedelta(days=31 * i) for i in range(3)]
    assert len(Schedule().folds(study)) == 4
    assert Schedule().folds(make_study())[0].validation is None
