"""The report: what it holds, that it needs nothing else, that nothing of a study can run in it, and that it is reproducible."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser_support import Browser, browser

import quantsim
from quantsim.errors import CheckpointError, ConfigError, PriceError, SelectionError

EVIL = "</script><script>alert(1)</script>"
TOKENS = ("<script>alert(2)</script>", "B&T$x$C")


class Page(HTMLParser):
    """Elements of a page, with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def prices() -> pd.DataFrame:
    days = pd.date_range("2020-01-01", periods=260, tz="UTC")
    moves = np.random.default_rng(0).normal(0.0, 0.03, (days.size, 2))
    return pd.DataFrame(np.exp(np.cumsum(moves, axis=0)), days, list(TOKENS))


STUDY: dict[str, Any] = {
    "name": EVIL,
    "description": f"A description {EVIL} with `code`.",
    "data": {"tokens": list(TOKENS)},
    "periods": {
        "train_start": "2020-03-01",
        "train_end": "2020-06-01",
        "validation_end": "2020-07-15",
        "test_end": "2020-09-01",
    },
    "pool": {"rule": "momentum"},
    "fees": {"swap_fee": 0.003, "gas_cost_usd": 1.0, "noise_trader_ratio": 0.2},
    "update": {"max_memory_days": 30.0},
    "parameters": {"memory_days": 10.0, "k_per_day": 1.0},
    "search": {"trials": 16, "n_startup_trials": 8},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> quantsim.Optimization[Any]:
    study = quantsim.Experiment.from_dict(STUDY)
    store = quantsim.CheckpointStore(tmp_path_factory.mktemp("report") / "results.db")
    result = quantsim.search(study, prices(), store=store, progress=False)
    store.rename(result.run_id, "The & one")
    store.annotate(result.run_id, EVIL)
    return result


@pytest.fixture(scope="module")
def report(found: quantsim.Optimization[Any]) -> quantsim.HtmlReport:
    return quantsim.make_report(found.store, "best_validation", prices=prices())


@pytest.fixture(scope="module")
def page(report: quantsim.HtmlReport) -> Page:
    return Page(report.html)


def test_the_judgement_comes_first(found: quantsim.Optimization[Any], page: Page) -> None:
    names = [one["id"] for one in page.all("section")]
    assert names[:4] == ["result", "value", "weights", "attribution"]
    assert {"metrics", "validation", "rolling", "monthly", "importances", "study", "contract", "deployment"} < set(
        names
    )
    assert "walk-forward" not in names
    verdict = found.validate().judgement.text.partition(". ")[0]
    assert page.text["p"].index(verdict) < page.text["p"].index("One pool runs through all splits")


def test_the_page_needs_nothing_else(report: quantsim.HtmlReport, page: Page) -> None:
    addresses = [
        one[name] for _, one in page.found for name in ("src", "href", "xlink:href", "action", "data") if name in one
    ]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not page.all("link")
    assert not page.all("img")
    assert not re.search(r"@import|url\((?!#)", page.text["style"])
    (policy,) = (one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert len(report.html) < 6e6


def test_nothing_of_a_study_runs(report: quantsim.HtmlReport, page: Page) -> None:
    scripts = page.all("script")
    assert [one for one in scripts if one.get("type") != "application/json"] == [{}, {}]  # plotly, and ours
    assert EVIL in page.text["h1"]
    assert EVIL in page.text["td"]
    assert "The & one" in page.text["p"]
    assert "<script>alert" not in report.html
    assert f"A description {EVIL} with " in page.text["p"]
    assert "code" in page.text["code"]
    figures = {one["data-figure"] for one in scripts if "data-figure" in one}
    assert figures == {"figure-value", "figure-weights", "figure-map"}
    assert {one["id"] for one in page.all("div") if "figure" in one.get("class", "").split()} == figures
    ids = [one["id"] for _, one in page.found if "id" in one]
    assert len(ids) == len(set(ids))


def test_the_same_store_and_prices_give_the_same_bytes(
    found: quantsim.Optimization[Any], report: quantsim.HtmlReport, tmp_path: Path
) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "black", "patch.edgecolor": "red"}):
        again = quantsim.make_report(found.store, "best_validation", prices=prices())
    assert again.html == report.html
    assert found.report().title == report.title
    assert again.save(tmp_path / "report.html").read_text(encoding="utf-8") == report.html
    assert repr(again).startswith(f"HtmlReport({again.title!r}, ")
    with pytest.raises(ConfigError, match="no-such-folder"):
        again.save(tmp_path / "no-such-folder" / "report.html")


def downloads(page: Page) -> dict[str, str]:
    links = (one for one in page.all("a") if "download" in one)
    return {one["download"]: base64.b64decode(one["href"].partition("base64,")[2]).decode() for one in links}


def test_files_inside_are_what_the_commands_write(found: quantsim.Optimization[Any], page: Page) -> None:
    files, start = downloads(page), quantsim.start_from(found.store, "best_validation")
    name = f"deployment-{start.checkpoint.key.replace(':', '-')}.json"
    assert json.loads(files[name]) == json.loads(json.dumps(quantsim.deployment(start.experiment, start, prices())))
    assert set(files) == {name, "attribution.csv", "study.toml"}
    daily = pd.read_csv(pd.io.common.StringIO(files["attribution.csv"]), index_col="time")
    result = found.simulate("all")
    np.testing.assert_allclose(daily["total"].sum(), result.value[-1] - result.value[0], rtol=1e-8)
    np.testing.assert_allclose(daily.drop(columns="total").sum(axis=1), daily["total"], rtol=1e-6, atol=1e-3)


def test_keys_runs_and_methods_name_a_set(
    found: quantsim.Optimization[Any], report: quantsim.HtmlReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantsim.api import reporting

    monkeypatch.setattr(reporting, "page", lambda content: content)
    store, run = found.store, found.run_id

    def content(which: str, **options: Any) -> Any:
        return quantsim.make_report(store, which, prices=prices(), **options).html

    best = content("best")
    assert content(run[:6]).checkpoint == best.checkpoint
    assert content("best", run=run[:6]).checkpoint == best.checkpoint
    assert content("newest").checkpoint == best.checkpoint
    assert content("The & one").checkpoint == best.checkpoint
    other = next(row for row in store.checkpoints(run_id=run) if row.key != best.checkpoint.key)
    named = content(other.key)
    assert named.checkpoint.key == other.key
    assert named.selection is None
    assert named.validation.checkpoint == named.checkpoint
    assert content("best_test").selection.used_test_data
    with pytest.raises(ConfigError, match="both name a run"):
        content(run[:6], run=run[:6])
    with pytest.raises(CheckpointError, match="no run"):
        content("0" * 12 if not run.startswith("0") else "f" * 12)
    with pytest.raises(SelectionError, match="'bset' is neither a run"):
        content("bset")
    with pytest.raises(PriceError, match="not those of the run"):
        quantsim.make_report(store, "best", prices=2.0 * prices())


def test_missing_libraries_are_named(found: quantsim.Optimization[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "quantstats", None)
    with pytest.raises(ConfigError, match=r"pip install 'quantsim\[tearsheet\]'"):
        quantsim.make_report(found.store, "best", tear_sheet=True)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigError, match=r"needs jinja2.*quantsim\[plots\]"):
        quantsim.make_report(found.store, "best")


def test_the_tear_sheet_is_inside_and_fetches_nothing(
    found: quantsim.Optimization[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("quantstats", reason="needs quantstats (extra tearsheet)")
    from quantsim.report.html.sections.tear_sheet import tear_sheet

    monkeypatch.setattr("quantsim.report.html.rendering.SECTIONS", (tear_sheet,))
    first, second = (quantsim.make_report(found.store, prices=prices(), tear_sheet=True).html for _ in range(2))
    assert first == second
    (frame,) = Page(first).all("iframe")
    assert "sandbox" in frame
    inner = Page(frame["srcdoc"])
    assert "Cumulative Returns" in frame["srcdoc"]
    assert not [inner.all(tag) for tag in ("script", "link", "a") if inner.all(tag)]
    assert not [one for one in inner.all("img") if not one["src"].startswith("data:")]


def test_a_walk_forward_of_the_study_is_shown(found: quantsim.Optimization[Any]) -> None:
    walked = quantsim.walk_forward(
        found.experiment, prices(), store=found.store, driver="fixed", folds=2, method="best_train", progress=False
    )
    shown = Page(quantsim.make_report(found.store, "best_validation", prices=prices()).html)
    assert "walk-forward" in [one["id"] for one in shown.all("section")]
    assert walked.outcome.judgement in shown.text["p"]
    assert "In each fold, the set of best_validation is tested." in shown.text["p"]
    newest = Page(quantsim.make_report(found.store, prices=prices()).html)
    said = "In each fold, the set of best_train is tested; this report shows that of best_validation."
    assert said in newest.text["p"]
    # That of another study, or on other prices, is not.
    other = found.experiment.replace(fees={"swap_fee": 0.001})
    from quantsim.out_of_sample.stored import stored_walk_forward

    same = stored_walk_forward(found.store, found.experiment, walked.prices)
    assert same is not None
    assert (same.method, walked.outcome.to_json()["method"]) == ("best_train", "best_train")
    unfit = stored_walk_forward(found.store, found.experiment, walked.prices, method="best_test")
    assert unfit is not None
    assert unfit.method == "best_train"  # not a method that uses test data
    assert [fold.checkpoint for fold in same.results] == [fold.checkpoint for fold in walked.walk.results]
    assert stored_walk_forward(found.store, other, walked.prices) is None
    assert stored_walk_forward(found.store, found.experiment, found.experiment.prices(2.0 * prices())) is None


def test_a_run_without_a_search_has_no_importances(found: quantsim.Optimization[Any]) -> None:
    assert (
        quantsim.make_report(found.store, prices=prices()).checkpoint == found.checkpoint.key
    )  # not a fold, which is newer
    fold = next(run for run in found.store.find_runs(driver="fixed"))
    names = [
        one["id"] for one in Page(quantsim.make_report(found.store, fold.run_id, prices=prices()).html).all("section")
    ]
    assert "importances" not in names
    assert {"attribution", "metrics"} < set(names)


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


DESK, PHONE = (1440, 900), (390, 844)

WIDER = """return [...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll, pre, svg")
  && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((one) => one.outerHTML.slice(0, 200))"""
DRAWN = """[...document.querySelectorAll("div.figure")].every((one) => one.querySelector(".main-svg"))"""


@pytest.mark.integration
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize(
    ("size", "dark"), [(DESK, False), (PHONE, False), (PHONE, True)], ids=["desk", "phone", "dark"]
)
def test_browsers_show_it_on_desks_and_phones(
    browser_page: Browser, report: quantsim.HtmlReport, tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    address = report.save(tmp_path / "report.html").as_uri()
    browser_page.resize(*size, phone=size == PHONE, dark=dark)
    browser_page.open("about:blank")
    browser_page.console(), browser_page.requests()
    browser_page.open(address)
    browser_page.wait_for(DRAWN, "the figures")
    picture = browser_page.picture()
    (tmp_path / "report.png").write_bytes(picture)  # to look at
    assert struct.unpack(">II", picture[16:24]) == size
    assert len(picture) > 20_000  # not an empty page
    assert browser_page.console() == []
    assert [one for one in browser_page.requests() if not one.startswith(("data:", "blob:"))] == [address]
    assert browser_page.script("return document.documentElement.scrollWidth") <= size[0]
    assert browser_page.script(WIDER) == []
    widths = browser_page.script("return [...document.querySelectorAll('.main-svg')].map((one) => one.clientWidth)")
    assert min(widths) > 0.7 * min(size[0], 1100)
    colour = browser_page.script("return getComputedStyle(document.querySelector('#figure-value .ytick text')).fill")
    assert (sum(map(int, re.findall(r"\d+", colour)[:3])) > 380) == dark


@pytest.mark.integration
@pytest.mark.xdist_group("browser")
def test_browsers_print_it_on_paper(browser_page: Browser, report: quantsim.HtmlReport, tmp_path: Path) -> None:
    browser_page.resize(*DESK, dark=True)
    browser_page.open(report.save(tmp_path / "report.html").as_uri())
    browser_page.wait_for(DRAWN, "the figures")
    printed = base64.b64decode(browser_page.devtools("Page.printToPDF", preferCSSPageSize=True)["data"])
    (tmp_path / "report.pdf").write_bytes(printed)
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 10
