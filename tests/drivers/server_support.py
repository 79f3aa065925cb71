"""What private servers of tests share: a folder, a free port, a user to run as; and what a study on any of them must be."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import optuna
import pytest
import search_support
from optuna.trial import FrozenTrial, TrialState
from search_support import Fake, SlowFake, make_experiment, make_prices

from quantsim import CheckpointStore
from quantsim.drivers.search import SearchProgress, SearchRun, run_search
from quantsim.storages.opened import opened_storage

USER, PASSWORD = "ann", "hunter2"

# Optuna asks a server a dozen times per trial; no sampler's time beside that, and few parameters.
EXPERIMENT = make_experiment(search={"sampler": "random", "fixed": {"k_per_day": 20.0}})


class Server(Protocol):
    """A server that a test may stop in the middle of anything."""

    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Place:
    """Where a server may run.

    Attributes:
        folder: its own, gone afterwards.
        prefix: begins every command, so that none runs as root.
        owner: whose the folder is, and what ``own`` is given; None if it is ours.
    """

    folder: Path
    prefix: tuple[str, ...]
    owner: str | None

    def own(self, path: Path) -> Path:
        """Hands a file or folder to the user that the server runs as."""
        if self.owner is not None:
            shutil.chown(path, self.owner)
        return path


@contextlib.contextmanager
def place(name: str, *users: str) -> Iterator[Place]:
    """A place for a server of that name, as one of ``users`` if we are root; skips the test where there is none of them."""
    prefix: tuple[str, ...] = ()
    owner = None
    if os.geteuid() == 0:
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        owner = next((user for user in users if user in known), None)
        if owner is None or shutil.which("setpriv") is None:
            pytest.skip(f"{name} does not run as root, and there is no user {' or '.join(users)}, or no setpriv")
        entry = known[owner]
        prefix = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    with tempfile.TemporaryDirectory(prefix="quantsim-server-") as folder:
        found = Place(Path(folder), prefix, owner)
        found.own(found.folder)
        yield found


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def trials_of(url: str, name: str) -> list[FrozenTrial]:
    with opened_storage(url) as storage:
        return optuna.load_study(storage=storage, study_name=name).trials


def check_whole(trials: list[FrozenTrial], run: SearchRun, store: CheckpointStore) -> None:
    """Every trial asked for is there once, has come to its end, and is in the store."""
    assert all(trial.state is TrialState.COMPLETE for trial in trials)
    assert len(trials) == run.n_trials
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials)
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == [trial.number for trial in trials]


def check_that_a_killed_search_goes_on(url: str, folder: Path, name: str = "killed") -> None:
    """Kills the process of a search twice; a third one comes to the end of a search that was not killed."""
    command = [sys.executable, search_support.__file__, str(folder), url, name]
    for at_least in (5, 12):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                told = int(line)
                if told >= at_least:
                    break
            process.kill()
    before = sum(trial.state is TrialState.COMPLETE for trial in trials_of(url, name))
    assert before >= told
    with CheckpointStore(folder / "checkpoints.db") as store:
        parts, trials = (make_experiment(), make_prices(), store), before + 5
        run = run_search(*parts, storage=url, study_name=name, trials=trials, make_evaluator=Fake)
        check_whole(trials_of(url, name), run, store)
        assert len(store.find_runs()) == 1
        whole = run_search(*parts, storage=folder / "whole.journal", trials=trials, make_evaluator=Fake)
    found, wanted = trials_of(url, name), trials_of(whole.storage, whole.study_name)
    assert [(trial.params, trial.values) for trial in found] == [(trial.params, trial.values) for trial in wanted]


def check_that_a_server_that_goes_away_is_waited_for(
    server: Server, store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Stops the server in the middle of a search, and starts it again a moment later."""
    gone = []

    def go_away(progress: SearchProgress) -> None:
        if progress.finished >= 6 and not gone:
            gone.append(threading.Timer(0.3, server.start))
            server.stop()
            gone[0].start()

    options = {"storage": server.url(), "study_name": "away", "make_evaluator": SlowFake, "progress": go_away}
    run = run_search(EXPERIMENT, make_prices(), store, jobs=2, trials=16, **options)
    gone[0].join()
    found = trials_of(server.url(), "away")
    check_whole(found, run, store)
    whole = run_search(EXPERIMENT, make_prices(), store, trials=16, study_name="stays", make_evaluator=Fake)
    assert [trial.params for trial in found] == [trial.params for trial in trials_of(whole.storage, "stays")]
    assert "does not answer" in caplog.text
    assert PASSWORD not in caplog.text + str(store.run(run.run_id).notes) + run.storage
