"""Study storages: what survives a kill, what others can read, and what messages show."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import sqlite3
import threading
import weakref
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from quantsim.errors import DriverError
from quantsim.optuna_private import writing_together
from quantsim.storages import journal, patient
from quantsim.storages.location import default_storage, describe_storage
from quantsim.storages.opened import opened_storage
from quantsim.storages.patient import PatientStorage


@pytest.fixture(autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def add_trials(location: Path | str, n_trials: int) -> list[float]:
    """Runs trials; returns the values of all there are."""
    with opened_storage(location) as storage:
        study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
        for _ in range(n_trials):
            trial = study.ask()
            trial.set_user_attr("note", "n")
            study.tell(trial, trial.suggest_float("x", 0, 1))
        return [trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))]


@pytest.mark.parametrize("torn", [b'{"op_code":6,"worker', b"{", b'{"op_code":8}' + b"x" * 10_000])
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    path = tmp_path / "study.journal"
    before = add_trials(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert add_trials(path, 0) == before
    path.write_bytes(whole + torn)
    assert add_trials(path, 1)[:3] == before
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_line_torn_by_another_live_writer_is_cut_off(tmp_path):
    path = tmp_path / "study.log"
    with opened_storage(path) as storage:
        study = optuna.create_study(storage=storage)
        with path.open("ab") as file:
            file.write(b'{"op_code"')
        study.tell(study.ask(), 1.0)
        assert len(study.trials) == 1
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_file_of_one_torn_line_starts_afresh(tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(b'{"op_code":0')
    assert len(add_trials(path, 1)) == 1


def test_optuna_reads_and_writes_the_same_file(tmp_path):
    path = tmp_path / "study.journal"
    add_trials(path, 2)
    study = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")
    study.tell(study.ask(), 5.0)
    assert add_trials(path, 1)[2] == 5.0


def test_the_dashboard_reads_the_file(tmp_path):
    storage_url = pytest.importorskip("optuna_dashboard._storage_url")
    path = tmp_path / "study.journal"
    add_trials(path, 2)
    storage = storage_url.get_storage(str(path))
    assert [len(storage.get_all_trials(study._study_id)) for study in storage.get_all_studies()] == [2]


@pytest.mark.parametrize("suffix", [".journal", ".db"])
def test_writers_at_once_lose_nothing(tmp_path, suffix):
    path = tmp_path / f"study{suffix}"
    add_trials(path, 1)
    threads = [threading.Thread(target=add_trials, args=(path, 5)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(add_trials(path, 0)) == 11


def test_sqlite_is_opened_with_a_write_ahead_log(tmp_path):
    with (
        opened_storage(tmp_path / "folder" / "study.sqlite3") as storage,
        storage._storage._backend.engine.connect() as connection,
    ):
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


@pytest.mark.parametrize("text", ["what I did today\nnothing\n", "what I did today\nnothing", "x", '{"a": 1}\n{"b"'])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes.log"
    path.write_text(text)
    with pytest.raises(DriverError, match=r"cannot open the study storage .*notes.log: "):
        add_trials(path, 1)
    assert path.read_text() == text


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(DriverError, match=r"neither a database URL nor a path that ends in .journal, .log"):
        add_trials(tmp_path / "study.txt", 1)


@pytest.mark.parametrize("url", ["postgresql://ann:hunter2@localhost:1/x", "nosuch://ann:hunter2@localhost/x"])
def test_passwords_are_never_shown(url):
    with pytest.raises(DriverError) as caught:
        add_trials(url, 1)
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
    assert "ann:***@localhost" in str(caught.value)


def test_a_url_that_cannot_be_read_is_not_shown():
    with pytest.raises(DriverError) as caught:
        describe_storage("postgresql://ann:hunter2@host:port/x")
    assert "hunter2" not in str(caught.value)


def test_the_default_lies_beside_the_store(tmp_path):
    assert default_storage(f"sqlite:///{tmp_path}/checkpoints.db") == f"{tmp_path}/checkpoints.journal"
    with pytest.raises(DriverError, match="set storage="):
        default_storage("sqlite:///file:checkpoints.db?mode=rw&uri=true")


def test_the_default_of_a_store_on_a_server_is_its_database():
    assert default_storage("postgresql://ann:hunter2@host/name") == "postgresql://ann:hunter2@host/name"
    with pytest.raises(DriverError, match=r"ann:\*\*\*@host.* set storage="):
        default_storage("postgresql://ann:***@host/name")


def lost_connection():
    return OperationalError("select 1", {}, ConnectionError("the server at ann:hunter2@db is gone"))


class LosesAnswers(InMemoryStorage):
    """Its connection is lost after what is asked for was done, once for each kind of request."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def lose(self, what):
        if what not in self.seen:
            self.seen.add(what)
            raise lost_connection()

    def create_new_trial(self, study_id, template_trial=None):
        trial_id = super().create_new_trial(study_id, template_trial)
        self.lose("create")
        return trial_id

    def set_trial_state_values(self, trial_id, state, values=None):
        changed = super().set_trial_state_values(trial_id, state, values)
        self.lose(state)
        return changed

    def get_all_trials(self, *arguments, **options):
        self.lose("read")
        return super().get_all_trials(*arguments, **options)


def test_a_write_that_succeeded_before_the_connection_was_lost_is_not_repeated(monkeypatch, caplog):
    monkeypatch.setattr(patient, "_FIRST_PAUSE_S", 0.001)
    storage = PatientStorage(LosesAnswers(), "postgresql://ann:***@db/studies", "hunter2")
    study = optuna.create_study(storage=storage, direction="maximize")
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))
    assert [trial.state for trial in study.trials] == 3 * [TrialState.COMPLETE]
    assert caplog.text.count("the server at ann:***@db is gone); next try in 0.0 s") == 3
    assert "hunter2" not in caplog.text


def test_a_trial_created_before_the_connection_was_lost_is_found_by_its_attributes(monkeypatch):
    monkeypatch.setattr(patient, "_FIRST_PAUSE_S", 0.001)
    inner = LosesAnswers()
    study = optuna.create_study(storage=PatientStorage(inner, "db"))
    lose, other = inner.lose, optuna.trial.create_trial(state=TrialState.WAITING, system_attrs={"of": "another"})

    def lose_late(what):  # when another program has enqueued a trial, too
        if what == "create" and what not in inner.seen:
            InMemoryStorage.create_new_trial(inner, study._study_id, other)
        lose(what)

    inner.lose = lose_late
    study.enqueue_trial({"x": 0.25})
    assert [trial.system_attrs.get("fixed_params") for trial in study.trials] == [{"x": 0.25}, None]


def test_the_extra_for_a_proxy_is_named(monkeypatch):
    def missing(**_):
        raise ModuleNotFoundError("No module named 'grpc'")

    monkeypatch.setattr("optuna.storages.GrpcStorageProxy", missing)
    with pytest.raises(DriverError, match=r"grpc://host:1 needs the package grpcio: pip install 'quantsim\[grpc\]'"):
        add_trials("grpc://host:1", 1)


def test_a_server_that_stays_away_ends_the_search_in_the_end():
    class Away(InMemoryStorage):
        def get_all_studies(self):
            raise lost_connection()

        def get_study_id_from_name(self, study_name):
            raise KeyError(study_name)

    storage = PatientStorage(Away(), "postgresql://ann:***@db/studies", patience_s=0.0)
    with pytest.raises(DriverError, match=r"storage postgresql://ann:\*\*\*@db/studies has not answered for 0 s"):
        storage.get_all_studies()
    with pytest.raises(KeyError):  # no matter of the connection
        storage.get_study_id_from_name("s")


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("left", ["a link to the journal", "a link to nowhere", "a file"])
def test_a_lock_left_by_a_killed_process_holds_up_for_a_moment_only(tmp_path, monkeypatch, relative, left):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal, "_STALE_LOCK_SECONDS", 0.05)
    path = Path("results/study.journal") if relative else tmp_path / "results" / "study.journal"
    add_trials(path, 1)
    lock = tmp_path / "results" / "study.journal.lock"
    if left == "a file":
        lock.touch()
    else:
        lock.symlink_to(path if left == "a link to the journal" else "results/gone.journal")
    assert len(add_trials(path, 1)) == 2
    assert sorted(each.name for each in (tmp_path / "results").iterdir()) == ["study.journal"]


@pytest.mark.parametrize("lock_class", [JournalFileSymlinkLock, JournalFileOpenLock])
def test_other_programs_of_optuna_and_we_wait_for_each_other(tmp_path, lock_class):
    path = tmp_path / "study.journal"
    lock = lock_class(str(path))
    lock.acquire()
    ours = threading.Thread(target=add_trials, args=(path, 1))
    ours.start()
    ours.join(0.05)
    assert ours.is_alive()
    lock.release()
    ours.join()
    with journal._locked(path):
        theirs = threading.Thread(target=lock.acquire)
        theirs.start()
        theirs.join(0.05)
        assert theirs.is_alive()
    theirs.join()
    lock.release()


def test_a_journal_is_synced_once_a_second_and_when_it_is_closed(tmp_path, monkeypatch):
    now, synced = 0.0, []
    monkeypatch.setattr(journal.time, "monotonic", lambda: now)
    monkeypatch.setattr(journal.os, "fsync", lambda _: synced.append(now))
    with opened_storage(tmp_path / "study.journal") as storage:
        study = optuna.create_study(storage=storage)
        for now in (0.2, 0.9, 1.0, 1.5):
            study.add_trial(optuna.create_trial(value=now))
        assert synced == [0.0, 1.0]
        now = 1.6
    assert synced == [0.0, 1.0, 1.6]


def test_what_is_written_together_is_written_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "study.journal"
    with opened_storage(path) as storage:
        study = optuna.create_study(storage=storage)
        trial, before = study.ask(), path.read_bytes()
        with contextlib.suppress(KeyboardInterrupt), writing_together(study):
            trial.set_user_attr("a", 1)
            raise KeyboardInterrupt
        assert path.read_bytes() == before
        with writing_together(study):
            trial.set_user_attr("b", 2)
            trial.set_user_attr("c", 3)
            assert path.read_bytes() == before
    with opened_storage(path) as storage:
        (study,) = storage.get_all_studies()
        assert storage.get_all_trials(study._study_id)[0].user_attrs == {"b": 2, "c": 3}


def test_parts_of_a_trial_are_one_transaction_of_a_database(tmp_path):
    commits = []
    with opened_storage(tmp_path / "study.db") as storage:
        study = optuna.create_study(storage=storage)
        trial = study.ask()
        event.listen(storage._storage._backend.engine, "commit", commits.append)
        with writing_together(study):
            trial.set_user_attr("a", 1)
            trial.set_constraint("c", -1.0)
            trial.report(0.5, 0)
            before = len(commits)
        assert len(commits) == before + 1
        (stored,) = study.trials
        assert (stored.user_attrs, stored.constraints, stored.intermediate_values) == ({"a": 1}, {"c": -1.0}, {0: 0.5})
        trial.set_user_attr("a", 2)
        assert study.trials[0].user_attrs == {"a": 2}


def test_other_storages_store_parts_of_a_trial_as_well():
    study = optuna.create_study(storage=PatientStorage(InMemoryStorage(), "memory"))
    trial = study.ask()
    with writing_together(study):
        trial.set_user_attr("a", 1)
        trial.set_user_attr("b", 2)
    assert study.trials[0].user_attrs == {"a": 1, "b": 2}
    with writing_together(optuna.create_study()):  # has no block of its own
        pass


def test_a_pipe_is_no_journal(tmp_path):
    os.mkfifo(tmp_path / "study.journal")
    with pytest.raises(DriverError, match=r"cannot open the study storage .*study\.journal: .*it is not a file"):
        add_trials(tmp_path / "study.journal", 1)


def test_a_journal_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    def fail(_file):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    with opened_storage(tmp_path / "study.journal") as storage:
        study = optuna.create_study(storage=storage)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fail)
            patched.setattr(journal, "_SECONDS_BETWEEN_SYNCS", 0.0)
            with pytest.raises(
                DriverError,
                match=r"study\.journal cannot be written: File too large; remove the cause, and run the search again",
            ):
                study.ask()
        shutil.rmtree(tmp_path)
        with pytest.raises(DriverError, match=r"study\.journal cannot be read: No such file or directory"):
            study.ask()


def test_a_database_that_fails_for_good_is_an_error(tmp_path):
    with opened_storage(tmp_path / "study.db") as storage:
        study = optuna.create_study(storage=storage)
        with sqlite3.connect(tmp_path / "study.db") as connection:
            connection.execute("DROP TABLE trials")
        with pytest.raises(DriverError, match=r"study\.db fails with OperationalError: no such table"):
            study.ask()


@pytest.mark.parametrize("moment", ["open", "unlink"])
def test_ctrl_c_while_the_journal_is_locked_leaves_no_lock(tmp_path, monkeypatch, moment):
    path, call = tmp_path / "study.journal", getattr(os, moment)
    file = journal.JournalFile(path)

    def interrupted(place, *arguments):
        result = call(place, *arguments)
        if str(place).endswith(".lock"):
            os.kill(os.getpid(), signal.SIGINT)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(os, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            file.append_logs([{"op_code": 0}])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "no lock stays behind"
    file.append_logs([{"op_code": 1}])
    assert list(file.read_logs(0)) == [{"op_code": 0}, {"op_code": 1}]


def test_ctrl_c_is_not_lost_in_a_callback_of_a_weak_reference():
    class Interrupted(InMemoryStorage):
        def get_all_studies(self):
            reference = weakref.ref(set(), lambda _: os.kill(os.getpid(), signal.SIGINT))
            return [reference() is None]

    with pytest.raises(KeyboardInterrupt):
        PatientStorage(Interrupted(), "db").get_all_studies()
