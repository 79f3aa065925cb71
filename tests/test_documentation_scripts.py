"""The scripts that make pictures for the documentation."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_of_the_concepts_are_those_that_the_script_draws() -> None:
    shown = re.findall(r"images/(\w+)\.svg", (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"))
    assert set(shown) == set(script("concept_pictures").PICTURES)
    for name in shown:
        assert (ROOT / "docs" / "images" / f"{name}.svg").stat().st_size < 200_000


def test_a_picture_is_drawn_as_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = script("concept_pictures")
    stored = (ROOT / "docs" / "images" / "concept_periods.svg").read_text(encoding="utf-8")
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    pictures.main(["concept_periods"])
    drawn = (tmp_path / "images" / "concept_periods.svg").read_text(encoding="utf-8")
    assert re.findall(r"<text [^>]*>([^<]*)", drawn) == re.findall(r"<text [^>]*>([^<]*)", stored)


def test_the_recorded_screen_is_what_a_terminal_shows_at_the_end() -> None:
    progress = "trials 0/2\r\x1b[2Ktrials \x1b[32m2/2\x1b[0m\r\n\x1b[A\x1b[2K\r\x1b[1mdone\x1b[0m, 2 trials\r\nlast"
    screen = script("record_terminal").screen(progress)
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in screen]
    assert plain == ["done, 2 trials", "last"]
    assert screen[0].startswith("\x1b[1mdone\x1b[0m")


def test_the_recorded_terminal_is_that_of_the_readme() -> None:
    recording = script("record_terminal")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert recording.COMMAND in readme
    assert str(recording.PICTURE.relative_to(ROOT)) in readme
    picture = recording.PICTURE.read_text(encoding="utf-8")
    assert "font-face" not in picture
    assert "Not&#160;distinguishable&#160;from&#160;noise" in picture
