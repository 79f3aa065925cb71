"""Hooks of mkdocs: pages that are generated from the program, and links that leave the folder ``docs``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))

import api_reference  # noqa: E402
import command_reference  # noqa: E402
import gallery  # noqa: E402
import notebooks  # noqa: E402
import study_reference  # noqa: E402

ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "quantsim/prices/bundled/README.md": "bundled_prices.md",
}
"""Pages outside of ``docs``, relative to the root of the repository → page of the site."""

_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the part of the navigation that is generated, and places pages that it does not name below "How to"."""
    _entries(config.nav, "Python API").extend(api_reference.navigation())
    named = set(re.findall(r"[\w/]+\.md", repr(config.nav)))
    unnamed = sorted({path.name for path in Path(config.docs_dir).glob("*.md")} - named)
    _entries(config.nav, "How to").extend(unnamed)
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    pages: dict[str, str | bytes] = {
        "reference/study.md": study_reference.page(),
        "reference/commands.md": command_reference.page(),
        "gallery.md": gallery.page(ROOT / "studies"),
        **api_reference.pages(),
        **notebooks.pages(ROOT / "docs" / "notebooks"),
    }
    for source, target in ELSEWHERE.items():
        pages[target] = _from_root((ROOT / source).read_text(encoding="utf-8"))
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links to files outside of ``docs`` into links to their pages."""
    for source, target in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{source}", f"]({target}")
    return markdown


def _from_root(text: str) -> str:
    """Links of a page in the root of the repository, as those of a page in ``docs``; files without a page are only named."""

    def moved(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target:
            return match[0]
        page = ELSEWHERE.get(target, target.removeprefix("docs/"))
        is_page = target.startswith("docs/") or target in ELSEWHERE
        return f"[{text}]({page}{anchor})" if is_page else text

    return _LINK.sub(moved, text)


def _entries(nav: Any, title: str) -> list[Any]:
    """The entries of a section of the navigation.

    Raises:
        KeyError: there is no such section.
    """
    for item in nav:
        for name, value in item.items() if isinstance(item, dict) else ():
            if isinstance(value, list):
                if name == title:
                    return value
                try:
                    return _entries(value, title)
                except KeyError:
                    pass
    raise KeyError(title)
