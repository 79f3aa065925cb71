"""What private servers of tests share: a folder, a free port, a user to run as; and what a study on any of them must be."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from search_support import SlowFake, make_experiment, make_prices

from quantsim import CheckpointStore
from quantsim.drivers.search import SearchProgress, SearchRun, run_search
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.study import is_void

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
    """Every trial asked for is there once, none hangs, and the store has those that completed."""
    counted = [trial for trial in trials if not is_void(trial)]
    assert all(trial.state.is_finished() for trial in trials)
    assert len(counted) == run.n_trials
    done = [trial for trial in counted if trial.state is TrialState.COMPLETE]
    assert len(done) == run.n_trials - run.n_failed
    assert len({tuple(trial.params.values()) for trial in done}) == len(done)
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == [trial.number for trial in done]


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
    check_whole(trials_of(server.url(), "away"), run, store)
    assert (run.n_trials, run.n_failed) == (16, 0)
    assert "does not answer" in caplog.text
    assert PASSWORD not in caplog.text + str(store.run(run.run_id).notes) + run.storage
