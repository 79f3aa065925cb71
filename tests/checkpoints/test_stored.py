"""Stored runs whose configurations an older version wrote."""

from __future__ import annotations

from run_support import DAYS

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints.comparable import comparable_runs
from quantsim.checkpoints.stored import content_of, study_of_run
from quantsim.config.identity import SEARCH, Decides, content, differences
from quantsim.drivers.search.study import StudyIdentity


def test_keys_that_an_older_version_lacked_compare_by_their_defaults(store: CheckpointStore) -> None:
    config = DAYS.model_dump(mode="json")
    old = {**config, "fees": {"swap_fee": 0.0}, "data": {key: config["data"][key] for key in ("tokens", "bar_minutes")}}
    assert content(Experiment, old, Decides.VALUE, {}) == DAYS.content(Decides.VALUE)
    changed = {**old, "fees": {"swap_fee": 0.001}, "pool": {**config["pool"], "of_another_version": 1}}
    assert differences(content(Experiment, changed, Decides.VALUE, {}), DAYS.content(Decides.VALUE)) == (
        "fees.swap_fee: 0.001 → 0.0",
        "pool.of_another_version: 1 → not set",
    )
    what = {"experiment_id": "e", "data_id": "d", "driver": "sgd"}
    runs = [store.run(store.begin_run(**what, config=each)) for each in (old, changed)]
    assert comparable_runs(runs, DAYS) == comparable_runs(runs, runs[0]) == [runs[0]]


def test_optimal_of_older_versions_is_the_published_form(store: CheckpointStore) -> None:
    published = DAYS.override(["update.interpolation='published_optimal'"])
    config = published.model_dump(mode="json")
    del config["data"]["stamps"]  # which 0.1.0 did not know
    config["update"]["interpolation"] = "optimal"
    what = {"experiment_id": "of 0.1.0", "data_id": "d", "name": "old"}
    run = store.run(store.begin_run(**what, driver="sgd", config=config))
    assert study_of_run(run).identity == published.identity
    assert differences(content_of(run, Decides.VALUE), published.content(Decides.VALUE)) == ()
    identity = StudyIdentity(SEARCH, published.content(SEARCH), "d", {}, "")
    assert identity.differences({"experiment": config, "data_id": "d", "space": {}}) == []
