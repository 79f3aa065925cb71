"""Workers that join a study: what they find there, what they refuse, and that their trials count like any other."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from optuna.trial import TrialState
from search_support import Fake, Interrupted, SlowFake, make_experiment, make_prices
from typer.testing import CliRunner

from quantsim import CheckpointStore, Experiment, load_prices
from quantsim.commands.app import app
from quantsim.drivers.search import join_study, run_search
from quantsim.drivers.search.storage.opened import opened_storage
from quantsim.drivers.search.study import describe_task, is_void
from quantsim.drivers.search.workers import clusters
from quantsim.errors import DriverError


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the study is; its prices are the support module's."""
    monkeypatch.setattr(Experiment, "load_prices", lambda _: make_prices())
    return tmp_path / "study.journal"


def begin(store, place, total, **options):
    """A study with three trials, which shall have ``total``; its name."""
    run = run_search(make_experiment(), make_prices(), store, storage=place, trials=3, make_evaluator=Fake, **options)
    with opened_storage(place) as storage:
        describe_task(optuna.load_study(storage=storage, study_name=run.study_name), make_experiment(), total)
    return run.study_name


def trials_of(place, name):
    with opened_storage(place) as storage:
        return optuna.load_study(storage=storage, study_name=name).trials


def test_a_driver_and_two_workers_share_out_what_is_asked_for(store, place):
    def drive():
        return run_search(make_experiment(), make_prices(), store, storage=place, trials=30, make_evaluator=SlowFake)

    def member(_):
        return join_study(place, name, make_evaluator=SlowFake)

    name = begin(store, place, 3)
    with ThreadPoolExecutor(3) as pool:
        driving = pool.submit(drive)
        while len(trials_of(place, name)) < 5:
            time.sleep(0.01)
        joined = list(pool.map(member, range(2)))
        run = driving.result()
    counted = [trial for trial in trials_of(place, name) if not is_void(trial)]
    assert run.n_trials == len(counted) == 30
    assert all(trial.state is TrialState.COMPLETE for trial in counted)
    assert len({tuple(trial.params.values()) for trial in counted}) == 30
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == [trial.number for trial in counted]
    assert all((one.finished, one.total) == (30, 30) for one in joined)
    assert all(one.n_trials > 0 for one in joined)


def test_a_worker_goes_on_without_a_driver_and_the_next_driver_finds_its_trials(tmp_path, store, place):
    name = begin(store, place, 8)
    joined = join_study(place, name, trials=2, make_evaluator=Fake)
    assert (joined.n_trials, joined.finished, joined.total, joined.run_id) == (2, 5, 8, None)
    with CheckpointStore(tmp_path / "other.db") as other:
        joined = join_study(place, name, store=other, make_evaluator=Fake)
        assert (joined.n_trials, joined.finished) == (3, 8)
        assert [row.step for row in other.checkpoints(run_id=joined.run_id)] == list(range(8))
        assert other.run(joined.run_id).status == "finished"
    run = run_search(make_experiment(), make_prices(), store, storage=place, trials=8, make_evaluator=Fake)
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == list(range(8))


def test_an_interrupted_worker_gives_its_trial_back(store, place):
    name = begin(store, place, 12)
    with pytest.raises(KeyboardInterrupt):
        join_study(place, name, make_evaluator=Interrupted)
    *_, cut_off, waiting = trials_of(place, name)
    assert (cut_off.user_attrs["reason"], waiting.state) == ("interrupted", TrialState.WAITING)
    assert waiting.system_attrs["fixed_params"] == cut_off.params
    assert join_study(place, name, make_evaluator=Fake).finished == 12


def test_other_prices_are_refused(store, place, monkeypatch):
    name = begin(store, place, 8)
    monkeypatch.setattr(Experiment, "load_prices", lambda _: make_prices(scale=2.0))
    with pytest.raises(DriverError, match=r"not those of study .*: data_id is .* --set data.source="):
        join_study(place, name, make_evaluator=Fake)


def test_another_search_is_refused_and_another_place_of_the_data_is_not(store, place):
    name = begin(store, place, 5)
    with pytest.raises(
        DriverError, match=r"something else than study .*: experiment.fees.swap_fee is 0.01, and was 0.0"
    ):
        join_study(place, name, settings=["fees.swap_fee=0.01"], make_evaluator=Fake)
    assert join_study(place, name, settings=["data.source=elsewhere"], make_evaluator=Fake).finished == 5


def test_what_is_not_there_is_named(store, place):
    with pytest.raises(DriverError, match=r"there is no file .*, so no study to join"):
        join_study(place, "probe", make_evaluator=Fake)
    assert not place.exists()
    name = begin(store, place, 5)
    with pytest.raises(DriverError, match=f"no study 'prob' here: .*{name}"):
        join_study(place, "prob", make_evaluator=Fake)
    with opened_storage(place) as storage:
        optuna.create_study(storage=storage, study_name="foreign")
    with pytest.raises(DriverError, match="does not say what it searches"):
        join_study(place, "foreign", make_evaluator=Fake)
    with pytest.raises(DriverError, match="trials = 0 must be a whole number"):
        join_study(place, name, trials=0, make_evaluator=Fake)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "slurm"}, r"backend = 'slurm' must be one of processes, dask, ray"),
        ({"address": "host:8786"}, r"address = 'host:8786' is of a cluster"),
        ({"backend": "dask"}, r"needs the package distributed: pip install 'quantsim\[dask\]'"),
    ],
)
def test_backends_that_cannot_be_are_refused_at_once(store, monkeypatch, options, message):
    monkeypatch.setitem(clusters._PACKAGES, "dask", "distributed")
    monkeypatch.setattr(clusters.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DriverError, match=message):
        run_search(make_experiment(), make_prices(), store, make_evaluator=None, **options)


def test_a_file_is_warned_of_where_machines_are_several(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(clusters.importlib.util, "find_spec", lambda name: object())
    with caplog.at_level(logging.WARNING):
        clusters.check_backend("dask", "tcp://localhost:8786", tmp_path / "study.journal")
        clusters.check_backend("dask", "cluster:8786", "mysql+pymysql://ann:hunter2@db/studies")
        assert not caplog.records
        clusters.check_backend("dask", "cluster:8786", tmp_path / "study.journal")
    assert "study.journal, which the machines of cluster:8786 must reach" in caplog.text


def test_the_command_with_the_real_evaluator(tmp_path, store):
    experiment = Experiment.from_dict(
        {
            "name": "tryout",
            "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 60},
            "periods": {"train_start": "2018-02-01", "train_end": "2018-03-01", "validation_end": "2018-04-01"},
            "pool": {"rule": "momentum"},
        }
    )
    place = tmp_path / "study.db"
    run = run_search(experiment, load_prices(["BTC", "ETH"], bar_minutes=60), store, storage=place, trials=1)
    with opened_storage(place) as storage:
        describe_task(optuna.load_study(storage=storage, study_name=run.study_name), experiment, 3)
    arguments = ["worker", "--storage", str(place), "--study-name", run.study_name, "--trials", "1", "--quiet"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"Ran 1 trials of study {run.study_name}" in result.stdout
    assert "it has 2 of 3" in result.stdout
    assert f"quantsim worker --storage sqlite:///{place} --study-name {run.study_name}" in result.stderr
