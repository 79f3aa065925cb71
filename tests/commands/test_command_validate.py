"""``quantsim validate``, the short form after runs, and what both say of noise and of a planted trend."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
from command_support import invoke
from optuna_dashboard import get_note
from run_support import FIGURES_OF_A_VALIDATION

from quantsim import CheckpointStore, validate

STUDY = """
[data]
source = "synthetic:{kind}"
tokens = ["A", "B"]
bar_minutes = 1440
[data.synthetic]
seed = 3
start = 2018-01-01
end = 2023-01-01
volatility_per_hour = 0.004
bar_minutes = 1440
{more}
[periods]
train_start = 2018-04-01
train_end = 2021-07-01
validation_end = 2022-01-01
test_end = 2023-01-01
[pool]
rule = "momentum"
[update]
chunk_minutes = 1440
max_memory_days = 60.0
[fees]
swap_fee = 0.003
[parameters]
memory_days = 10.0
k_per_day = 20.0
[search]
n_startup_trials = 8
"""
TREND = "trend_half_life_days = 14.0\ntrend_deviation_per_hour = 0.0005"


def searched(folder: Path, kind: str, more: str = "") -> str:
    """What a search of 24 trials on such prices shows; its store is ``folder/kind.db``."""
    study = folder / f"{kind}.toml"
    study.write_text(STUDY.format(kind=kind, more=more))
    result = invoke("optuna", "--study", study, "--trials", "24", "--quiet", "--store", folder / f"{kind}.db")
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The store of a search on noise, and what the search showed."""
    folder = tmp_path_factory.mktemp("noise")
    shown = searched(folder, "gbm")
    return folder / "gbm.db", shown


def test_commands_take_the_name_of_a_run(noise: tuple[Path, str]):
    store, _ = noise
    with CheckpointStore(store) as results:
        results.rename("newest", "first try")
    for arguments in (
        ("validate", "first try"),
        ("select", "--run", "first try"),
        ("export", "best", "--run", "first try"),
    ):
        assert invoke(*arguments, "--json", "--store", store).exit_code == 0, arguments
    nobody = invoke("validate", "nobody", "--store", store)
    assert nobody.exit_code != 0
    assert "none has this name" in nobody.output


def test_a_search_on_noise_does_not_let_a_reader_believe_in_skill(noise: tuple[Path, str]):
    store, shown = noise
    (judgement,) = [line for line in shown.splitlines() if line.startswith("Not distinguishable from noise")]
    assert "or more is significant" in judgement
    assert "beats constant weights by more" not in shown
    assert "24 trials" in shown
    assert "The selected set is trial" in shown
    backend = optuna.storages.journal.JournalFileBackend(str(store.with_suffix(".journal")))
    storage = optuna.storages.JournalStorage(backend)
    (summary,) = optuna.get_all_study_summaries(storage)
    note = get_note(optuna.load_study(study_name=summary.study_name, storage=storage))
    assert note.count(judgement) == 1


def test_a_search_on_a_strong_trend_finds_skill(tmp_path: Path):
    shown = searched(tmp_path, "ou-trend", TREND)
    assert "Significant: the selected set is better than constant weights" in shown
    assert "Nothing here" not in shown
    with CheckpointStore.open(tmp_path / "ou-trend.db") as store:
        assert validate(store).verdict == "skill"


def test_json_and_picture(cli, noise: tuple[Path, str], tmp_path: Path):
    picture = tmp_path / "validation.svg"
    result = cli("validate", "--store", noise[0], "--json", "--plot", picture)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.keys() >= FIGURES_OF_A_VALIDATION
    assert found["trials"] == 24
    assert found["judgement"].partition(" Out of sample")[0] in noise[1]
    assert "behind constant weights" in picture.read_text()


def test_the_table_has_every_figure(cli, noise: tuple[Path, str]):
    result = cli("validate", "--store", noise[0])
    assert result.exit_code == 0, result.output
    for figure in (
        "effective trials",
        "expected best of noise",
        "deflated Sharpe ratio",
        "SPA p value",
        "PBO",
        "average trial",
    ):
        assert figure in result.output
    assert "Sharpe ratio, test" in result.output


def test_select_judges_what_it_selects(cli, noise: tuple[Path, str]):
    with CheckpointStore.open(noise[0]) as store:
        judged = validate(store, method="best_train")
    result = cli("select", "--method", "best_train", "--store", noise[0])
    assert result.exit_code == 0, result.output
    assert judged.judgement.sentences[0] in result.output
    assert f"The selected set is {judged.origin.text}." in result.output


def test_runs_without_returns_are_evaluated_anew_if_asked(cli, noise: tuple[Path, str], tmp_path: Path):
    store = Path(shutil.copy(noise[0], tmp_path))
    with CheckpointStore.open(store) as opened:
        known = validate(opened).to_json()
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DELETE FROM daily_returns")
    refused = cli("validate", "--store", store)
    assert refused.exit_code == 2
    assert "--evaluate" in refused.output
    selected = cli("select", "--store", store)
    assert selected.exit_code == 0
    assert "Note: the result is not validated" in selected.output
    result = cli("validate", "--store", store, "--evaluate", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["trials"] == known["trials"]
    assert found["deflated_sharpe"] == pytest.approx(known["deflated_sharpe"], rel=1e-6)


def test_a_plot_of_an_unknown_kind_is_refused_before_the_store_is_read(cli, tmp_path: Path):
    result = cli("validate", "--plot", "picture.gif", "--store", tmp_path / "none.db")
    assert result.exit_code == 2
    assert "--plot picture.gif" in result.output
