"""The search driver in one process: trials, resuming, failures, identity, and the checkpoint store."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading

import optuna
import pytest
from optuna.trial import TrialState
from search_support import FailingAlways, FailingOften, Fake, Interrupted, make_experiment, make_prices

from quantsim import CheckpointStore
from quantsim.drivers.search import run_search
from quantsim.errors import ConfigError, DriverError, ParameterError
from quantsim.storages.opened import opened_storage


def search(store, *, experiment=None, prices=None, make_evaluator=Fake, **options):
    return run_search(
        experiment or make_experiment(),
        prices or make_prices(),
        store,
        make_evaluator=make_evaluator,
        **options,
    )


def trials_of(run):
    with opened_storage(run.storage) as storage:
        return optuna.load_study(storage=storage, study_name=run.study_name).trials


def params_of(run):
    return [trial.params for trial in trials_of(run) if trial.state is not TrialState.WAITING]


def study_of(tmp_path):
    """The only study of the default storage, as (trials, user attributes)."""
    with opened_storage(tmp_path / "checkpoints.journal") as storage:
        study = optuna.load_study(storage=storage, study_name=None)
        return study.trials, study.user_attrs


def test_every_trial_is_in_study_and_store(tmp_path, store):
    events = []
    run = search(store, progress=events.append)
    trials = trials_of(run)
    rows = store.checkpoints(run_id=run.run_id)
    assert run.study_name.startswith("probe-")
    assert run.storage == str(tmp_path / "checkpoints.journal")
    assert (run.n_trials, run.n_failed, len(trials), len(rows)) == (12, 0, 12, 12)
    for trial, row in zip(trials, rows, strict=True):
        assert (row.step, row.parameter_set, row.driver) == (trial.number, 0, "search")
        assert row.objective == trial.value == row.value("train", "daily_log_sharpe")
        assert row.human["memory_days"] == pytest.approx(
            [trial.params["memory_days[ETH]"], trial.params["memory_days[BTC]"]], rel=1e-12
        )
        assert trial.user_attrs["metrics"] == row.metrics
        assert trial.user_attrs["validation daily_log_sharpe"] == row.value("validation", "daily_log_sharpe")
        assert set(row.raw) == {"initial_weights_logits", "logit_lamb", "logit_delta_lamb", "log_k"}
    best = max(rows, key=lambda row: row.objective)
    assert (run.best_trial, run.best_value) == (best.step, best.objective)
    assert [event.finished for event in events] == list(range(1, 13))
    assert (events[-1].total, events[-1].failed, events[-1].best_value) == (12, 0, run.best_value)
    stored = store.run(run.run_id)
    assert (stored.status, stored.driver, stored.seed) == ("finished", "search", 7)
    assert stored.notes["warm_up_days"] == 1.0


def test_a_search_repeats_itself(tmp_path, store):
    first = search(store, storage=tmp_path / "a.journal")
    second = search(store, storage=tmp_path / "b.db")
    assert params_of(first) == params_of(second)
    assert params_of(search(store, experiment=make_experiment(seed=8))) != params_of(first)
    drawn = params_of(first)
    assert len({tuple(params.values()) for params in drawn}) == len(drawn)


def test_an_extended_study_has_the_same_trials(tmp_path, store):
    whole = search(store, storage=tmp_path / "whole.journal")
    for trials in (3, 7):
        assert search(store, trials=trials).n_trials == trials
    run = search(store)
    assert run.n_trials == 12
    assert params_of(run) == params_of(whole)
    assert len(store.checkpoints(run_id=run.run_id)) == 12
    assert search(store, trials=5).n_trials == 12  # nothing left to do
    assert store.run(run.run_id).status == "finished"


def test_ctrl_c_keeps_finished_trials_and_the_study_resumes(tmp_path, store):
    whole = search(store, storage=tmp_path / "whole.journal")
    with pytest.raises(KeyboardInterrupt):
        search(store, make_evaluator=Interrupted, jobs=1)
    (stored,) = store.find_runs(status="interrupted")
    assert stored.reason == "interrupted by the user"
    assert len(store.checkpoints(run_id=stored.run_id)) == 5
    trials, _ = study_of(tmp_path)
    assert [trial.state for trial in trials[5:]] == [TrialState.RUNNING] * 3  # the rest of the batch
    run = search(store)
    assert (run.run_id, run.n_trials, run.n_failed) == (stored.run_id, 12, 0)
    assert params_of(run) == params_of(whole)


def test_a_failed_trial_has_a_reason_and_the_study_continues(store):
    run = search(store, make_evaluator=FailingOften)
    failed = [trial for trial in trials_of(run) if trial.state is TrialState.FAIL]
    assert run.n_trials == 12
    assert run.n_failed == len(failed) == 6
    reasons = {trial.user_attrs["reason"].partition(";")[0] for trial in failed}
    assert reasons == {"ArithmeticError: the pool ran dry", "train daily_log_sharpe is nan"}
    assert {row.step for row in store.checkpoints(run_id=run.run_id)}.isdisjoint(trial.number for trial in failed)


def test_twenty_failures_in_a_row_end_the_study(tmp_path, store):
    with pytest.raises(DriverError, match=r"20 trials .* failed one after another.*trial 19.*the pool ran dry"):
        search(store, make_evaluator=FailingAlways, trials=50)
    (stored,) = store.find_runs(status="failed")
    assert "the pool ran dry" in stored.reason
    trials, _ = study_of(tmp_path)
    assert sum(trial.state.is_finished() for trial in trials) == 20


def test_a_study_without_a_completed_trial_is_an_error_with_the_reason(store):
    with pytest.raises(DriverError, match=r"none of the 3 trials .* completed; .*the pool ran dry"):
        search(store, make_evaluator=FailingAlways, trials=3)


def test_metrics_that_are_not_finite_are_kept(store):
    class Odd(Fake):
        def evaluate(self, params):
            metrics = super().evaluate(params)
            metrics["validation"].update(daily_log_sharpe=float("nan"), returns=float("-inf"))
            return metrics

    run = search(store, make_evaluator=Odd, trials=2)
    assert (
        "validation daily_log_sharpe" not in trials_of(run)[0].user_attrs
    )  # a column of numbers and texts does not sort
    row = store.checkpoints(run_id=run.run_id)[0]
    assert str(row.value("validation", "daily_log_sharpe")) == "nan"
    assert row.value("validation", "returns") == float("-inf")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"fees": {"swap_fee": 0.003}}, "experiment.fees.swap_fee is 0.003, and was 0.0"),
        ({"seed": 8}, "experiment.seed is 8, and was 7"),
        ({"data": {"tokens": ["BTC", "ETH"]}}, "experiment.data.tokens"),
        ({"search": {"n_startup_trials": 5}}, "experiment.search.n_startup_trials is 5, and was 4"),
    ],
)
def test_a_study_of_another_experiment_is_refused(store, change, key):
    search(store, study_name="mine", trials=2)
    with pytest.raises(DriverError, match=f"study 'mine' is of another experiment or other prices.*{key}"):
        search(store, study_name="mine", experiment=make_experiment(**change))


def test_a_study_of_other_prices_or_another_space_is_refused(tmp_path, store):
    search(store, study_name="mine", trials=2)
    with pytest.raises(DriverError, match="data_id is"):
        search(store, study_name="mine", prices=make_prices(2.0))
    space = tmp_path / "space.toml"
    space.write_text("[k_per_day]\n[memory_days]\nhigh = 100.0\n")
    changed = make_experiment(search={"space": str(space)})
    with pytest.raises(DriverError, match=r"space.memory_days\[BTC\] is \[1.0, 100.0, True\], and was"):
        search(store, study_name="mine", experiment=changed)
    others = ({}, {"prices": make_prices(2.0)}, {"experiment": changed})
    names = {search(store, trials=2, **other).study_name for other in others}
    assert len(names) == 3


def test_settings_outside_the_identity_may_change(store):
    first = search(store, trials=2)
    other = make_experiment(description="words", sgd={"steps": 3}, search={"trials": 4, "jobs": 2})
    second = search(store, experiment=other)
    assert (second.study_name, second.run_id, second.n_trials) == (first.study_name, first.run_id, 4)


def test_a_study_of_an_older_version_is_resumed(tmp_path, store):
    """It knew fewer keys, kept those of other drivers with what it compares, and made the name of all that."""
    experiment = make_experiment()
    first = search(store, trials=2)
    journal = tmp_path / "checkpoints.journal"
    journal.write_text(journal.read_text().replace(first.study_name, "probe-0123abcd"))
    old = experiment.model_dump(
        mode="json", exclude={"name": True, "sgd": True, "search": {"trials", "prune_blocks", "batch"}}
    )
    old["search"]["trial_timeout_minutes"] = 5.0
    with opened_storage(journal) as storage:
        study = optuna.load_study(storage=storage, study_name="probe-0123abcd")
        study.set_user_attr("quantsim", {**study.user_attrs["quantsim"], "experiment": old})
        study.set_user_attr("quantsim_experiment", None)  # which 0.1.0 did not keep
    second = search(store, trials=4)
    assert (second.study_name, second.run_id, second.n_trials) == ("probe-0123abcd", first.run_id, 4)
    third = search(store, trials=5)  # by all that this version keeps
    assert (third.study_name, third.n_trials) == ("probe-0123abcd", 5)
    other = search(store, trials=1, experiment=make_experiment(seed=8))
    assert other.study_name not in ("probe-0123abcd", first.study_name)
    with pytest.raises(DriverError, match=r"experiment.seed is 8, and was 7"):
        search(store, study_name="probe-0123abcd", experiment=make_experiment(seed=8))


def test_a_study_of_another_program_is_refused(tmp_path, store):
    with opened_storage(tmp_path / "study.journal") as storage:
        study = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
        study.tell(study.ask(), 1.0)
        optuna.create_study(storage=storage, study_name="least", direction="minimize")
    with pytest.raises(DriverError, match="trials of another program"):
        search(store, storage=tmp_path / "study.journal", study_name="theirs")
    with pytest.raises(DriverError, match="has the directions minimize, and this search maximises 1"):
        search(store, storage=tmp_path / "study.journal", study_name="least")


def test_a_new_store_gets_all_trials_of_an_old_study(tmp_path, store):
    run = search(store)
    with CheckpointStore(tmp_path / "other.db") as other:
        again = search(other, storage=run.storage)
        assert again.run_id != run.run_id
        assert [row.metrics for row in other.checkpoints()] == [row.metrics for row in store.checkpoints()]


def test_a_new_study_of_the_same_name_is_a_new_run(tmp_path, store):
    first = search(store, trials=3)
    (tmp_path / "checkpoints.journal").unlink()
    second = search(store, trials=2)
    assert first.study_name == second.study_name
    assert [len(store.checkpoints(run_id=run.run_id)) for run in (first, second)] == [3, 2]


def test_trials_that_older_versions_had_cut_off_do_not_count(store):
    """They were failed as abandoned, and their parameters enqueued; one that was cut off while it was drawn is drawn whole."""
    run = search(store, trials=6)
    with opened_storage(run.storage) as storage:
        study = optuna.load_study(storage=storage, study_name=run.study_name)
        params = {**study.trials[0].params, "k_per_day[ETH]": 3.0}
        void = study.ask()
        void.set_user_attr("abandoned", True)
        study.tell(void, state=TrialState.FAIL)
        study.enqueue_trial(params, user_attrs={"retry_of": 6})
        study.ask()  # takes it from the queue
        study.ask().suggest_float("k_per_day[ETH]", 0.01, 1000.0, log=True)
    run = search(store)
    trials = trials_of(run)
    assert (run.n_trials, run.n_failed, len(trials)) == (12, 0, 13)
    assert trials[7].params == params
    assert {row.step for row in store.checkpoints(run_id=run.run_id)} == {*range(13)} - {6}


def test_a_queued_value_that_is_no_choice_fails_its_trial(tmp_path, store):
    space = tmp_path / "space.toml"
    space.write_text("[k_per_day]\n[memory_days]\nchoices = [1.0, 5.0]\n")
    experiment = make_experiment(search={"space": str(space)})
    run = search(store, experiment=experiment, trials=2)
    with opened_storage(run.storage) as storage:
        optuna.load_study(storage=storage, study_name=run.study_name).enqueue_trial({"memory_days[ETH]": 3.0})
    run = search(store, experiment=experiment, trials=4)
    assert (run.n_trials, run.n_failed) == (4, 1)
    assert "has no parameter 'memory_days[" in trials_of(run)[2].user_attrs["reason"]


def test_sets_are_tried_first_and_once(store):
    first = search(store, trials=3, study_name="first")
    sets = [row.human for row in store.checkpoints(run_id=first.run_id)][:2]
    run = search(store, experiment=make_experiment(seed=9), enqueue=sets, trials=4)
    again = search(store, experiment=make_experiment(seed=9), enqueue=sets, trials=5)
    rows = store.checkpoints(run_id=again.run_id)
    assert again.run_id == run.run_id
    assert len(rows) == 5
    for row, human in zip(rows, sets, strict=False):
        assert row.human["memory_days"] == pytest.approx(human["memory_days"], rel=1e-12)
    assert rows[4].human != rows[0].human


def test_a_set_outside_the_space_is_refused_before_anything_runs(store):
    with pytest.raises(ParameterError, match=r"memory_days\[ETH\] = 500 lies outside"):
        search(store, enqueue=[{"memory_days": 500.0, "k_per_day": 1.0}])
    assert store.find_runs() == []


def test_parameters_that_are_not_searched_keep_the_experiments_values(tmp_path, store):
    space = tmp_path / "space.toml"
    space.write_text("[k_per_day]\nscalar = true\n")
    experiment = make_experiment(
        search={"space": str(space)}, parameters={"logit_lamb": [0.5, 1.5], "log_k": 3.0, "initial_weights": [0.3, 0.7]}
    )
    row = store.checkpoints(run_id=search(store, experiment=experiment, trials=2).run_id)[0]
    assert row.raw["logit_lamb"] == (0.5, 1.5)
    assert row.human["initial_weights"] == pytest.approx([0.3, 0.7])
    assert row.raw["log_k"][0] == row.raw["log_k"][1] != 3.0


def test_a_study_in_use_is_left_alone(tmp_path, store):
    run = search(store, trials=2)

    def mark(host, pid):
        with opened_storage(run.storage) as storage:
            study = optuna.load_study(storage=storage, study_name=run.study_name)
            study.set_user_attr("quantsim_runner", {"host": host, "pid": pid})

    mark(socket.gethostname(), os.getppid())
    with pytest.raises(DriverError, match=f"is being run by process {os.getppid()}"):
        search(store)
    mark("elsewhere.example", 1)
    with pytest.raises(DriverError, match=r"on elsewhere.example; .*take_over=True"):
        search(store)
    assert search(store, trials=3, take_over=True).n_trials == 3
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    mark(socket.gethostname(), gone.pid)
    assert search(store, trials=4).n_trials == 4
    assert study_of(tmp_path)[1]["quantsim_runner"] is None


@pytest.mark.parametrize("options", [{"trials": 0}, {"jobs": 0}, {"trials": 2.5}, {"jobs": True}])
def test_numbers_out_of_range_are_refused(store, options):
    with pytest.raises(DriverError, match="must be a whole number from 1 to "):
        search(store, **options)


def test_nothing_to_search_is_refused(store):
    with pytest.raises(ConfigError, match="nothing to search"):
        search(store, experiment=make_experiment(pool={"rule": "hodl"}))


def test_optunas_log_level_is_restored(store):
    level = optuna.logging.get_verbosity()
    search(store, trials=1)
    assert optuna.logging.get_verbosity() == level


def test_importing_does_not_load_optuna():
    code = "import sys, quantsim, quantsim.drivers.search; assert 'optuna' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_by_default_a_search_uses_all_threads(store, monkeypatch):
    monkeypatch.setenv("QUANTSIM_THREADS", "3")
    meeting, numbers = threading.Barrier(3), itertools.count()

    class Meeting(Fake):
        def evaluate_sets(self, sets):
            if 1 <= next(numbers) <= 3:  # the first call runs alone, to compile
                meeting.wait(30)
            return super().evaluate_sets(sets)

    assert search(store, make_evaluator=Meeting, trials=8).n_failed == 0
