"""The dashboard in a real browser: a study of two objectives, while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import Browser, browser
from dashboard_support import NAME, Searched, serving

from quantsim import load_prices
from quantsim.dashboard.artifacts import artifact_folder, attach_artifacts
from quantsim.dashboard.notable import notable_trials
from quantsim.dashboard.server import dashboard_server
from quantsim.drivers.search.note import write_note
from quantsim.report.study_note import describe_prices, selection_advice, study_note
from quantsim.storages.opened import opened_storage

STORE, JOURNAL = "checkpoints.db", "checkpoints.journal"
pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("browser")]

FIRST, LATER = 6, 2  # trials


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of its own; first, so that where there is none nothing else is made."""
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def searched(page: Browser, folder: Path) -> Iterator[Searched]:
    """A study that has begun."""
    with opened_storage(folder / JOURNAL) as storage:
        found = Searched(storage, load_prices(["BTC", "ETH"], bar_minutes=60))
        found.add(FIRST)
        advice = selection_advice(found.experiment, "3f9c01ab", STORE)
        write_note(
            found.study,
            study_note(found.experiment, found.space, describe_prices(found.experiment, found.prices), advice),
        )
        yield found


@pytest.fixture(scope="module")
def address(searched: Searched, folder: Path) -> Iterator[str]:
    """Of the study's pages, as the command serves them."""
    with (
        opened_storage(folder / JOURNAL) as storage,
        dashboard_server(storage, artifact_folder(folder / JOURNAL, STORE), "127.0.0.1", 0) as server,
        serving(server),
    ):
        yield f"http://127.0.0.1:{server.server_port}/dashboard/studies/{searched.study._study_id}"


def test_trials_appear_while_the_study_runs(page: Browser, address: str, searched: Searched):
    page.open(f"{address}/trials?numbers=0")
    page.wait_for(f"document.body.innerText.includes('{FIRST} Trials')", "the list of trials")
    text = page.wait_for("document.body.innerText.includes('Trial 0 (') && document.body.innerText", "a trial")
    assert NAME in text
    assert "memory_days[BTC]" in text
    assert "validation vs HODL" in text
    searched.add(LATER)
    page.wait_for(f"document.body.innerText.includes('{FIRST + LATER} Trials')", "new trials, without a reload")


def test_pictures_of_the_best_trials_are_shown(page: Browser, address: str, searched: Searched, folder: Path):
    kept = artifact_folder(folder / JOURNAL, STORE)
    assert kept is not None
    assert not kept.exists()  # it is made while the dashboard is open
    best = notable_trials(searched.study, searched.experiment, 1)
    attach_artifacts(searched.study, best, searched.experiment, searched.prices, kept, searched.space)
    page.open(f"{address}/trials?numbers={best[0].number}")
    image = "[...document.querySelectorAll('img')].find(one => one.src.includes('/artifacts/'))"
    size = page.wait_for(f"{image}?.naturalWidth && [{image}.naturalWidth, {image}.naturalHeight]", "the picture")
    assert size == [1600, 900]
    assert f"trial-{best[0].number}.toml" in page.script("return document.body.innerText")


def test_pareto_plot_has_a_point_for_each_trial(page: Browser, address: str, searched: Searched):
    count = len(searched.study.get_trials(deepcopy=False))
    page.open(address)
    points = "document.querySelectorAll('#graph-pareto-front .scatterlayer .point').length"
    page.wait_for(f"{points} === {count}", "the points of the Pareto front")
    text = page.script("return document.body.innerText")
    assert "Pareto Front" in text
    assert "daily_log_sharpe" in text
    assert "turnover" in text


def test_table_is_sorted_by_the_column_clicked_on(page: Browser, address: str, searched: Searched):
    page.open(f"{address}/smartSelection")  # what the menu calls Smart Selection
    rows = "[...document.querySelectorAll('table tbody tr')]"
    trials = searched.study.get_trials(deepcopy=False)
    page.wait_for(f"{rows}.length === {len(trials)}", "the table of trials")
    heights = page.script(f"return {rows}.map(row => row.offsetHeight)")
    assert max(heights) < 120  # no column of long text
    shown = f"{rows}.map(row => Number(row.cells[0].innerText)).join()"
    for column in ("validation daily_log_sharpe", "test vs HODL"):
        ascending = [trial.number for trial in sorted(trials, key=lambda trial: trial.user_attrs[column])]
        assert ascending != sorted(ascending)  # another order than before the click
        for order in (ascending, ascending[::-1]):
            page.click(f"//th[contains(., 'UserAttribute {column}')]//*[@role='button']")
            page.wait_for(f"{shown} === '{','.join(map(str, order))}'", f"trials by {column}")


def test_note_is_shown_with_its_tables(page: Browser, address: str):
    page.open(f"{address}/note")
    cells = page.wait_for(
        "document.querySelectorAll('table').length === 2"
        " && [...document.querySelectorAll('td')].map(cell => cell.innerText)",
        "the note's tables",
    )
    assert cells[:2] == ["rule", "momentum"]
    assert "k_per_day[ETH]" in cells
    text = page.script("return document.body.innerText")
    assert "quantsim select --run 3f9c01ab" in text
    assert "Test metrics never steered" in text
