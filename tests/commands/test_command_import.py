"""``quantsim import``, and the commands that take what it stored."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from command_support import invoke
from published_support import gradient_entry, result_file

import quantsim


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store" / "checkpoints.db"


@pytest.fixture
def file(tmp_path):
    """Of dates that the bundled prices have."""
    dates = {
        "startDateString": "2019-01-01 00:00:00",
        "endDateString": "2019-05-31 00:00:00",
        "endTestDateString": "2019-07-01 00:00:00",
    }
    entries = gradient_entry(0, [1.0, 2.0]), gradient_entry(5, [3.0, 0.5])
    return result_file(tmp_path / "run_0123.json", *entries, **dates)


def test_import_then_select_export_and_simulate(file, store):
    result = invoke("import", file, "--store", store)
    assert result.exit_code == 0
    assert "4 checkpoints of momentum on BTC, ETH, as run " in result.stdout
    assert "Next: quantsim select" in result.stdout

    picked = invoke("select", "--method", "best_objective", "--store", store, "--json")
    assert picked.exit_code == 0, picked.output
    (checkpoint,) = json.loads(picked.stdout)["checkpoints"]
    assert (checkpoint["driver"], checkpoint["step"], checkpoint["parameter_set"]) == ("imported", 5, 0)
    assert "computed by another program on its prices" in json.loads(picked.stdout)["notes"][0]

    each = invoke("select", "--method", "best_train_objective_for_each_parameter_set", "--store", store, "--json")
    assert [(row["step"], row["parameter_set"]) for row in json.loads(each.stdout)["checkpoints"]] == [(5, 0), (0, 1)]

    exported = invoke("export", checkpoint["key"], "--store", store)
    assert json.loads(exported.stdout)["pools"][0]["rule"] == "momentum"

    # The bundled prices end before the periods of the file do.
    there = ("--study", "momentum_zero_fee", "--as-study", "--split", "validation")
    simulated = invoke("simulate", "--from", "best_train_objective_of_last", "--store", store, *there)
    assert simulated.exit_code == 0, simulated.output
    assert f"Simulating {checkpoint['key']} of run 'momentum' (imported)" in simulated.stderr


def test_an_imported_run_is_validated_by_evaluating_its_sets_anew(file, store):
    invoke("import", file, "--store", store)
    refused = invoke("validate", "--method", "best_objective", "--store", store)
    assert refused.exit_code == 2
    assert "`quantsim validate --evaluate`" in refused.output
    result = invoke("validate", "--method", "best_objective", "--store", store, "--evaluate", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["trials"], found["origin"]["kind"]) == (4, "imported")


def test_the_same_file_twice(file, store):
    invoke("import", file, "--store", store)
    before = store.read_bytes()
    again = invoke("import", file, "--store", store)
    assert again.exit_code == 0
    assert "was imported before, as run " in again.stdout
    assert store.read_bytes() == before


def test_prices_of_the_study(file, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("import", file, "--store", store, "--source", "prices").exit_code == 0
    with quantsim.CheckpointStore(store) as results:
        assert results.find_runs()[0].config["data"]["source"] == str(tmp_path / "prices")


def test_a_broken_file_leaves_no_store(file, store):
    file.write_text(file.read_text()[:-50])
    result = invoke("import", file, "--store", store)
    assert result.exit_code == 2
    assert "run_0123.json ends inside its list, after 2 entries" in result.stderr
    assert not store.parent.exists()
    assert invoke("import", file.parent / "absent.json", "--store", store).exit_code == 2
    assert not store.parent.exists()


def test_imported_and_own_runs_do_not_compare(file, store):
    # Those of another program, on prices that are not known, are not weighed against those of this one.
    with quantsim.CheckpointStore(store) as results:
        (run,) = quantsim.import_results(file, results)
        row = results.checkpoints()[0]
        options = {"experiment_id": run.experiment_id, "config": run.config}
        own = results.begin_run(data_id="ab12", driver="sgd", **options)
        results.append(own, [replace(row, run_id=own, driver="sgd", objective=1.0)])
        results.finish_run(own)
    asked = invoke("export", "best_objective", "--store", store)
    assert asked.exit_code == 2
    assert f"  run {own[:8]}" in asked.stderr
    assert f"  run {run.run_id[:8]}" in asked.stderr
    for arguments in (("select", "--method", "best_objective"), ("export", "best_objective", "--run", own[:8])):
        result = invoke(*arguments, "--store", store)
        assert result.exit_code == 0, result.output
        assert own[:8] in result.output


def test_python_door(file, store):
    with quantsim.CheckpointStore(store) as results:
        (run,) = quantsim.import_results(file, results)
        picked = quantsim.select(results.checkpoints(run_id=run.run_id), "best_objective")
    assert picked.checkpoint.step == 5
