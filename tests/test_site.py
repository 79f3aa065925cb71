"""The site of documentation: it builds strictly, needs nothing from elsewhere, and its generated pages are complete."""

from __future__ import annotations

import functools
import http.server
import importlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from browser_support import Browser, browser
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

import quantsim
from quantsim.config import Experiment
from quantsim.config.identity import part_of
from quantsim.pools.registry import get_pool, pool_names

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def _generators() -> None:
    sys.path.insert(0, str(ROOT / "scripts" / "site"))


def _generator(name: str) -> ModuleType:
    return importlib.import_module(name)


def _build(config: Path, target: Path) -> None:
    """Does what ``mkdocs build --strict`` does, in this process, which has imported what the pages are made from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        found = load_config(str(config), site_dir=str(target), strict=True)
        found.plugins.on_startup(command="build", dirty=False)
        try:
            build(found)
        finally:
            found.plugins.on_shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    _build(ROOT / "mkdocs.yml", target)
    return target


def test_every_public_name_has_a_docstring_and_a_place(site: Path) -> None:
    import griffe

    api_reference = _generator("api_reference")
    package = griffe.load("quantsim", search_paths=[str(ROOT)])
    html = "".join(page.read_text(encoding="utf-8") for page in (site / "reference" / "api").glob("*/index.html"))
    anchors = set(re.findall(r'id="(quantsim[\w.]*)"', html))
    entries = api_reference.entries()
    exported = [name for name in quantsim.__all__ if name != "__version__"]
    assert sorted(entries["quantsim"]) == sorted(exported)
    for module, names in entries.items():
        for name, path in names.items():
            assert path in anchors, f"{module}.{name}"
            assert package[path.removeprefix("quantsim.")].docstring, f"{module}.{name} has no docstring"


def test_a_store_is_documented_with_all_its_methods(site: Path) -> None:
    pages = (site / "reference" / "api").glob("*/index.html")
    anchors = {name for page in pages for name in re.findall(r'id="([\w.]+)"', page.read_text(encoding="utf-8"))}
    home = "quantsim.checkpoints.store.CheckpointStore"
    methods = [name for name in dir(quantsim.CheckpointStore) if not name.startswith("_")]
    assert {"append", "runs", "compare", "location"} <= set(methods)
    assert not {f"{home}.{name}" for name in methods} - anchors


def test_what_the_pages_and_examples_import_has_a_place() -> None:
    api_reference = _generator("api_reference")
    documented = {path for names in api_reference.entries().values() for path in names.values()}
    packages = api_reference.packages()
    used = api_reference.imported()
    assert len(used) > 20
    for module, name in used:
        path = api_reference.defined_at(module, name)
        is_module = isinstance(getattr(importlib.import_module(module), name), ModuleType)
        assert is_module or path in documented, f"{module}.{name}"
    assert {"quantsim.rules", "quantsim.pools", "quantsim.metrics", "quantsim.testing"} <= set(packages)


def test_the_site_asks_no_other_host(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 40
    loaded = re.compile(
        r"""<(?:script|img|iframe|source|video)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*rel=["']?(?:stylesheet|preload|preconnect|icon)["']?[^>]*href=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
    )
    for page in pages:
        assert not loaded.search(page.read_text(encoding="utf-8")), page


@pytest.mark.parametrize("link", ["nowhere.md", "index.md#nowhere"])
def test_a_broken_link_or_anchor_fails_the_build(link: str, tmp_path: Path) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    validation = text[text.index("validation:") :].split("\nnav:")[0]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n[link]({link})\n")
    (tmp_path / "mkdocs.yml").write_text(f"site_name: links\nplugins: []\n{validation}\n")
    with pytest.raises(Abort, match="1 warnings in strict mode"):
        _build(tmp_path / "mkdocs.yml", tmp_path / "site")


def test_the_reference_of_studies_has_every_key_with_its_meaning() -> None:
    study_reference = _generator("study_reference")
    text = study_reference.page()
    models = [Experiment, *(model for model, _ in study_reference.TABLES.values())]
    models += [get_pool(name).settings for name in pool_names()]
    for model in models:
        for key, meaning, values, default, _ in study_reference.keys_of(model):
            if model is Experiment and (part_of(model, key) or key == "parameters"):
                continue  # a table
            assert meaning.endswith("."), f"{model.__name__}.{key} has no docstring"
            assert values, key
            assert default, key
            assert f"| `{key}` | {meaning} |" in text, f"{model.__name__}.{key}"


def test_the_reference_of_studies_has_all_tables() -> None:
    study_reference = _generator("study_reference")
    tables = {key for key in Experiment.model_fields if part_of(Experiment, key)}
    assert tables == {name.split(".")[0] for name in study_reference.TABLES} - {"parameters"}


def test_the_reference_of_studies_gives_ranges_and_what_a_key_decides() -> None:
    study_reference = _generator("study_reference")
    rows = {row[0]: row[2:] for row in study_reference.keys_of(study_reference.Search)}
    assert rows["jobs"] == ("whole number ≥ 1, ≤ 1 024", "not set", "nothing") or "nothing" in rows["jobs"]
    rows = {row[0]: row[2:] for row in study_reference.keys_of(study_reference.Fees)}
    assert rows["swap_fee"] == ("number ≥ 0, < 1", "`0.0`", "metrics")
    rows = {row[0]: row[2:] for row in study_reference.keys_of(study_reference.Objective)}
    assert rows["aggregate"][0].startswith('`"mean"`, ')
    assert rows["bout_offset_days"][2] == "trials, gradient steps"


def test_the_reference_of_commands_has_every_command_and_option() -> None:
    command_reference = _generator("command_reference")
    text = command_reference.page()
    names = [name for name, _, _ in command_reference.commands()]
    assert {"quantsim optuna", "quantsim prices", "quantsim prices import"} <= set(names)
    for name, command, _ in command_reference.commands():
        section = text.split(f"## `{name}`")[1].split("\n## ")[0]
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden:
                assert option.opts[0] in section, (name, option.opts)


def test_the_gallery_has_every_bundled_study(site: Path) -> None:
    studies = sorted((ROOT / "studies").glob("*.toml"))
    html = (site / "gallery" / "index.html").read_text(encoding="utf-8")
    assert studies
    for path in studies:
        assert f'id="{path.stem}"' in html
        assert Experiment.load(path.stem).description, path.stem


@pytest.mark.parametrize("notebook", sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_small_and_shown_with_their_outputs(notebook: Path, site: Path) -> None:
    """That they run is tested by tests/test_notebooks.py."""
    assert notebook.stat().st_size < 200_000
    html = (site / "notebooks" / notebook.stem / "index.html").read_text(encoding="utf-8")
    assert 'class="output"' in html or "output highlight" in html
    assert "stderr" not in notebook.read_text(encoding="utf-8")
    assert list((site / "notebooks").glob(f"{notebook.stem}_*.png"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


PAGES = (
    "",
    "tutorial/",
    "concepts/",
    "notebooks/first_steps/",
    "reference/study/",
    "reference/api/quantsim/",
    "gallery/",
)


@pytest.mark.integration
@pytest.mark.parametrize(("width", "phone"), [(390, True), (1280, False)], ids=["phone", "desk"])
def test_pages_fit_a_phone_and_a_desk_and_ask_no_other_host(
    width: int, phone: bool, page: Browser, address: str
) -> None:
    page.resize(width, 844, phone=phone)
    page.requests(), page.console()
    for name in PAGES:
        page.open(f"{address}{name}")
        overflow = page.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels too wide"
        broken = page.script("return [...document.images].filter(one => !one.naturalWidth).map(one => one.src)")
        assert not broken, name
    asked = [url for url in page.requests() if not url.startswith(("data:", "blob:"))]
    assert asked
    assert not [url for url in asked if not url.startswith(address)]
    assert not page.console()


@pytest.mark.integration
def test_the_search_finds_a_key(page: Browser, address: str) -> None:
    page.resize(1280, 844)
    page.open(f"{address}?q=max_memory_days")
    found = "[...document.querySelectorAll('.md-search-result__link')].map(one => one.href)"
    links = page.wait_for(f"{found}.length && {found}", "results of the search")
    assert any("reference/study/" in link for link in links)
