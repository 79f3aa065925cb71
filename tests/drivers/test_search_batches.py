"""Batches: the same trials on any number of threads, in whatever pieces a study is run, and wherever its process was killed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from search_support import TOKENS, Fake, make_experiment, make_prices

from quantsim import CheckpointStore, Evaluator, Prices
from quantsim.checkpoints import BASELINES
from quantsim.drivers.loop import run_driver
from quantsim.drivers.search import driver as driver_module
from quantsim.drivers.search import run_search
from quantsim.drivers.search.asking import Asking, call_width
from quantsim.drivers.search.driver import SearchDriver
from quantsim.drivers.search.outcomes import MOST_ATTEMPTS
from quantsim.drivers.search.samplers.genetic import NSGAIISampler
from quantsim.drivers.search.study import load_study
from quantsim.errors import DriverError
from quantsim.simulator import Evaluation
from quantsim.storages.journal import JournalFile
from quantsim.storages.opened import opened_storage

SAMPLERS = ("tpe", "cmaes", "nsga2", "nsga3", "qmc", "random")
PRUNERS = ("median", "hyperband")
N_TRIALS = 36


class Wide(Fake):
    """Takes many sets in a call; some, fixed by their values, are not finite; blocks get worse where the whole is bad."""

    sets_per_call = 32

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.widths: list[int] = []
        self.threads: set[int] = set()
        self.alone = 0

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        return self.value(params)

    def value(self, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        metrics = super().evaluate(params)
        if math.sin(1e3 * float(params["log_k"][0])) > 0.8:
            metrics["train"][self.experiment.objective.metric] = math.nan
        return metrics

    def evaluate_sets(self, sets: Mapping[str, Any]) -> Evaluation:
        if len(sets["log_k"]) > 1:
            self.widths.append(len(sets["log_k"]))
            self.threads.add(threading.get_ident())
        else:
            self.alone += 1
        return super().evaluate_sets(sets)

    def evaluate_block(self, params: Mapping[str, Any], n_blocks: int, block: int) -> float:
        return float(super().evaluate(params)["train"]["daily_log_sharpe"]) + block


class Uneven(Wide):
    """Later sets are done sooner."""

    def evaluate_sets(self, sets: Mapping[str, Any]) -> Evaluation:
        time.sleep(0.002 * (abs(math.sin(1e3 * float(sets["log_k"][0, 0]))) > 0.5))
        return super().evaluate_sets(sets)


class Killed(BaseException):
    """Stands for a signal that ends the process."""


def search(store, path, evaluator=Wide, trials=N_TRIALS, experiment=None, prices=None, **options):
    """The run, and the evaluator that it used."""
    made = []

    def make(*parts):
        made.append(evaluator(*parts))
        return made[-1]

    jobs = options.pop("jobs", 1)
    enqueue = options.pop("enqueue", ())
    experiment = experiment or make_experiment(search={"population_size": 8, "prune_blocks": 3, **options})
    run = run_search(
        experiment,
        prices or make_prices(),
        store,
        storage=path,
        trials=trials,
        jobs=jobs,
        enqueue=enqueue,
        make_evaluator=make,
    )
    return run, made[0]


def trials_of(path, run):
    """Parameters, state, values and reports of the trials, by number."""
    with opened_storage(path) as storage:
        trials = load_study(storage, run.study_name).trials
    return [(trial.params, trial.state, trial.values, trial.intermediate_values) for trial in trials]


def whole(store, path, **options):
    run, _ = search(store, path, **options)
    return trials_of(path, run)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_threads_make_no_difference(tmp_path, store, sampler):
    wanted = whole(store, tmp_path / "1.journal", sampler=sampler)
    failed = sum(state is TrialState.FAIL for _, state, _, _ in wanted)
    assert 0 < failed < 20
    assert len(wanted) == N_TRIALS
    for jobs in (2, 4):
        path = tmp_path / f"{jobs}.journal"
        run, evaluator = search(store, path, Uneven, sampler=sampler, jobs=jobs)
        assert trials_of(path, run) == wanted
        assert len(evaluator.threads) > 1


def test_threads_make_no_difference_to_the_real_evaluator(tmp_path, store):
    times = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[h]")
    walk = np.random.default_rng(0).normal(0, 0.01, (times.size, 2)).cumsum(axis=0)
    prices = Prices.from_arrays(times, 100 * np.exp(walk), TOKENS)
    found = []
    for jobs in (1, 2, 4):
        run = run_search(make_experiment(), prices, store, storage=tmp_path / f"{jobs}.journal", trials=16, jobs=jobs)
        rows = store.checkpoints(run_id=run.run_id)
        table = store.daily_log_returns([run.run_id], "train")
        found.append([(row.raw, row.metrics, values.tolist()) for row, values in zip(rows, table.values, strict=True)])
    assert len(found[0]) == 16
    assert found[0] == found[1] == found[2]
    again = Evaluator(make_experiment(), prices).evaluate_sets(
        {name: np.array([rows[3].raw[name]]) for name in rows[3].raw}
    )
    np.testing.assert_allclose(again.daily_log_returns["train"][0], table.values[3], rtol=1e-12)
    assert set(store.baselines(run.run_id)) == set(BASELINES)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_threads_make_no_difference_to_pruning(tmp_path, store, pruner):
    options = {"pruner": pruner, "n_startup_trials": 4}
    wanted = whole(store, tmp_path / "1.journal", **options)
    pruned = sum(state is TrialState.PRUNED for _, state, _, _ in wanted)
    assert 0 < pruned < N_TRIALS - 5
    assert whole(store, tmp_path / "4.journal", jobs=4, **options) == wanted


@pytest.mark.parametrize("options", [*({"sampler": name} for name in SAMPLERS), {"multivariate": False}])
def test_a_study_in_pieces_has_the_trials_of_one_in_one_piece(tmp_path, store, options):
    wanted = whole(store, tmp_path / "a.journal", **options)
    for trials in (3, 13, 14, 30, N_TRIALS):
        run, _ = search(store, tmp_path / "b.journal", trials=trials, **options)
        assert run.n_trials == trials
    assert trials_of(tmp_path / "b.journal", run) == wanted


def test_a_batch_is_drawn_before_any_of_it_is_known(tmp_path, store):
    class Other(Wide):
        def value(self, params):
            metrics = super().value(params)
            if len(self.widths) > 8:  # the calls of the first two batches are over
                metrics["train"]["daily_log_sharpe"] *= -1.0
            return metrics

    one, other = (
        [params for params, *_ in whole(store, tmp_path / f"{kind.__name__}.journal", evaluator=kind, trials=32)]
        for kind in (Wide, Other)
    )
    assert one[:24] == other[:24]
    assert all(first != second for first, second in zip(one[24:], other[24:], strict=True))


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2", "nsga3", "qmc", "random"])
def test_the_trials_are_those_of_one_after_the_other(tmp_path, store, monkeypatch, sampler):
    run, evaluator = search(store, path := tmp_path / "a.journal", sampler=sampler)
    assert evaluator.alone == 0
    assert set(evaluator.widths) == {2}
    monkeypatch.setattr(driver_module, "call_width", lambda *_: 1)
    other, evaluator = search(store, tmp_path / "b.journal", sampler=sampler)
    assert evaluator.alone == N_TRIALS
    assert trials_of(tmp_path / "b.journal", other) == trials_of(path, run)


def killed_at(monkeypatch, write):
    """Has the process "killed" at that write to the journal, counted from 1; nothing is written after that."""
    append, count = JournalFile.append_logs, 0

    def counted(self, logs):
        nonlocal count
        count += 1
        if count >= write:
            raise Killed
        append(self, logs)

    monkeypatch.setattr(JournalFile, "append_logs", counted)
    return lambda: count


@pytest.mark.parametrize(
    "options",
    [{}, {"sampler": "nsga2"}, {"sampler": "cmaes"}, {"pruner": "hyperband"}, {"multivariate": False}],
    ids=str,
)
def test_a_killed_driver_resumes_to_the_same_end(tmp_path, store, monkeypatch, options):
    given = [{"memory_days": 1.0, "k_per_day": 16.0}, {"memory_days": 2.0, "k_per_day": 8.0}]
    options |= {"trials": 20, "enqueue": given}
    with monkeypatch.context() as patch:
        writes = killed_at(patch, math.inf)
        wanted = whole(store, tmp_path / "whole.journal", **options)
    for write in np.linspace(5, writes() - 1, 5).astype(int).tolist():
        path = tmp_path / f"{write}.journal"
        with monkeypatch.context() as patch:
            killed_at(patch, write)
            with pytest.raises(Killed):
                search(store, path, **options)
        run, _ = search(store, path, **options)
        assert trials_of(path, run) == wanted, write
        rows = store.checkpoints(run_id=run.run_id)
        assert {row.step for row in rows} == {
            number for number, trial in enumerate(wanted) if trial[1] is TrialState.COMPLETE
        }
        check_returns(store, rows)


def check_returns(store, rows):
    """That the store has the daily returns of all rows."""
    for place, split in enumerate(("train", "validation")):
        table = store.daily_log_returns([rows[0].run_id], split)
        assert table.checkpoint_ids == tuple(row.checkpoint_id for row in rows)
        assert table.values.tolist() == [
            [sum(row.raw["log_k"]) + place, sum(row.raw["logit_lamb"]) + place] for row in rows
        ]


def test_the_returns_of_trials_that_the_store_lacks_are_evaluated_again(tmp_path, store, monkeypatch):
    path, append = tmp_path / "a.journal", CheckpointStore.append

    def killed(self, run_id, rows, **options):
        if rows and rows[0].step > 8:
            raise Killed
        append(self, run_id, rows, **options)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "append", killed)
        patch.setattr(SearchDriver, "salvage", lambda *_: None)
        with pytest.raises(Killed):
            search(store, path, trials=16)
    run, evaluator = search(store, path, trials=16)
    check_returns(store, rows := store.checkpoints(run_id=run.run_id))
    assert sum(evaluator.widths) + evaluator.alone <= 16 - 8 + 2  # those that were told, and those that were not yet
    with CheckpointStore(tmp_path / "other.db") as other:
        run, _ = search(other, path, trials=16)
        check_returns(other, again := other.checkpoints(run_id=run.run_id))
    assert [row.raw for row in again] == [row.raw for row in rows]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_ctrl_c_keeps_evaluated_trials_and_the_search_resumes(tmp_path, store, sampler):
    class Interrupted(Wide):
        def evaluate_sets(self, sets):
            if len(self.widths) == 7:
                raise KeyboardInterrupt
            return super().evaluate_sets(sets)

    wanted = whole(store, tmp_path / "a.journal", sampler=sampler)
    path = tmp_path / "b.journal"
    with pytest.raises(KeyboardInterrupt):
        search(store, path, Interrupted, sampler=sampler)
    with opened_storage(path) as storage:
        trials = load_study(storage, next(iter(storage.get_all_studies())).study_name).trials
    assert sum(trial.state.is_finished() for trial in trials) == 14
    run, _ = search(store, path, sampler=sampler)
    assert trials_of(path, run) == wanted
    assert not any(trial.user_attrs.get("attempts") for trial in trials)


def test_a_driver_runs_a_study_again_after_an_interrupt(tmp_path, store):
    wanted = whole(store, tmp_path / "a.journal", trials=24)
    experiment = make_experiment(search={"population_size": 8, "prune_blocks": 3})

    def interrupt(progress):
        if progress.finished == 10:
            raise KeyboardInterrupt

    path = tmp_path / "b.journal"
    driver = SearchDriver(experiment, make_prices(), storage=path, jobs=2, trials=24, make_evaluator=Uneven)
    with driver:
        with pytest.raises(KeyboardInterrupt):
            run_driver(driver, store, progress=interrupt)
        done = run_driver(driver, store)
    assert (done.resumed, done.first.tally.finished) == (True, 10)
    assert trials_of(path, driver) == wanted


def test_patience_ends_an_interrupted_study_at_the_same_trial(tmp_path, store):
    options = {"trials": 200, "patience": 12, "min_gain": 0.05}
    wanted = whole(store, tmp_path / "a.journal", **options)
    assert len(wanted) < 200
    assert len(wanted) % 8 == 0, "it is checked at the end of a batch"
    experiment = make_experiment(search={"population_size": 8, "prune_blocks": 3, **options})

    def in_two_pieces(path, n_first):
        counts: list[int] = []
        driver = SearchDriver(experiment, make_prices(), storage=path, make_evaluator=Wide)
        with driver:
            run_driver(
                driver, store, progress=lambda now: counts.append(now.finished), stop=lambda: counts[-1] >= n_first
            )
        with driver:
            done = run_driver(driver, store)
        assert done.first.tally.finished in (n_first, n_first + 1)
        return trials_of(path, driver)

    for left in (11, 3):  # a step tells two trials
        assert in_two_pieces(tmp_path / f"{left}.journal", len(wanted) - left) == wanted


def test_trials_are_asked_for_while_others_are_evaluated(tmp_path, store, monkeypatch):
    asked, begun, most = [], [], []

    class Waiting(Fake):
        def evaluate(self, params):
            begun.append(params)
            if len(begun) > 1:  # the first one compiles
                deadline = time.monotonic() + 10.0
                while len(asked) < min(len(begun) + 2, 8) and time.monotonic() < deadline:
                    time.sleep(0.001)
                most.append(len(asked) - len(begun))
            return super().evaluate(params)

    ask = Asking._ask

    def counted(self):
        found = ask(self)
        asked.append(found)
        return found

    monkeypatch.setattr(Asking, "_ask", counted)
    run, _ = search(store, tmp_path / "a.journal", Waiting, trials=8, jobs=2)
    assert run.n_trials == 8
    assert max(most) >= 2, "at most two wait for a thread"
    assert max(most) <= 3


def test_a_trial_that_ends_its_process_again_and_again_fails(tmp_path, store, monkeypatch):
    class Deadly(Wide):
        def value(self, params):
            if params["log_k"][0] < 0.0:
                raise Killed
            return super().value(params)

    monkeypatch.setattr(SearchDriver, "_release", lambda *_: None)  # a process that is killed does not
    path = tmp_path / "a.journal"
    for _ in range(1 + MOST_ATTEMPTS):
        with pytest.raises(Killed):
            search(store, path, Deadly, trials=8, enqueue=[{"memory_days": 1.0, "k_per_day": 0.5}])
    run, _ = search(store, path, trials=8)
    with opened_storage(path) as storage:
        trials = load_study(storage, run.study_name).trials
    assert trials[0].state is TrialState.FAIL
    assert trials[0].user_attrs["reason"].startswith("its evaluation ended the process 2 times")
    assert all("ended the process" not in trial.user_attrs.get("reason", "") for trial in trials[1:])


def test_a_trial_cut_off_once_its_parents_are_selected_is_drawn_as_it_was(tmp_path, store, monkeypatch):
    options = {"sampler": "nsga2"}
    wanted = whole(store, tmp_path / "a.journal", **options)
    path = tmp_path / "b.journal"
    select = NSGAIISampler.select_parent

    def cut_off(self, study, generation):
        select(self, study, generation)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NSGAIISampler, "select_parent", cut_off)
        with pytest.raises(KeyboardInterrupt):
            search(store, path, **options)
    run, _ = search(store, path, **options)
    assert trials_of(path, run) == wanted


def test_where_the_call_fails_each_is_evaluated_by_itself(tmp_path, store):
    class Fails(Wide):
        def evaluate_sets(self, sets):
            if len(sets["log_k"]) > 1:
                raise MemoryError("too wide")
            return super().evaluate_sets(sets)

    run, evaluator = search(store, tmp_path / "a.journal", Fails, sampler="nsga2")
    assert run.n_trials == evaluator.alone == N_TRIALS


def test_twenty_failures_in_a_row_end_it_here_too(tmp_path, store):
    class NeverFinite(Wide):
        def value(self, params):
            metrics = super().value(params)
            metrics["train"]["daily_log_sharpe"] = math.nan
            return metrics

    with pytest.raises(DriverError, match=r"20 trials .* one after another, .* train daily_log_sharpe is nan"):
        search(store, tmp_path / "a.journal", NeverFinite, sampler="random")


def test_sets_that_were_given_are_evaluated_with_the_first_generation(tmp_path, store):
    given = [{"memory_days": 1.0, "k_per_day": 16.0}, {"memory_days": 2.0, "k_per_day": 8.0}]
    driver = SearchDriver(
        make_experiment(search={"sampler": "nsga2", "population_size": 8}),
        make_prices(),
        storage=tmp_path / "a.journal",
        make_evaluator=Wide,
    )
    with driver:
        for params in given:
            driver.enqueue(driver.space.from_human(params), {"from": "here"})
        state, _ = driver.init()
        state, _ = driver.step(state)
        assert len(state.asked) == 2 + 8 - 2
        assert [trial.user_attrs.get("from") for trial in driver.study.trials] == ["here", "here", *[None] * 8]


def test_a_call_takes_a_share_of_a_batch():
    def width(at_most=32, **search):
        return call_width(make_experiment(search=search).search, 4, at_most)

    assert width(sampler="nsga2", population_size=30) == 8
    assert width(sampler="nsga2", population_size=30, batch=2) == 8
    assert width(5, sampler="nsga2", population_size=500) == 5
    assert width(1, sampler="cmaes") == 1
    assert width(sampler="cmaes") == 2
    assert width() == 2
    assert width(batch=1) == 1
