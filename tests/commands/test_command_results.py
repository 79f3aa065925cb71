"""Each command end to end, in this process: what it prints and what it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from checkpoint_support import sql
from command_support import SMALL_SEARCH, SMALL_SGD, is_shown_as, selected_cells

from quantsim import CheckpointStore, Experiment, load_prices, simulate
from quantsim.commands.display import show_notes
from quantsim.config.locate import find_study
from quantsim.storages.opened import opened_storage

KEY = re.compile(r"Selected ([0-9a-f]{8}:\d+:\d+)")


def test_sgd_stores_and_shows(cli, tmp_path: Path):
    result = cli("sgd", *SMALL_SGD)
    assert result.exit_code == 0, result.output
    assert "momentum_zero_fee" in result.stdout
    assert "4 steps" in result.stdout
    assert "chosen by validation data" in result.stdout
    heads = [line.split() for line in result.stdout.splitlines() if line.startswith(" metric ")]
    assert heads == [["metric", "selected", "study", "constant", "weights", "HODL"]] * 3
    assert "6 trials, " in result.stdout  # parameter sets, reports
    assert "The selected set is" in result.stdout
    assert "quantsim-results/checkpoints.db" in result.stdout
    assert re.search(r"step 4 of 4: best validation objective \S+, train objective \S+ \(median \S+\)", result.stderr)
    assert result.stderr.count("gaps of the prices are filled") == 1
    with CheckpointStore("quantsim-results/checkpoints.db") as store:
        (run,) = store.find_runs(driver="sgd", status="finished")
        assert len(store.checkpoints(run_id=run.run_id)) == 2 * 3  # parameter sets, reports


def test_optuna_stores_and_shows(cli, tmp_path: Path):
    result = cli("optuna", *SMALL_SEARCH, "--store", "here/checkpoints.db", "--plots", "pages")
    assert result.exit_code == 0, result.output
    check_result_in_note_and_page(result.stdout)
    assert "5 trials" in result.stdout
    assert "here/checkpoints.journal" in result.stdout
    assert "--store here/checkpoints.db" in result.stdout
    assert (tmp_path / "here" / "checkpoints.journal").is_file()
    again = cli("optuna", *SMALL_SEARCH, "--store", "here/checkpoints.db", "--trials", "6")
    assert "6 trials" in again.stdout
    with CheckpointStore("here/checkpoints.db") as store:
        assert [row.step for row in store.checkpoints()] == list(range(6))


def check_result_in_note_and_page(shown: str) -> None:
    """The dashboard's note of a study and the pages have the result beside the baselines."""
    from optuna_dashboard import get_note

    with opened_storage("here/checkpoints.journal") as storage:
        (study,) = storage.get_all_studies()
        note = get_note(optuna.load_study(study_name=study.study_name, storage=storage))
    assert "## Result" in note
    assert "| metric | selected | study | constant weights | HODL |" in note
    for text in (note, Path("pages/result.html").read_text()):
        assert "Validation, 90 days, used for selection" in text
        assert all(cell in text for cell in selected_cells(shown, "returns_over_hodl"))


def test_optuna_storage_and_name_as_asked_for(cli, tmp_path: Path):
    result = cli("optuna", "--trials", "1", "--storage", "elsewhere/study.db", "--study-name", "mine")
    assert result.exit_code == 0, result.output
    assert "name mine" in result.stdout
    assert (tmp_path / "elsewhere" / "study.db").is_file()


def test_a_short_history_is_said(capsys):
    show_notes({"warm_up": "182 days of history before training, fewer than max_memory_days = 300"})
    assert "warm up on 182 days of history" in capsys.readouterr().err


def test_search_tries_stored_checkpoints_first(cli, own_results: Path):
    key = KEY.search(cli("select", "--store", own_results, "--study", "momentum_zero_fee").stdout)[1]
    result = cli("optuna", "--trials", "1", "--store", own_results, "--storage", "other.journal", "--from", key)
    assert result.exit_code == 0, result.output
    assert f"Trying first {key}" in result.stderr
    picked = KEY.search(result.stdout)[1]
    with CheckpointStore(own_results) as store:
        given, tried = store.resolve(key), store.resolve(picked)
    np.testing.assert_allclose(tried.human["memory_days"], given.human["memory_days"], rtol=1e-9)


def test_gradients_start_where_the_search_ended(cli, own_results: Path):
    with CheckpointStore(own_results) as store:
        row = store.checkpoints(driver="search")[-1]
    given = ("--study", "momentum_zero_fee", "--set", "sgd.initial_spread=0")
    result = cli("sgd", *SMALL_SGD, *given, "--from", row.key, "--store", own_results)
    assert result.exit_code == 0, result.output
    assert "unlike the run of the start, this one has fees.swap_fee: 0.003 → 0.0" in result.stderr
    with CheckpointStore(own_results) as store:
        run = store.find_runs(driver="sgd")[0]
        first = store.checkpoints(run_id=run.run_id)[0]
    assert first.raw["logit_lamb"] == row.raw["logit_lamb"]


def test_gradients_start_from_a_method(cli, own_results: Path):
    result = cli("sgd", *SMALL_SGD, "--from", "best", "--study", "momentum_zero_fee", "--store", own_results)
    assert result.exit_code == 0, result.output
    assert "best_validation: highest validation daily_log_sharpe" in result.stderr


def test_simulate_shows_every_split(cli):
    result = cli("simulate")
    assert result.exit_code == 0, result.output
    titles = re.findall(r"^(\w+), \d+ days", result.stdout, re.MULTILINE)
    assert titles == ["Train", "Validation", "Test", "All"]
    heads = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith(" metric ")]
    assert heads == [["selected", "study", "constant", "weights", "HODL"]] * 3 + [["selected", "HODL"]]
    cells = selected_cells(result.stdout, "annualised_volatility")
    assert len(cells) == 4


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_simulate_writes_the_path(cli, suffix):
    result = cli("simulate", "--split", "test", "--param", "memory_days=[15,25]", "--csv", f"path{suffix}")
    assert result.exit_code == 0, result.output
    frame = pd.read_csv("path.csv", parse_dates=["time"]) if suffix == ".csv" else pd.read_parquet("path.parquet")
    study = Experiment.load(find_study("momentum_zero_fee"))
    prices = load_prices(study.data.tokens)
    expected = simulate(study, {"memory_days": [15.0, 25.0], "k_per_day": 20.0}, prices, split="test")
    assert [*frame] == ["time", "value", "hodl_value", "weight_BTC", "weight_ETH", "reserve_BTC", "reserve_ETH"]
    np.testing.assert_allclose(frame["value"], expected.value, rtol=1e-12)
    np.testing.assert_allclose(frame["reserve_ETH"], expected.reserves[:, 1], rtol=1e-12)
    assert frame["time"].iloc[0] == pd.Timestamp("2019-04-01", tz="UTC")
    over_hodl = frame["value"].iloc[-1] / frame["hodl_value"].iloc[-1] - 1
    np.testing.assert_allclose(over_hodl, expected.metrics["returns_over_hodl"], rtol=1e-9)


def test_simulate_takes_a_checkpoint_with_its_study(cli, results: Path):
    with CheckpointStore(results) as store:
        row = store.checkpoints(driver="search")[0]
    result = cli("simulate", "--from", row.key, "--store", results, "--split", "test", "--plot", "pool.png")
    assert result.exit_code == 0, result.output
    assert "momentum_fees" in result.stdout
    (cell,) = selected_cells(result.stdout, "returns_over_hodl")
    assert is_shown_as(100 * row.metrics["test"]["returns_over_hodl"], cell)
    assert Path("pool.png").read_bytes().startswith(b"\x89PNG")


def test_a_baseline_that_beats_the_selected_set_is_the_first_line(cli, own_results: Path):
    given = ("--study", "momentum_fees", "--store", own_results)
    picked = json.loads(cli("select", "--json", *given).stdout)
    (run_id,), (checkpoint,) = picked["runs"], picked["checkpoints"]
    ours = checkpoint["metrics"]["validation"]["daily_log_sharpe"]
    with CheckpointStore(own_results) as store:
        baselines = store.baselines(run_id)
        assert list(checkpoint["baselines"]) == ["study", "constant_weights", "hodl"]
        assert checkpoint["baselines"].keys() == baselines.keys()
        ahead = {"validation": {"daily_log_sharpe": ours + 0.5}}
        behind = {"validation": {"daily_log_sharpe": ours - 0.5}}
        metrics = {"study": behind, "constant_weights": ahead, "hodl": behind}
        store.set_baselines(run_id, {name: replace(one, metrics=metrics[name]) for name, one in baselines.items()})
    first, *others = cli("select", *given).stdout.splitlines()
    assert first.startswith(
        "On validation data, used for selection, a baseline beats the selected set: constant weights "
    )
    theirs, against = re.search(
        r"constant weights (\S+) against (\S+) \[daily_log_sharpe, ratio, annualised\]", first
    ).groups()
    assert is_shown_as(ours + 0.5, theirs)
    assert is_shown_as(ours, against)
    assert not any("beats the selected set" in line for line in others)
    assert json.loads(cli("select", "--json", *given).stdout)["checkpoints"][0]["beaten_by"] == ["constant_weights"]
    simulated = cli(
        "simulate", "--split", "validation", "--from", "best", *given
    ).stdout  # evaluates the baselines again
    assert ("beats the selected set" in simulated) == bool(checkpoint["beaten_by"])


def test_select_writes_baselines_and_intervals_in_full(cli, results: Path):
    (found,) = json.loads(cli("select", "--json", "--study", "momentum_fees", "--store", results).stdout)["checkpoints"]
    for split, table in found["metrics"].items():
        ends = found["intervals"][split]["daily_log_sharpe"]
        assert ends["lower"] < table["daily_log_sharpe"] < ends["upper"]
        for name, baseline in found["baselines"].items():
            difference = found["differences"][name][split]["daily_log_sharpe"]
            assert difference["value"] == table["daily_log_sharpe"] - baseline[split]["daily_log_sharpe"]
            assert difference["standard_error"] < ends["standard_error"]
    assert found["unknown"] == []


def test_a_store_of_an_older_version_says_what_is_unknown(cli, own_results: Path):
    sql(own_results, "DELETE FROM daily_returns")
    sql(own_results, "DELETE FROM baselines")
    given = ("--study", "momentum_fees", "--store", own_results)
    result = cli("select", *given)
    assert result.exit_code == 0, result.output
    key = KEY.search(result.stdout)[1]
    assert (
        "Not stored: baselines and daily returns. The run was imported or made by an older version. "
        f"`quantsim simulate --from {key} --store {own_results}` computes them." in result.stdout
    )
    simulated = cli("simulate", "--from", key, "--split", "test", "--store", own_results).stdout
    assert "constant weights" in simulated
    assert "Unknown" not in simulated


def test_select_compares_like_with_like(cli, results: Path):
    fees = cli("select", "--study", "momentum_fees", "--store", results)
    zero = cli("select", "--study", "momentum_zero_fee", "--store", results)
    assert fees.exit_code == zero.exit_code == 0
    assert "Study 'momentum_fees'" in fees.stdout
    assert KEY.search(fees.stdout)[1] != KEY.search(zero.stdout)[1]
    assert "logit_lamb" in fees.stdout


def test_select_reports_the_use_of_test_data(cli, results: Path):
    honest, peeking = (cli("select", "--method", method, "--store", results) for method in ("best_train", "best_test"))
    assert "Chosen on test data" not in honest.output
    assert "Chosen on test data" in peeking.stdout


def test_select_shows_one_per_set(cli, results: Path):
    result = cli("select", "--method", "best_train_per_set", "--study", "momentum_zero_fee", "--store", results)
    assert result.exit_code == 0, result.output
    assert "parameter set 1" in result.stdout


def test_a_search_with_several_objectives_and_the_selection_from_its_front(cli):
    objectives = ["daily_log_sharpe", "max_drawdown", "-fee_revenue_over_value"]  # the last is 0 everywhere
    search = (f"search.objectives={json.dumps(objectives)}", "search.sampler=nsga2", "search.population_size=8")
    tables = (*search, "data.bar_minutes=60")
    settings = [part for table in tables for part in ("--set", table)]
    searched = cli("optuna", "--study", "momentum_zero_fee", *settings, "--trials", "16", "--quiet")
    assert searched.exit_code == 0, searched.output
    balanced = re.search(r"Balanced choice .*: trial\s+(\d+)", searched.stdout)[1]
    picked = json.loads(cli("select", "--json").stdout)
    assert (picked["method"], picked["metric"]) == ("balanced", ", ".join(objectives))
    assert [str(checkpoint["step"]) for checkpoint in picked["checkpoints"]] == [balanced]
    front = json.loads(cli("select", "--method", "pareto_front", "--json").stdout)
    assert f"Front: {len(front['checkpoints'])} trials" in searched.stdout
    two = json.loads(
        cli("select", "--method", "balanced", "--metric", "returns", "--metric=-max_drawdown", "--json").stdout
    )
    assert two["metric"] == "returns, -max_drawdown"
    shown = cli("simulate", "--from", "balanced", "--study", "momentum_zero_fee", *settings)
    assert picked["checkpoints"][0]["key"] in shown.output
    refused = cli("select", "--method", "balanced", "--metric", "returns")
    assert refused.exit_code != 0
    assert "name at least two" in refused.stderr


def test_a_front_of_one_is_chosen_by_train_data_all_the_same(cli):
    objectives = json.dumps(["daily_log_sharpe", "-fee_revenue_over_value"])  # the last is 0 everywhere
    tables = (f"search.objectives={objectives}", "search.sampler=random", "data.bar_minutes=60")
    settings = [part for table in tables for part in ("--set", table)]
    searched = cli("optuna", "--study", "momentum_zero_fee", *settings, "--trials", "12", "--quiet").stdout
    assert "Front: 1 trials" in searched
    balanced = re.search(r"Balanced choice .*: trial\s+(\d+)", searched)[1]
    assert re.search(rf"Selected \w+:{balanced}:0, the balanced choice", searched)
    assert "highest train" not in searched


def test_select_prints_json(cli, results: Path):
    arguments = ("--metric", "returns", "--method", "best_test_min_train", "--split-minimum", "-0.9", "--json")
    result = cli("select", "--study", "momentum_fees", *arguments, "--store", results)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["chosen_by"] == "test"
    assert found["used_test_data"] is True
    assert found["minimum"] == -0.9
    (checkpoint,) = found["checkpoints"]
    assert checkpoint["parameters"]["memory_days"]["unit"] == "days"
    assert [*checkpoint["metrics"]] == ["train", "validation", "test"]
    with CheckpointStore(results) as store:
        row = store.get(checkpoint["id"])
    assert tuple(checkpoint["raw"]["logit_lamb"]) == row.raw["logit_lamb"]
    assert checkpoint["metrics"]["test"] == row.metrics["test"]


def test_prices_shows_range_and_gaps(cli):
    result = cli("prices")
    assert result.exit_code == 0
    assert "2017-10-01 00:30" in result.stdout
    assert re.search(r"BTC +2019-01-07 11:00 +2019-01-07 13:00 +5 +150", result.stdout)


def test_prices_of_a_folder(cli, tmp_path: Path):
    times = pd.date_range("2024-01-01", periods=5, freq="1h", tz="UTC")
    pd.DataFrame({"time": times, "close": [1.0, 2.0, 3.0, 4.0, 5.0]}).to_csv(tmp_path / "ABC.csv", index=False)
    result = cli("prices", "--source", tmp_path)
    assert result.exit_code == 0, result.output
    assert "ABC" in result.stdout
    assert "No gaps" in result.stdout


PROBE = """
import sys
from quantsim.commands import main
sys.argv = ["quantsim", *sys.argv[1:]]
try:
    main()
finally:
    print("imported:", *sorted({name.split(".")[0] for name in sys.modules}))
"""
SLOW = {"jax", "numba", "optuna", "optax", "scipy", "pandas", "pyarrow", "matplotlib", "sklearn"}


def test_select_imports_nothing_that_takes_longer_than_selecting(results: Path):
    command = [sys.executable, "-c", PROBE, "select", "--store", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = done.stdout.rpartition("imported:")[2].split()
    assert "quantsim" in imported
    assert not SLOW & set(imported)
