"""Searches on a PostgreSQL server: a database that is made by several at once, a server that goes away, a proxy in front."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import postgresql_support
import pytest
from checkpoint_support import (
    BEGIN,
    check_copies_comparisons_and_watches,
    check_equal_checkpoints,
    check_labels_and_wholes,
    check_migration_of_version_3,
    check_returns_baselines_and_groups,
)
from search_support import Fake, make_prices
from server_support import (
    EXPERIMENT,
    check_that_a_killed_search_goes_on,
    check_that_a_server_that_goes_away_is_waited_for,
    check_whole,
    free_port,
    trials_of,
)

from quantsim import CheckpointStore
from quantsim.drivers.search import run_search
from quantsim.storages.opened import opened_storage

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("postgresql")]


@pytest.fixture(scope="module")
def server():
    with postgresql_support.server() as found:
        yield found


def test_processes_that_find_an_empty_database_at_once_all_open_it(server):
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create database fresh")

    def opened(_):
        with opened_storage(server.url("fresh")) as storage:
            return storage.get_all_studies()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [[]] * 4


def test_rows_of_equal_parameters_are_found_in_a_checkpoint_store(tmp_path, server):
    with CheckpointStore(server.url()) as store:
        check_equal_checkpoints(store, **BEGIN)
        check_returns_baselines_and_groups(store, **BEGIN)
        check_labels_and_wholes(store, **BEGIN)
        check_migration_of_version_3(store, **BEGIN)
        check_copies_comparisons_and_watches(store, tmp_path)


def test_the_study_of_a_store_on_a_server_is_in_its_database(server):
    with CheckpointStore(server.url()) as store:
        run = run_search(EXPERIMENT, make_prices(), store, study_name="beside", make_evaluator=Fake, trials=2)
        assert len(trials_of(store.url, "beside")) == len(store.checkpoints(run_id=run.run_id)) == 2


def test_a_server_that_goes_away_is_waited_for(server, store, caplog):
    check_that_a_server_that_goes_away_is_waited_for(server, store, caplog)


def test_a_killed_search_resumes(server, tmp_path):
    check_that_a_killed_search_goes_on(server.url(), tmp_path)


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
