"""The wheel carries everything the installed command needs, and the README's commands are the ones CI runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_carries_prices_studies_and_search_spaces(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for study in (ROOT / "studies").glob("*.toml"):
        assert f"quantsim/bundled/studies/{study.name}" in names
    for space in (ROOT / "search_spaces").glob("*.toml"):
        assert f"quantsim/bundled/search_spaces/{space.name}" in names
    for token in ("BTC", "ETH", "LTC", "XRP", "EOS"):
        assert f"quantsim/prices/bundled/{token}.parquet" in names
    for template in (ROOT / "quantsim" / "report" / "html" / "templates").iterdir():
        assert f"quantsim/report/html/templates/{template.name}" in names
    assert "quantsim/py.typed" in names


def test_the_snippet_of_the_readme_runs_from_the_wheel_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    fewer = snippet.replace("trials=200", "trials=4")
    assert fewer != snippet
    installed, folder = tmp_path / "installed", tmp_path / "empty"
    folder.mkdir()
    zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = f"{fewer}\nprint(quantsim.__file__)"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.rstrip().endswith(str(installed / "quantsim" / "__init__.py"))
    assert {path.name for path in folder.iterdir()} == {"pool.png", "quantsim-results"}


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]'",
        ".venv/bin/python -m pytest -n auto",
    ):
        assert command in readme
        assert command in script
