"""Claims: a study never has more trials than asked for, lost ones are found, and what was cut off is tried again once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import optuna
import pytest
from optuna.trial import TrialState

from quantsim.drivers.marks import own_mark
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.study import is_void, quiet_optuna, settled_trials
from quantsim.drivers.search.workers import claims, lost
from quantsim.drivers.search.workers.claims import Claim, Claimant, Turn, claims_of
from quantsim.drivers.search.workers.lost import MAX_RETRIES, LostTrials, abandon_session

NAMES = frozenset({"x"})


@pytest.fixture
def study(tmp_path):
    with quiet_optuna(), opened_storage(tmp_path / "study.journal") as storage:
        yield optuna.create_study(storage=storage, study_name="s", direction="maximize")


def claimant(study, session="here", **options):
    return Claimant(study._storage, study, session, None, **options)


def run(study, claim):
    """Runs a claimed trial to its end."""
    trial = optuna.trial.Trial(study, claim.trial_id)
    study.tell(trial, trial.suggest_float("x", 0, 1))


def look(study, timeout_minutes=None):
    return LostTrials(study._storage, study, NAMES, timeout_minutes).look()


def gone(study, *, drawn=True):
    """A running trial whose process has ended; its number."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return forged(study, {**own_mark(), "pid": int(child.stdout), "session": "gone", "signs": 0}, drawn=drawn)


def forged(study, mark, *, drawn=True):
    claimed = optuna.trial.create_trial(state=TrialState.RUNNING, system_attrs={"quantsim_claim_forged": mark})
    trial_id = study._storage.create_new_trial(study._study_id, claimed)
    if drawn:
        optuna.trial.Trial(study, trial_id).suggest_float("x", 0, 1)
    return study._storage.get_trial(trial_id).number


def test_one_worker_runs_what_is_asked_for(study):
    study.enqueue_trial({"x": 0.25}, user_attrs={"from": "me"})
    with claimant(study, alone=True) as worker:
        taken = []
        while isinstance(claim := worker.take(4), Claim):
            taken.append((claim.number, claim.alone))
            run(study, claim)
        assert claim is Turn.DONE
    assert taken == [(number, True) for number in range(4)]
    assert study.trials[0].params == {"x": 0.25}


def test_workers_that_do_not_look_first_never_run_too_many(study):
    kept = []

    def work():
        with claimant(study) as worker:
            for _ in range(8):
                new = optuna.trial.create_trial(state=TrialState.RUNNING, system_attrs={worker._key: own_mark()})
                trial_id = study._storage.create_new_trial(study._study_id, new)
                number = worker._keep(study.get_trials(deepcopy=False), target=9)
                if number is not None:
                    kept.append(number)
                    run(study, Claim(number, trial_id, alone=False))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == len(set(kept)) == len(settled_trials(study)) == 9
    assert sum(is_void(trial) for trial in study.trials) == 4 * 8 - 9


def test_a_worker_waits_while_others_have_the_last_trials(study):
    with claimant(study) as first, claimant(study) as second:
        claim = first.take(1)
        assert second.take(1) is Turn.WAIT
        assert second.take(2).number == 1
        run(study, claim)
        assert first.take(1) is Turn.DONE


def test_alone_means_that_nobody_ever_joined(study):
    with claimant(study, alone=True) as driver, claimant(study) as joined:
        claim = driver.take(9)
        assert claim.alone
        run(study, claim)
        run(study, joined.take(9))
        assert not driver.take(9).alone


def test_what_a_lost_worker_had_is_tried_again_once(study):
    number = gone(study)
    params = study.trials[number].params
    assert look(study) == 1
    assert look(study) == 0
    assert is_void(study.trials[number])
    (again,) = [trial for trial in study.trials if trial.state is TrialState.WAITING]
    assert again.system_attrs["fixed_params"] == params
    with claimant(study) as worker:
        run(study, worker.take(1))
        assert worker.take(1) is Turn.DONE
    assert study.trials[again.number].params == params


def test_a_trial_cut_off_while_it_was_drawn_is_drawn_anew(study):
    gone(study, drawn=False)
    assert look(study) == 1
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


def test_two_that_find_the_same_trial_lost_do_not_double_it(study):
    number = gone(study)
    for _ in range(2):  # both have enqueued it before either had marked it
        study.enqueue_trial(study.trials[number].params, user_attrs={"retry_of": number})
    with claimant(study) as worker:
        claim = worker.take(5)
        run(study, claim)
        following = worker.take(5)
    assert claim.number == number + 1
    assert following.number == number + 3
    assert [is_void(trial) for trial in study.trials] == [True, False, True, False]


def test_a_trial_that_comes_to_an_end_after_all_is_not_tried_again(study):
    with claimant(study, "late") as late, claimant(study) as other:
        claim = late.take(5)
        trial = optuna.trial.Trial(study, claim.trial_id)
        study.enqueue_trial({"x": trial.suggest_float("x", 0, 1)}, user_attrs={"retry_of": claim.number})
        study.tell(trial, 0.5)
        assert other.take(5).number == 2
    assert [is_void(trial) for trial in study.trials] == [False, True, False]


def test_a_set_that_kills_each_of_its_workers_fails_in_the_end(study):
    gone(study)
    for _ in range(MAX_RETRIES):
        look(study)
        waiting = study.trials[-1]
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
        optuna.trial.Trial(study, waiting._trial_id).suggest_float("x", 0, 1)
    look(study)
    assert study.trials[-1].state is TrialState.FAIL
    assert study.trials[-1].user_attrs["reason"] == f"{lost.LOST}, as {MAX_RETRIES} times before"
    assert [trial.number for trial in settled_trials(study)] == [MAX_RETRIES]


def test_interrupts_do_not_count_against_a_set(study):
    for _ in range(MAX_RETRIES + 2):
        with claimant(study, "mine") as worker:
            claim = worker.take(1)
            optuna.trial.Trial(study, claim.trial_id).suggest_float("x", 0, 1)
        assert abandon_session(study._storage, study, "mine", NAMES, "interrupted") == 1
    assert study.trials[-1].state is TrialState.WAITING
    assert not settled_trials(study)


def test_a_worker_elsewhere_is_lost_when_it_is_silent(study, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(lost.time, "monotonic", lambda: now[0])
    mark = {**own_mark(), "host": "far away", "session": "there", "signs": 0}
    number = forged(study, mark)
    never, watch = (LostTrials(study._storage, study, NAMES, minutes) for minutes in (None, 2.0))
    for seconds, signs, found in ((0, 0, 0), (100, 1, 0), (119, 1, 0), (0.5, 2, 0), (121, 2, 1)):
        now[0] += seconds
        trial_id = study.trials[number]._trial_id
        study._storage.set_trial_system_attr(trial_id, "quantsim_claim_forged", {**mark, "signs": signs})
        assert never.look() == 0
        assert watch.look() == found


def test_signs_of_life_come_while_a_trial_is_held(study, monkeypatch):
    monkeypatch.setattr(claims, "RENEW_SECONDS", 0.01)
    with Claimant(study._storage, study, "here", 10.0) as worker:
        claim = worker.take(1)
        while claims_of(study.trials[0])[worker.token]["signs"] < 2:
            pass
        run(study, claim)
        worker.done()
    assert claims_of(study.trials[0])[worker.token]["pid"] == os.getpid()


def test_an_ended_worker_of_this_very_process_is_gone(study):
    with claimant(study) as worker:
        worker.take(1)
        assert look(study) == 0
    assert look(study) == 1
