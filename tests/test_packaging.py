"""The wheel carries everything the installed command needs, and the README's commands are the ones CI runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_wheel_carries_prices_studies_and_search_spaces(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for study in (ROOT / "studies").glob("*.toml"):
        assert f"quantsim/bundled/studies/{study.name}" in names
    for space in (ROOT / "search_spaces").glob("*.toml"):
        assert f"quantsim/bundled/search_spaces/{space.name}" in names
    for token in ("BTC", "ETH", "LTC", "XRP", "EOS"):
        assert f"quantsim/prices/bundled/{token}.parquet" in names
    assert "quantsim/py.typed" in names


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]'",
        ".venv/bin/python -m pytest -n auto",
    ):
        assert command in readme
        assert command in script
