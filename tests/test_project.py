"""``quantsim.toml`` and ``[tool.quantsim]``: where they are found, what comes first, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantsim import CheckpointStore, Experiment, make_report
from quantsim.api.stores import opened
from quantsim.commands.app import app
from quantsim.defaults import DEFAULT_STORE
from quantsim.errors import CheckpointError, ConfigError
from quantsim.project import ENVIRONMENT, default_store, project_settings

STUDY = """
[data]
tokens = ["BTC", "ETH"]
[periods]
train_start = 2024-01-05
train_end = 2024-01-20
test_end = 2024-01-25
[pool]
rule = "hodl"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of settings; the working folder is below it."""
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "quantsim.toml").write_text('store = "results/checkpoints.db"\nprices = "data"\n')
    (tmp_path / "data").mkdir()
    days = "".join(f"2024-01-{day:02},{40_000 + day}\n" for day in range(1, 29))
    for token in ("BTC", "ETH"):
        (tmp_path / "data" / f"{token}.csv").write_text("date,close\n" + days)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_it_is_found_above_and_its_paths_are_relative_to_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project_settings()
    assert found["store"].value == str(project / "results" / "checkpoints.db")
    assert found["store"].origin == str(project / "quantsim.toml")
    monkeypatch.chdir(project)
    assert default_store() == "results/checkpoints.db"
    with pytest.raises(CheckpointError, match=r"store results/checkpoints\.db does not exist"):
        make_report()
    assert opened(None).location.endswith("results/checkpoints.db")
    (project / "quantsim.toml").unlink()
    assert default_store() == DEFAULT_STORE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///runs.db", "sqlite:///{project}/runs.db"),
        ("sqlite:///my%20runs.db?timeout=5", "sqlite:///{project}/my%20runs.db?timeout=5"),
        ("sqlite:////elsewhere/runs.db", "sqlite:////elsewhere/runs.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_paths_in_urls_of_sqlite_are_relative_to_the_file(project: Path, url: str, expected: str) -> None:
    (project / "quantsim.toml").write_text(f'store = "{url}"')
    assert default_store() == expected.format(project=project)


def test_pyproject_counts_if_it_has_the_table(project: Path) -> None:
    nearer = project / "work" / "pyproject.toml"
    nearer.write_text('[tool.ruff]\nline-length = 100\n[project]\nname = "x"\n')
    assert project_settings()["store"].origin == str(project / "quantsim.toml")
    nearer.write_text('[tool.quantsim]\nstore = "postgresql://me@host/db"\n')
    found = project_settings()
    assert (found["store"].value, found["store"].origin) == ("postgresql://me@host/db", str(nearer))
    assert "prices" not in found


def test_options_come_before_the_environment_before_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["select", *arguments])
        assert result.exit_code == 2
        return result.stderr

    assert f"store = {project}/results/checkpoints.db is from {project}/quantsim.toml" in told()
    monkeypatch.setenv("QUANTSIM_STORE", "other/c.db")
    assert "store = other/c.db is from the environment variable QUANTSIM_STORE" in told()
    by_option = told("--store", "mine.db")
    assert "checkpoint store mine.db" in by_option
    assert "is from" not in by_option


def test_the_help_says_where_a_default_comes_from(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")

    def helped(command: str) -> str:
        return CliRunner().invoke(app, [*command.split(), "--help"]).stdout

    assert f"{project}/data, from {project}/quantsim.toml" in helped("prices import")
    (project / "quantsim.toml").write_text('store = "mysql://me:s3cret@host/db"')
    assert "mysql://me:***@host/db, from" in helped("optuna")
    (project / "quantsim.toml").unlink()
    assert "[default: quantsim-results/checkpoints.db]" in helped("optuna")


def test_prices_are_those_of_studies_that_name_none(project: Path) -> None:
    (project / "work" / "own.toml").write_text(STUDY)
    own = Experiment.load("own.toml")
    assert own.data.source == str(project / "data")
    assert own.load_prices().prices[0, 0] == 40_001  # the first day of the file
    assert Experiment.load("own.toml", ["data.source=bundled"]).data.source == "bundled"
    assert Experiment.load("momentum_fees").data.source == "bundled"  # belongs to the bundled prices
    listed = CliRunner().invoke(app, ["prices", "--json"])
    assert '"n_bars": 28' in listed.stdout
    (project / "quantsim.toml").write_text('prices = "nowhere"')
    missing = CliRunner().invoke(app, ["simulate", "--study", "own.toml"])
    assert missing.exit_code == 2
    assert f"prices = {project}/nowhere is from {project}/quantsim.toml" in missing.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('stor = "a.db"', "unknown key 'stor': did you mean 'store'?"),
        ("store = 3", "store = 3 must be a text, such as store = 'results/checkpoints.db'"),
        ('store = ""', "must be a text"),
        ("store", "is not TOML"),
    ],
)
def test_what_is_refused(project: Path, text: str, message: str) -> None:
    (project / "quantsim.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"quantsim\.toml") as refused:
        project_settings()
    assert message in str(refused.value)
    result = CliRunner().invoke(app, ["space"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


def test_a_store_is_made_where_the_project_says(project: Path) -> None:
    with opened(None) as store:
        assert isinstance(store, CheckpointStore)
    assert (project / "results" / "checkpoints.db").is_file()
