"""One store through all commands: fees, parameters and metrics agree, and what a command rests on is said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command_support import SMALL_SGD, invoke, is_shown_as, selected_cells

import quantsim
from quantsim import CheckpointStore, Experiment
from quantsim.drivers.sgd import Progress

DAYS = ("--set", "data.bar_minutes=1440")
KEY = re.compile(r"Selected ([0-9a-f]{8}:\d+:\d+)")
METRIC = "daily_log_sharpe"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of the bundled study with fees, on daily bars. Its tests run in their order, and add to it."""
    store = tmp_path_factory.mktemp("one") / "checkpoints.db"
    done = invoke("optuna", "--trials", "6", "--set", "search.n_startup_trials=4", *DAYS, "--store", store)
    assert done.exit_code == 0, done.output
    assert re.search(rf"best train {METRIC} \S+ \(trial \d\)", done.stderr)
    return store


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    return


def run(store: Path, *arguments: str) -> tuple[str, str]:
    """What a command writes as its result, and beside it."""
    result = invoke(*arguments, "--store", store)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def selected(store: Path) -> dict:
    picked = json.loads(run(store, "select", "--json")[0])
    (checkpoint,) = picked["checkpoints"]
    return checkpoint


def test_a_study_that_has_its_trials_says_that_none_was_run(store: Path) -> None:
    _, told = run(store, "optuna", "--from", "best", "--trials", "1", "--quiet")
    assert "so none was run; the starts of --from were not tried. --trials is the total of a study." in told


def test_export_and_simulate_take_the_study_of_the_run(store: Path) -> None:
    best = selected(store)
    out, told = run(store, "export", "best_validation")
    deployed = json.loads(out)
    (pool,) = deployed["pools"]
    assert deployed["checkpoint"]["key"] == best["key"]
    assert deployed["experiment"]["name"] == "momentum_fees"
    assert deployed["run"]["differences"] == []
    assert pool["settings"]["swap_fee"] == {"decimal": "0.003", "fixed": "3000000000000000"}
    raw = {parameter["raw"]["name"]: parameter["raw"]["values"] for parameter in pool["parameters"]}
    assert raw.items() <= best["raw"].items()
    assert f"Exporting {best['key']} of run 'momentum_fees' (search), best_validation" in told
    simulated, _ = run(store, "simulate", "--from", "best_validation")
    assert "Study 'momentum_fees'" in simulated
    stored = [best["metrics"][split][METRIC] for split in ("train", "validation", "test")]
    cells = selected_cells(simulated, METRIC)
    assert len(cells) == 4
    assert all(map(is_shown_as, stored, cells))
    (caution,) = re.findall(r"Caution: (.*)", simulated)
    assert caution.startswith("weights move in steps of 1440 minutes")


def test_methods_that_read_returns_or_evaluate_neighbours_work_in_every_command(store: Path) -> None:
    for method in ("plateau", "validation_lower", "train_and_validation", "consistent"):
        out, told = run(store, "select", "--method", method)
        key = KEY.search(out)[1]
        split = "train and validation" if method in ("train_and_validation", "consistent") else "validation"
        assert f"Selected {key}, chosen by {split} data ({method}: highest" in " ".join(out.split())
        assert "Note: the selected row has a " in told
    exported, told = run(store, "export", method)
    assert json.loads(exported)["selection"]["chosen_by"] == "train and validation"
    assert f"Exporting {key}" in told
    with CheckpointStore(store) as results:
        (start,) = quantsim.starts_from(results, [method])
    assert start.checkpoint.key == key


def test_what_decides_the_figures_is_not_changed_in_silence(store: Path) -> None:
    key = selected(store)["key"]
    for command in (("export",), ("simulate", "--split", "test", "--from")):
        for what in (key, "best"):
            for given in (("--study", "momentum_zero_fee", *DAYS), ("--set", "fees.swap_fee=0.0")):
                refused = invoke(*command, what, *given, "--store", store)
                assert refused.exit_code == 2
                assert "fees.swap_fee: 0.003 → 0.0" in refused.stderr
                assert "--as-study" in refused.stderr
                assert refused.stdout == ""
    for command in (("export", key), ("simulate", "--split", "test", "--from", "best")):
        out, told = run(store, *command, "--set", "fees.swap_fee=0.0", "--as-study")
        assert "not as in the run: fees.swap_fee: 0.003 → 0.0" in told
    assert "fee revenue 0 USD" in out
    out, told = run(store, "export", key, "--set", 'objective.report=["returns"]')  # decides nothing
    assert "not as in the run" not in told


def test_gradients_take_the_study_of_the_search_and_say_what_they_gained(store: Path) -> None:
    best = selected(store)
    out, told = run(store, "sgd", "--from-study", "momentum_fees", "--top", "2", *SMALL_SGD)
    assert f"Starting from {best['key']} of run 'momentum_fees' (search), number 1 by validation" in told
    assert "Study 'momentum_fees'" in out
    assert "unlike the run" not in told
    assert "best validation objective" in told
    chosen = KEY.search(out)[1]
    with CheckpointStore(store) as results:
        done = results.find_runs(driver="sgd")[0]
        start = next(row for row in results.checkpoints(run_id=done.run_id) if row.step == row.parameter_set == 0)
        after = results.resolve(chosen)
    assert done.config["fees"]["swap_fee"] == 0.003
    # Of the same parameters, a search and a fine-tuning make the same metrics.
    assert start.raw == {name: tuple(values) for name, values in best["raw"].items()}
    for split, table in best["metrics"].items():
        assert start.metrics[split][METRIC] == pytest.approx(table[METRIC], rel=1e-9)
    gain = after.metrics["validation"][METRIC] - start.metrics["validation"][METRIC]
    if chosen == best["key"]:
        assert "Fine-tuning did not help" in out
    else:
        assert gain > 0
        assert f"Gain over {best['key']}, the best of 2 starts: train" in out
        figure = re.search(r"validation \S+ to \S+ \(\+(\S+) \[", out)[1]
        assert is_shown_as(gain, figure)
    assert f"simulate --from {chosen}" in out


def test_a_run_that_was_cut_off_goes_on_from_the_start_that_it_had(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("sgd", "--from", "best", *SMALL_SGD, "--set", "seed=3")

    def report(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("quantsim.commands.sgd._line", report)
        cut = invoke(*command, "--quiet", "--store", store)
    assert cut.exit_code == 130
    out, told = run(store, *command)
    assert "resumed at step 2" in out
    assert re.findall(r"Starting from \S+", told) == re.findall(r"Starting from \S+", cut.stderr)


def test_a_fine_tuning_that_did_not_help_says_so_and_leaves_the_trial_the_choice(store: Path) -> None:
    best = selected(store)
    still = ("--set", "sgd.learning_rate=1e-300", "--set", "sgd.n_parameter_sets=1")  # no step moves anything
    out, _ = run(store, "sgd", "--from", best["key"], "--steps", "2", *still, "--set", "sgd.report_every=2")
    assert f"did not help on validation data: no step is better than its start, {best['key']}" in out
    assert KEY.search(out)[1] == best["key"]
    assert selected(store)["key"] == best["key"]
    with CheckpointStore(store) as results:
        copy = f"{results.find_runs(driver='sgd')[0].run_id[:8]}:0:0"
    deployed = json.loads(run(store, "export", "best")[0])
    assert (deployed["checkpoint"]["key"], deployed["checkpoint"]["origin"]) == (best["key"], None)
    assert json.loads(run(store, "export", copy)[0])["checkpoint"]["origin"] == best["key"]


def test_a_hybrid_run_says_where_its_choice_is_from(store: Path) -> None:
    small = ("--trials", "3", "--top", "1", "--rounds", "1", "--set", "hybrid.steps=2")
    out, told = run(store, "hybrid", *small, *DAYS)
    assert set(re.findall(r"best (\w+ \w+) ", told)) == {"train objective"}
    key = KEY.search(out)[1]
    assert re.search(r"Fine-tuning did not help|Selected trial \d+, fine-tuned from trial \d+", out)
    deployed = json.loads(run(store, "export", key)[0])
    assert deployed["pools"][0]["settings"]["swap_fee"]["decimal"] == "0.003"
    with CheckpointStore(store) as results:
        row = results.resolve(key)
    simulated, _ = run(store, "simulate", "--from", key, "--split", "test")
    (cell,) = selected_cells(simulated, METRIC)
    assert is_shown_as(row.metrics["test"][METRIC], cell)
    picked = json.loads(run(store, "select", "--run", key[:8], "--json")[0])
    assert picked["checkpoints"][0]["key"] == key


def test_with_runs_of_several_studies_a_method_alone_is_asked_about(store: Path) -> None:
    given = ("--study", "momentum_zero_fee", *DAYS)
    zero = Experiment.load("momentum_zero_fee").override(DAYS[1:])
    with CheckpointStore(store) as results:
        best = results.resolve(selected(store)["key"])
        what = {"experiment_id": zero.identity, "data_id": results.run(best.run_id).data_id, "name": zero.name}
        run_id = results.begin_run(**what, driver="sgd", config=zero.model_dump(mode="json"))
        results.append(run_id, [replace(best, run_id=run_id)])
        results.finish_run(run_id)
    for command in (("export", "best"), ("simulate", "--from", "best"), ("sgd", "--from", "best")):
        refused = invoke(*command, "--store", store)
        assert refused.exit_code == 2
        assert "there are runs of 2 studies" in refused.stderr
        assert re.search(rf"  run {run_id[:8]}: momentum_zero_fee \(sgd\).*: the newest", refused.stderr)
        assert re.search(
            r"  run \w{8}: momentum_fees \(\w+\).*: fees.swap_fee 0.003, and 0.0 in the newest", refused.stderr
        )
    one = json.loads(run(store, "export", "best_train", "--run", best.key[:8])[0])
    other = json.loads(run(store, "export", "best", "--study", "momentum_fees", *DAYS)[0])
    assert one["pools"][0]["settings"] == other["pools"][0]["settings"]
    assert one["pools"][0]["settings"]["swap_fee"]["decimal"] == "0.003"
    without = json.loads(run(store, "export", "best", *given)[0])
    assert without["checkpoint"]["key"] == f"{run_id[:8]}:{best.step}:0"
    assert without["pools"][0]["settings"]["swap_fee"]["decimal"] == "0"
    assert "are not comparable with the newest" in run(store, "select")[1]
