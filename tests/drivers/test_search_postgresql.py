"""Searches on a PostgreSQL server: several workers, workers that are killed, and a server that goes away."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import postgresql_support
import pytest
from checkpoint_support import BEGIN, check_equal_checkpoints
from search_support import Fake, SlowFake, make_prices
from server_support import EXPERIMENT, check_that_one_killed_worker_loses_nothing, check_whole, free_port, trials_of

from quantsim import CheckpointStore, Experiment
from quantsim.drivers.search import join_study, run_search
from quantsim.drivers.search.storage.opened import opened_storage


@pytest.fixture(scope="module")
def server():
    with postgresql_support.server() as found:
        yield found


def test_workers_that_find_an_empty_database_at_once_all_open_it(server):
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create database fresh")

    def opened(_):
        with opened_storage(server.url("fresh")) as storage:
            return storage.get_all_studies()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [[]] * 4


def test_rows_of_equal_parameters_are_found_in_a_checkpoint_store(server):
    with CheckpointStore(server.url()) as store:
        check_equal_checkpoints(store, **BEGIN)


def test_of_four_workers_one_is_killed(server, store, monkeypatch, tmp_path):
    monkeypatch.setenv("ONE_IS_KILLED", str(tmp_path / "killed"))
    check_that_one_killed_worker_loses_nothing(server.url(), store, jobs=4, trials=24)


def test_workers_join_and_a_server_that_goes_away_is_waited_for(server, store, monkeypatch, caplog):
    monkeypatch.setattr(Experiment, "load_prices", lambda _: make_prices())
    gone = []

    def go_away(progress):
        if progress.finished >= 8 and not gone:
            gone.append(progress.finished)
            server.stop()
            threading.Timer(0.5, server.start).start()

    def member(_):
        return join_study(server.url(), "join", make_evaluator=SlowFake)

    options = {"storage": server.url(), "study_name": "join", "make_evaluator": SlowFake}
    run_search(EXPERIMENT, make_prices(), store, trials=3, **options)
    with ThreadPoolExecutor(2) as pool:
        driver = pool.submit(run_search, EXPERIMENT, make_prices(), store, trials=24, progress=go_away, **options)
        while len(trials_of(server.url(), "join")) < 5:
            time.sleep(0.02)
        joined = member(0)
        run = driver.result()
    trials = trials_of(server.url(), "join")
    check_whole(trials, run, store)
    assert run.n_trials == joined.finished == joined.total == 24
    assert 0 < joined.n_trials < 21
    assert gone
    assert "does not answer" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_proxy_in_front_of_it(server, store):
    pytest.importorskip("grpc", reason="grpcio is not installed (the extra grpc)")
    port = free_port()
    code = (
        "import sys, optuna, warnings; warnings.simplefilter('ignore');"
        "storage = optuna.storages.get_storage(sys.argv[1]);"
        "optuna.storages.run_grpc_proxy_server(storage, host='127.0.0.1', port=int(sys.argv[2]))"
    )
    url = server.url().replace("postgresql", "postgresql+psycopg")
    with subprocess.Popen([sys.executable, "-c", code, url, str(port)], stderr=subprocess.DEVNULL) as proxy:
        try:
            options = {"storage": f"grpc://127.0.0.1:{port}", "study_name": "proxy", "make_evaluator": Fake}
            run = run_search(EXPERIMENT, make_prices(), store, trials=6, **options)
        finally:
            proxy.terminate()
    check_whole(trials_of(server.url(), "proxy"), run, store)
    assert run.storage == f"grpc://127.0.0.1:{port}"
