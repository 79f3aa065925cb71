"""CONTRIBUTING.md names files, functions and commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|toml|py)")


def files_in(text: str) -> list[str]:
    """Paths in inline code and in commands, those of a new file with its NAME aside."""
    commands = [
        line.split("#")[0] for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    words = [word for piece in (*CODE.findall(text), *commands) for word in piece.split()]
    return [word for word in words if FILE.fullmatch(word) and "NAME" not in word and not word.startswith(".venv")]


@pytest.mark.parametrize("path", sorted({*files_in(TEXT), *re.findall(r"\]\(([^)#]+)", TEXT)}))
def test_the_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("section", [name for name in SECTIONS if name.startswith("A ")])
def test_sections_name_existing_functions_and_files(section: str) -> None:
    text = SECTIONS[section]
    there = "\n".join((ROOT / path).read_text(encoding="utf-8") for path in files_in(text) if (ROOT / path).is_file())
    for name in CODE.findall(text):
        if re.fullmatch(r"[A-Za-z]\w*(\.\w+)*|_\w+", name) and name != "NAME" and not FILE.fullmatch(name):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", there), name


def test_the_set_up_is_that_of_the_readme() -> None:
    commands = re.search(r"```sh\n(.*?)```", SECTIONS["Set-up"], re.DOTALL)
    assert commands is not None
    assert " && ".join(commands[1].split("\n")[:2]) in (ROOT / "README.md").read_text(encoding="utf-8")
