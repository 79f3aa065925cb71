"""What studies show in the dashboard: notes, columns, pictures and study files of the best trials."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import optuna
import pytest
from dashboard_support import Searched
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import create_trial

from quantsim import Experiment, load_prices
from quantsim.config.locate import bundled_names, find_study
from quantsim.dashboard.artifacts import ArtifactFolder, artifact_folder, attach_artifacts, compile_pictures
from quantsim.dashboard.notable import notable_trials
from quantsim.dashboard.trial_file import study_text
from quantsim.drivers.search.note import write_note
from quantsim.drivers.search.study import METRICS
from quantsim.report.study_note import dashboard_attributes, describe_prices, selection_advice, study_note
from quantsim.simulator import Evaluator
from quantsim.storages.opened import opened_storage


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    with opened_storage(tmp_path_factory.mktemp("study") / "checkpoints.db") as storage:
        found = Searched(storage, load_prices(["BTC", "ETH"], bar_minutes=60))
        found.add(8)
        yield found


def artifacts_of(searched: Searched, number: int) -> dict[str, str]:
    """File name → id, read as the dashboard does."""
    backend = pytest.importorskip("optuna_dashboard.artifact._backend")
    trial = searched.study.get_trials(deepcopy=False)[number]
    attributes = searched.study._storage.get_study_system_attrs(searched.study._study_id)
    return {meta["filename"]: meta["artifact_id"] for meta in backend.list_trial_artifacts(attributes, {}, trial)}


def attach(searched: Searched, folder: Path, numbers: list[int]) -> int:
    trials = [searched.study.get_trials(deepcopy=False)[number] for number in numbers]
    return attach_artifacts(searched.study, trials, searched.experiment, searched.prices, folder, searched.space)


def test_a_trials_study_file_simulates_that_trial(searched: Searched, tmp_path: Path):
    assert attach(searched, tmp_path / "kept", [3]) == 2
    files = artifacts_of(searched, 3)
    assert set(files) == {"trial-3.png", "trial-3.toml"}
    again = tmp_path / "trial-3.toml"
    again.write_bytes((tmp_path / "kept" / files["trial-3.toml"]).read_bytes())
    experiment = Experiment.load(again)
    assert experiment.periods == searched.experiment.periods
    stored = searched.study.trials[3].user_attrs[METRICS]
    # The evaluator, which is compiled already, is what `simulate` runs per split.
    metrics = Evaluator(experiment, searched.prices).evaluate(experiment.initial_parameters())
    for split in ("train", "validation", "test"):
        assert metrics[split]["returns"] == pytest.approx(stored[split]["returns"], rel=1e-12)
    picture = (tmp_path / "kept" / files["trial-3.png"]).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 20_000  # not a blank page


def test_pictures_compile_nothing_after_they_were_compiled(searched: Searched, tmp_path: Path, caplog):
    compile_pictures(searched.experiment, searched.prices).join()
    with jax.log_compiles():
        assert attach(searched, tmp_path, [5]) == 2
    assert "jit(window_path)" not in caplog.text


def test_artifacts_are_attached_once_and_made_again_where_lost(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib", None)
        assert attach(searched, tmp_path, [1]) == 1
    assert set(artifacts_of(searched, 1)) == {"trial-1.toml"}
    assert attach(searched, tmp_path, [1]) == 1  # the picture
    first = artifacts_of(searched, 1)
    assert attach(searched, tmp_path, [1]) == 0
    (tmp_path / first["trial-1.toml"]).unlink()
    assert attach(searched, tmp_path, [1]) == 1
    assert artifacts_of(searched, 1) == first
    ArtifactFolder(tmp_path).remove("gone")  # the dashboard deletes studies whose artifacts are lost


def test_a_folder_that_cannot_be_written_is_a_warning(searched: Searched, tmp_path: Path, caplog):
    (tmp_path / "file").write_text("")
    assert attach(searched, tmp_path / "file", [2]) == 0
    assert artifacts_of(searched, 2) == {}
    assert "trial 2 of study two_aims has no artifacts" in caplog.text


@pytest.mark.parametrize("name", bundled_names("studies"))
def test_a_study_written_is_the_study_read(name: str, tmp_path: Path):
    study = Experiment.load(find_study(name))
    (tmp_path / "again.toml").write_text(study_text(study))
    assert Experiment.load(tmp_path / "again.toml") == study


def test_odd_values_survive_writing(tmp_path: Path):
    study = Experiment.from_dict(
        {
            "name": 'a "b"\\ é',
            "description": 'a "b"\\\n\x7f é',
            "data": {"tokens": ["BTC", "ETH"]},
            "periods": {"train_start": "2018-04-01", "train_end": "2018-05-01T12:30:00+02:00"},
            "pool": {"ensemble": {"fast": "momentum", "slow-er": "momentum"}, "minimum_weight": [0.1, 0.2]},
            "parameters": {"fast": {"memory_days": 0.1 + 0.2}, "slow-er.k_per_day": [1e-7, 3.0]},
            "objective": {"weights": {"turnover": -0.5}, "periods": [["2018-04-02", "2018-04-20"]]},
        }
    )
    (tmp_path / "odd.toml").write_text(study_text(study))
    assert Experiment.load(tmp_path / "odd.toml") == study


@pytest.mark.parametrize(
    ("location", "store", "folder"),
    [
        ("results/checkpoints.journal", "results/checkpoints.db", "results/checkpoints-artifacts"),
        ("other/study.db", "results/checkpoints.db", "other/study-artifacts"),
        ("sqlite:////data/study.sqlite3", "results/checkpoints.db", "/data/study-artifacts"),
        ("postgresql://ann:pw@host/db", "sqlite:///results/c.db", "results/c-artifacts"),
        ("grpc://localhost:13000", "c.db", "c-artifacts"),
        ("postgresql://ann:pw@host/db", "postgresql://ann:pw@host/db", None),
    ],
)
def test_artifacts_lie_beside_the_studies_or_the_store(location: str, store: str, folder: str | None):
    assert artifact_folder(location, store) == (None if folder is None else Path(folder))


def test_the_note_describes_the_search_and_the_selection(searched: Searched):
    advice = selection_advice(searched.experiment, "3f9c01ab99", "postgresql://ann:secret@host/db")
    text = study_note(
        searched.experiment, searched.space, describe_prices(searched.experiment, searched.prices), advice
    )
    assert "| rule | momentum |" in text
    assert "| maximised | train daily_log_sharpe |" in text
    assert "| minimised | train turnover, whose values here are negated |" in text
    assert "| validation | 2018-05-01 00:00 to 2018-05-15 00:00 UTC |" in text
    assert "| `memory_days[BTC]` | 1 | " in text
    assert "quantsim select --run 3f9c01ab --store 'postgresql://ann:***@host/db' --method best_validation" in text
    assert "Test metrics never steered" in text
    assert "secret" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count(" | ") for line in tables} == {1, 4}
    low = searched.experiment.override(['search.objectives=["returns", "-daily_sortino"]', "fees.swap_fee=0.003"])
    low = low.override(["objective.constraints={turnover=-0.05,max_drawdown=-0.3}"])
    text = study_note(low, searched.space, "a|b", "")
    assert "| minimised | train daily_sortino |" in text
    assert "| constraint | train turnover at most 0.05 |" in text
    assert "| constraint | train max_drawdown at least -0.3 |" in text
    assert "| fees | swap_fee 0.003 |" in text
    assert "a\\|b" in text  # its bar ends no cell


def test_the_dashboard_reads_the_note_which_is_replaced_unless_a_user_changed_it(searched: Searched):
    notes = pytest.importorskip("optuna_dashboard")
    for text in ("first", "second " * 1000, "third " * 500, "third"):  # some are longer than an attribute may be
        write_note(searched.study, text)
        assert notes.get_note(searched.study) == text
    notes.save_note(searched.study, "third")  # the same text
    write_note(searched.study, "fourth")
    assert notes.get_note(searched.study) == "fourth"
    notes.save_note(searched.study, "mine " * 1000)
    write_note(searched.study, "fifth")
    assert notes.get_note(searched.study) == "mine " * 1000


def test_columns_to_sort_by():
    metrics = {
        "train": {"sharpe": 1.0, "returns_over_hodl": 0.1},
        "validation": {"sharpe": 2.0, "returns_over_hodl": 0.2},
        "test": {"sharpe": math.nan},
    }
    assert dashboard_attributes(metrics, "sharpe") == {
        "validation sharpe": 2.0,
        "train vs HODL": 0.1,
        "validation vs HODL": 0.2,
    }
    assert dashboard_attributes(metrics, "returns_over_hodl") == {"validation returns_over_hodl": 0.2}
    largest = sys.float_info.max
    infinite = {"train": {}, "validation": {"sortino": math.inf}, "test": {"sortino": -math.inf}}
    assert dashboard_attributes(infinite, "sortino") == {"validation sortino": largest, "test sortino": -largest}


def study_of(*trials: tuple[tuple[float, ...], float, float]) -> optuna.Study:
    """Trials of these values, validation objectives and constraints, maximised."""
    study = optuna.create_study(directions=["maximize"] * len(trials[0][0]), sampler=RandomSampler(seed=0))
    for values, validation, broken_by in trials:
        study.add_trial(
            create_trial(
                values=list(values),
                params={"x": 0.5},
                distributions={"x": FloatDistribution(0.0, 1.0)},
                user_attrs={METRICS: {"validation": {"daily_log_sharpe": validation}}},
                constraints={"drawdown": broken_by},
            )
        )
    return study


def numbers(study: optuna.Study, searched: Searched, k: int = 3) -> list[int]:
    return [trial.number for trial in notable_trials(study, searched.experiment, k)]


def test_notable_trials_start_with_the_default_selection(searched: Searched):
    study = study_of(
        ((1.0,), 0.0, -1.0), ((3.0,), 0.1, 0.0), ((2.0,), 0.5, -1.0), ((9.0,), 9.0, 1.0), ((2.5,), 0.2, 0.0)
    )
    assert numbers(study, searched) == [2, 1, 4]  # trial 3 breaks its constraint
    assert numbers(study, searched, 1) == [2]
    assert numbers(study_of(((1.0,), 0.0, 1.0), ((2.0,), math.nan, 1.0)), searched) == [0, 1]  # all break it
    infinite = study_of(
        ((1.0,), math.inf, 0.0), ((math.inf,), 0.1, 0.0), ((math.inf,), -math.inf, 0.0), ((9.0,), 0.5, 0.0)
    )
    assert numbers(infinite, searched) == [0, 1, 2]
    assert numbers(study_of(((1.0,), -math.inf, 0.0), ((2.0,), math.nan, 0.0)), searched) == [0, 1]


def test_notable_trials_of_several_objectives_span_the_front(searched: Searched):
    points = ((0.0, 1.0), (1.0, 0.0), (0.7, 0.7), (0.6, 0.6), (0.9, 0.3))
    study = study_of(*((point, 0.0, 0.0) for point in points))
    assert numbers(study, searched) == [2, 1, 0]
    assert numbers(study, searched, 10) == [2, 1, 0, 4]  # trial 3 is dominated
