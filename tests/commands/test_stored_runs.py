"""What commands make of stored runs: rules of users' files, prices that changed, published forms, older configurations."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
from command_support import invoke
from run_support import DAYS, keep

from quantsim import Axis, CheckpointStore, Evaluator, simulate
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.starts import Start
from quantsim.commands.display import show_uses
from quantsim.commands.gains import show_gain, show_tuned
from quantsim.report.grids import grid_figure
from quantsim.report.study_note import study_note
from quantsim.report.study_pages import write_study_pages
from quantsim.search_space import load_search_space
from quantsim.simulator.grid import Grid

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_rule.py"
LOOK_AHEAD = DAYS.override(["pool.rule=min_variance", "parameters={}", "update.published_look_ahead=true"])
PUBLISHED = "update.published_look_ahead = true"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.db"


def test_a_rule_of_a_user_s_file_is_run_only_where_the_user_names_it(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(shutil.copy(EXAMPLE, tmp_path / "mine.py"))
    experiment = DAYS.override([f"pool.rule={file}:calm_momentum"])
    with CheckpointStore(path) as store:
        key = keep(store, experiment).key
    content = file.read_text()
    file.write_text("raise SystemExit(7)\n")  # what somebody who gives away a store may have put there
    picked = json.loads(invoke("select", "--store", path, "--json").stdout)["checkpoints"][0]
    assert picked["parameters"]["ceiling"] == {"values": [pytest.approx(0.02)] * 2, "unit": None}
    assert "ceiling = [" in invoke("select", "--store", path).stdout
    for command in (("export", key), ("export", "best"), ("simulate", "--from", key), ("sgd", "--from", key)):
        refused = invoke(*command, "--store", path)
        assert refused.exit_code == 2
        assert "--rule-file" in refused.stderr
        changed = invoke(*command, "--rule-file", file, "--store", path)
        assert changed.exit_code == 2
        assert "SHA-256" in changed.stderr
    moved = tmp_path / "elsewhere.py"
    moved.write_text(content)
    capsys.readouterr()
    show_uses(experiment, key, "s.db")
    shown = capsys.readouterr().out
    assert all(
        f"{use} --rule-file {file}" in shown for use in (f"simulate --from {key} --plot pool.png", f"report {key}")
    )
    deployed = invoke("export", key, "--rule-file", moved, "--store", path)
    assert deployed.exit_code == 0, deployed.output
    assert json.loads(deployed.stdout)["experiment"]["identity"] == experiment.identity


def test_prices_that_changed_since_the_run_are_refused(path: Path) -> None:
    with CheckpointStore(path) as store:
        key = keep(store, DAYS, "0123").key
    refused = invoke("simulate", "--from", key, "--store", path)
    assert refused.exit_code == 2
    assert "are not those of the run" in refused.stderr
    assert "--as-study" in refused.stderr


def test_figures_that_do_not_come_out_again_are_said(path: Path) -> None:
    prices = DAYS.load_prices()
    with CheckpointStore(path) as store:
        key = keep(store, DAYS, Evaluator(DAYS, prices).data_id, test=9.0).key
    shown = invoke("simulate", "--from", key, "--split", "test", "--store", path)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"Caution: the run stored test daily_log_sharpe = 9, but it is \S+ here", shown.stdout)


def test_options_of_stored_sets_are_for_these(path: Path) -> None:
    for command in (("export",), ("simulate",), ("sgd",), ("optuna",)):
        refused = invoke(*command, "--run", "ab12", "--store", path)
        assert refused.exit_code == 2
        assert "--run needs a stored parameter set" in refused.stderr
    assert not path.exists()


def test_published_forms_are_shown_with_results_that_depend_on_them(path: Path) -> None:
    prices = LOOK_AHEAD.load_prices()
    result = simulate(LOOK_AHEAD, None, prices, split="test")
    assert PUBLISHED in result.notes["cautions"][0]
    note = study_note(LOOK_AHEAD, load_search_space(LOOK_AHEAD), "", "")
    assert PUBLISHED in note
    with CheckpointStore(path) as store:
        key = keep(store, LOOK_AHEAD, Evaluator(LOOK_AHEAD, prices).data_id).key
    for command in (("select",), ("simulate", "--split", "test", "--from", key)):
        shown = invoke(*command, "--store", path)
        assert shown.exit_code == 0, shown.output
        assert f"Caution: this result uses {PUBLISHED}" in shown.stdout
    assert any(PUBLISHED in line for line in json.loads(invoke("select", "--store", path, "--json").stdout)["notes"])
    exported = invoke("export", key, "--store", path)
    assert f"found with {PUBLISHED}" in exported.stderr
    assert DAYS.cautions == ()


def test_published_forms_are_shown_in_pictures(tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("memory_days", 1, 5), n_trials=2)
    (page, *_) = write_study_pages(study, tmp_path, ["sharpe"], LOOK_AHEAD.cautions)
    assert PUBLISHED in page.read_text()
    grid = Grid((Axis("memory_days", 1.0, 2.0, 2),), {"train": {"returns": np.ones(2)}}, {"w": np.ones((2, 1))}, {})
    (axes,) = grid_figure(LOOK_AHEAD, grid, grid.best()).axes
    assert PUBLISHED in axes.texts[0].get_text()


def test_gains_are_told_split_by_split(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CheckpointStore(path) as store:
        start = keep(store, DAYS, train=1.0, validation=2.0, test=3.0)
        store.resume_run(start.run_id)
        better = Checkpoint(start.run_id, 7, 0, "sgd", {"w": (1.0,)}, metrics={"validation": {"daily_log_sharpe": 2.5}})
        drawn = Checkpoint(start.run_id, 0, 1, "sgd", {"w": (2.0,)}, metrics={"validation": {"daily_log_sharpe": 2.25}})
        store.append(start.run_id, [better, drawn])
        starts = [Start(start, store.run(start.run_id), DAYS)]
        for chosen in (start, better, drawn):
            show_gain(store, DAYS, start.run_id, starts, chosen)
        show_tuned(store, DAYS, better, {7: 0})
        show_tuned(store, DAYS, better, {9: 0})
    unchanged, gained, again, of_drawn, tuned, untouched = capsys.readouterr().out.splitlines()
    assert unchanged.startswith(
        f"Fine-tuning did not help on validation data: no step is better than its start, {start.key}"
    )
    assert gained == f"Gain over {start.key}: validation 2.000 to 2.500 (+0.500) [daily_log_sharpe, ratio, annualised]."
    assert "(+0.250)" in again
    assert "drawn around the start" in of_drawn
    assert tuned.startswith("Selected trial 7, fine-tuned from trial 0. Gain over it: validation 2.000 to 2.500")
    assert untouched.startswith(
        "Fine-tuning did not help on validation data: no fine-tuned trial is better than trial 7"
    )
