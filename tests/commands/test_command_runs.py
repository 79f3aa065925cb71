"""`quantsim runs` in a terminal of 80 columns and as JSON: the same as Python, on real runs of a search and of gradients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_support import SMALL_SEARCH, invoke
from published_support import gradient_entry, result_file
from rich.console import Console
from rich.text import Text
from typer.testing import Result

import quantsim
from quantsim.checkpoints import CheckpointStore
from quantsim.commands import output
from quantsim.storages.opened import opened_storage


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, as `show` would see it."""
    console = Console(width=80, highlight=False, markup=False, emoji=False, force_terminal=True, no_color=True)
    monkeypatch.setattr(output, "OUT", console)


def runs(store: Path, *arguments: str) -> Result:
    return invoke("runs", *arguments, "--store", store)


def as_json(store: Path, *arguments: str):
    result = runs(store, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_lists_and_details_are_those_of_python(results: Path):
    with CheckpointStore(results) as store:
        listed = store.runs()
        assert (
            as_json(results, "list")["runs"]
            == listed.to_json()
            == json.loads(invoke("runs", "--json", "--store", results).stdout)["runs"]
        )
        assert [one.driver for one in listed] == ["search", "sgd"]
        for entry in listed:
            assert as_json(results, "show", entry.key) == store.details(entry.key).to_json()
        assert as_json(results, "list", "--driver", "sgd")["runs"] == store.runs(driver="sgd").to_json()
        search, gradients = listed
    assert (search.checkpoints, gradients.checkpoints) == (5, 6)
    assert (
        json.loads(invoke("select", "--run", search.key, "--store", results, "--json").stdout)["checkpoints"][0]["key"]
        == as_json(results, "show", search.key)["results"][0]["selected"]["key"]
    )


def test_tables_fit_80_columns(results: Path, narrow: None):
    with CheckpointStore(results) as store:
        key = store.runs()[0].key
    shown = [Text.from_ansi(runs(results, *command).stdout).plain for command in ((), ("show", key))]
    *_, following = shown[1].splitlines()  # a command to be copied, in one line
    assert following.startswith(f"Next: quantsim select --run {key} --store {results}")
    for text in shown:
        assert max(len(line) for line in text.splitlines() if line != following) <= 80
    assert all(word in shown[0] for word in (key, "momentum_fees", "search", "finished", "sets", "best"))
    assert all(
        word in shown[1] for word in ("memory_days", "BTC", "validation", "HODL", "swap_fee 0.003", "2018-04-01")
    )
    toml = runs(results, "show", key, "--study").stdout
    assert '[data]\nsource = "bundled"' in toml


def test_labels_are_written_and_found(own_results: Path):
    key = as_json(own_results, "list")["runs"][0]["key"]
    assert as_json(own_results, "tag", key, "a", "b")["tags"] == ["a", "b"]
    assert "Tags" in runs(own_results, "tag", key, "--remove", "a").stdout
    assert as_json(own_results, "rename", key, "the one")["name"] == "the one"
    assert runs(own_results, "note", "the one", "looks good").stdout.strip() == "looks good"
    assert runs(own_results, "note", "the one").stdout.strip() == "looks good"
    assert [one["key"] for one in json.loads(runs(own_results, "--tag", "b", "--json").stdout)["runs"]] == [key]
    assert [one["key"] for one in as_json(own_results, "list", "--tag", "b", "--study", "the one")["runs"]] == [key]
    assert runs(own_results, "--tag", "none").stdout.strip() == "No run matches."
    assert runs(own_results, "rename", "the one", "--remove").stdout.strip() == f"Run {key} is called momentum_fees."
    for refused in (
        ("rename", key),
        ("rename", key, "x", "--remove"),
        ("note", key, "x", "--remove"),
        ("tag", key, "a b"),
        ("show", "nobody"),
        ("delete", key, "--json"),
    ):
        assert runs(own_results, *refused).exit_code == 2


def test_comparison_export_import_and_watch_are_those_of_python(results: Path, tmp_path: Path, narrow: None):
    with CheckpointStore(results) as store:
        search, gradients = store.runs()
        compared = store.compare(search.key, gradients.key)
        assert as_json(results, "compare", search.key, gradients.key) == json.loads(json.dumps(compared.to_json()))
        shown = Text.from_ansi(runs(results, "compare", search.key, gradients.key).stdout).plain
        assert max(map(len, shown.splitlines())) <= 80
        assert all(word in shown for word in ("fees.swap_fee", "Caution", "memory_days", "90 % interval", "182"))
        file, again = tmp_path / "some.db", tmp_path / "python.db"
        copied = as_json(results, "export", search.key, "-o", str(file))
        same = quantsim.export_runs(store, search.key, again)
        assert {name: copied[name] for name in ("added", "known", "left_studies")} == {
            "added": same.added.to_json(),
            "known": [],
            "left_studies": {},
        }
        assert copied["studies"] == {name: str(tmp_path / "some.journal") for name in same.studies}
        assert f"{search.key} (5 sets)" in runs(tmp_path / "new.db", "import", str(file)).stdout
        assert "There already" in runs(tmp_path / "new.db", "import", str(file)).stdout
        (now,) = store.watch(search.key)
        assert as_json(results, "watch", search.key) == now.to_json()
        assert (now.done, now.total, now.is_over) == (5, 5, True)
        assert f"{search.key} trial 5 of 5: best validation" in runs(results, "watch", search.key).stdout
    before, after = (
        json.loads(invoke("validate", search.key, "--store", place, "--json").stdout)
        for place in (results, tmp_path / "new.db")
    )
    assert before == after
    assert runs(tmp_path / "none.db", "import", str(tmp_path / "missing.db")).exit_code == 2
    assert not (tmp_path / "none.db").exists()


def test_an_imported_run_is_shown_by_its_own_objective(tmp_path: Path):
    dates = {"startDateString": "2019-01-01", "endDateString": "2019-05-31", "endTestDateString": "2019-07-01"}
    dates = {name: f"{day} 00:00:00" for name, day in dates.items()}
    store = tmp_path / "imported.db"
    assert invoke(
        "import", result_file(tmp_path / "run_01.json", gradient_entry(0, [1.0, 2.0]), **dates), "--store", store
    )
    (result,) = as_json(store, "show")["results"]
    assert result["method"] == "best_train_objective"
    assert result["selected"]["metrics"]["train"]["returns"] == 3.0
    assert "returns" in runs(store, "show").stdout


def test_options_before_a_command_are_refused(results: Path):
    refused = invoke("runs", "--store", results, "show", "abc")
    assert refused.exit_code == 2
    assert "come after it" in refused.stderr


def test_a_deleted_search_begins_anew(own_results: Path):
    (key,) = (one["key"] for one in as_json(own_results, "list", "--driver", "search")["runs"])
    asked = runs(own_results, "delete", key)
    assert asked.exit_code == 1  # nobody answers
    assert key in asked.stdout
    deleted = as_json(own_results, "delete", key, "--yes")
    assert [one["key"] for one in deleted["deleted"]] == [key]
    assert len(deleted["studies"]) == 1
    assert deleted["kept_studies"] == {}
    with opened_storage(str(own_results.with_suffix(".journal"))) as storage:
        assert storage.get_all_studies() == []
    again = invoke("optuna", *SMALL_SEARCH, "--store", own_results, "--quiet")
    assert again.exit_code == 0, again.output
    assert [one["checkpoints"] for one in as_json(own_results, "list", "--driver", "search")["runs"]] == [5]
