"""Searches that travel between stores: their studies go with them, and are resumed as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from checkpoint_support import fill
from optuna.trial import TrialState
from search_support import Fake, Interrupted, make_experiment, make_prices
from typer.testing import CliRunner

import quantsim
from quantsim import CheckpointStore
from quantsim.commands.app import app
from quantsim.drivers.search import run_search
from quantsim.optuna_private import set_study_attribute, study_attributes
from quantsim.storages.opened import opened_storage


def search(store: CheckpointStore, sampler: str = "tpe", make_evaluator: Any = Fake, **options: Any) -> Any:
    experiment = make_experiment(search={"sampler": sampler, "trials": 12, "n_startup_trials": 4, "population_size": 4})
    return run_search(experiment, make_prices(), store, make_evaluator=make_evaluator, jobs=1, **options)


def study_in(storage: str | Path) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    with opened_storage(storage) as opened:
        study = optuna.load_study(storage=opened, study_name=None)
        return study.trials, study.user_attrs, study_attributes(study)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cmaes"])
def test_a_search_goes_on_elsewhere_as_if_it_had_never_moved(
    sampler: str, store: CheckpointStore, tmp_path: Path
) -> None:
    whole = search(store, sampler, storage=tmp_path / "whole.journal")
    with pytest.raises(KeyboardInterrupt):
        search(store, sampler, Interrupted)
    (run,) = store.find_runs(status="interrupted")
    there = tmp_path / "there"
    there.mkdir()
    found = quantsim.export_runs(store, run.run_id, there / "runs.db")
    assert found.studies == {run.notes["study"]: str(there / "runs.journal")}
    before, after = study_in(tmp_path / "checkpoints.journal")[0], study_in(there / "runs.journal")[0]
    kept = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs", "datetime_start")
    assert [[getattr(one, name) for name in kept] for one in before] == [
        [getattr(one, name) for name in kept] for one in after
    ]
    assert TrialState.RUNNING in {trial.state for trial in after}
    with CheckpointStore(tmp_path / "mine" / "mine.db") as mine:
        imported = quantsim.import_runs(mine, there / "runs.db")
        assert list(imported.studies.values()) == [mine.run(run.run_id).notes["storage"]]
        resumed = search(mine, sampler)
        assert resumed.run_id == run.run_id
        assert mine.run(run.run_id).status == "finished"
        trials = study_in(tmp_path / "mine" / "mine.journal")[0]
    assert [trial.params for trial in trials] == [trial.params for trial in study_in(tmp_path / "whole.journal")[0]]
    assert resumed.best_value == whole.best_value


def test_a_longer_study_replaces_a_shorter_one_and_an_equal_one_stays(store: CheckpointStore, tmp_path: Path) -> None:
    run, other = search(store, trials=4), tmp_path / "other" / "runs.db"
    quantsim.export_runs(store, run.run_id, other)
    written = other.with_suffix(".journal").read_bytes()
    assert quantsim.export_runs(store, run.run_id, other).studies  # nothing to do
    assert other.with_suffix(".journal").read_bytes() == written
    search(store, trials=8)
    with CheckpointStore(other) as target:
        quantsim.import_runs(target, tmp_path / "checkpoints.db", replace=True)
        assert len(study_in(other.with_suffix(".journal"))[0]) == len(target.checkpoints(run_id=run.run_id)) == 8


def test_what_is_not_copied_is_said(store: CheckpointStore, tmp_path: Path) -> None:
    run = search(store, trials=4)
    store.export_runs(run.run_id, tmp_path / "alone.db")  # without its journal
    arguments = ["runs", "import", str(tmp_path / "alone.db"), "--store", str(tmp_path / "mine.db")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert f"study {run.study_name} is not copied: it is not in the storage beside the store" in result.output
    with opened_storage(tmp_path / "mine2.journal") as storage:
        optuna.create_study(storage=storage, study_name=run.study_name).set_user_attr(
            "quantsim", {"study_id": "another"}
        )
    found = quantsim.export_runs(store, run.run_id, tmp_path / "mine2.db")
    assert found.studies == {}
    assert "another study of this name" in found.left[run.study_name]
    result = CliRunner().invoke(
        app,
        ["runs", "export", run.run_id, "-o", str(tmp_path / "mine3.db"), "--store", str(tmp_path / "checkpoints.db")],
    )
    assert f"Optuna study {run.study_name}:" in result.output
    assert (tmp_path / "mine3.journal").is_file()


def test_pickles_and_what_the_dashboard_shows_are_left_out(store: CheckpointStore, tmp_path: Path) -> None:
    run = search(store, trials=4)
    with opened_storage(run.storage) as storage:
        study = optuna.load_study(storage=storage, study_name=run.study_name)
        for key in ("cma:n", "dashboard:note_str:0", "artifacts:1", "kept"):
            set_study_attribute(study, key, "text")
    quantsim.export_runs(store, run.run_id, tmp_path / "runs.db")
    attributes = study_in(tmp_path / "runs.journal")[2]
    assert not [key for key in attributes if key.startswith(("cma:", "dashboard:", "artifacts:"))]
    assert attributes["kept"] == "text"


def test_a_copy_does_not_delete_the_study_of_its_original(store: CheckpointStore, tmp_path: Path) -> None:
    run = search(store, trials=4)
    store.export_runs(run.run_id, tmp_path / "other.db")  # without the study
    with CheckpointStore(tmp_path / "other.db") as other:
        assert "storage" not in other.run(run.run_id).notes
        assert quantsim.delete_runs(other, run.run_id).studies == ()
    assert len(study_in(run.storage)[0]) == 4


def test_a_foreign_store_names_no_files(store: CheckpointStore, tmp_path: Path) -> None:
    notes = {"study": "mine", "study_id": "5" * 32, "storage": str(tmp_path / "secret.journal")}
    fill(store, driver="search", notes=notes, group=("../../x", 0))
    with opened_storage(tmp_path / "secret.journal") as storage:
        optuna.create_study(storage=storage, study_name="mine").set_user_attr("quantsim", {"study_id": "5" * 32})
    with CheckpointStore(tmp_path / "mine" / "mine.db") as mine:
        found = quantsim.import_runs(mine, tmp_path / "checkpoints.db")
    assert found.studies == {}
    assert "the id of its group, '../../x', is not valid" in found.left["mine"]
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["mine.db"]
