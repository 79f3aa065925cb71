"""Parts of the report: figures against plain loops, drawings, and tables of the terminal."""

from __future__ import annotations

import importlib
import itertools
import math
import re
import types

import numpy as np
import pandas as pd
import pytest
from rich.table import Table as RichTable
from rich.text import Text as RichText

from quantsim import Experiment
from quantsim.metrics.series import drawdowns
from quantsim.report.html import Curves
from quantsim.report.html.blocks import Cell, Table
from quantsim.report.html.drawing import drawing_of, plain
from quantsim.report.html.interactive import rounded
from quantsim.report.html.rendering import with_code
from quantsim.report.html.sections.attribution import attribution
from quantsim.report.html.sections.contract import contract
from quantsim.report.html.sections.monthly import monthly_returns
from quantsim.report.html.sections.price_range import price_range
from quantsim.report.html.sections.rolling import rolling_ratio
from quantsim.report.html.sections.value import value
from quantsim.report.html.sections.weights import weights
from quantsim.simulator.attribution import TERMS


@pytest.fixture
def curves() -> Curves:
    times = np.arange("2020-11-20", "2021-02-10", dtype="datetime64[D]").astype("datetime64[s]")
    values = np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.05, times.size)))
    return Curves(times, {"selected": values}, {"selected": 1.5}, np.ones((times.size, 1)), ("A",), {"train": 0})


def test_drawdowns_are_below_the_highest_value_so_far(curves: Curves) -> None:
    values = curves.values["selected"]
    expected = [values[day] / max(values[: day + 1]) - 1.0 for day in range(values.size)]
    np.testing.assert_allclose(drawdowns(values), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("unit", "starts"), [("M", ["2020-12-01", "2021-01-01", "2021-02-01"]), ("Y", ["2021-01-01"])])
def test_returns_of_months_and_years_compound_to_the_whole(curves: Curves, unit: str, starts: list[str]) -> None:
    values, days = curves.values["selected"], curves.times.astype("datetime64[D]").astype(str).tolist()
    ends = [0, *map(days.index, starts), len(days) - 1]
    values = np.append(values[:-1], curves.ends["selected"])  # the last period ends at the last bar
    expected = [values[end] / values[start] - 1.0 for start, end in itertools.pairwise(ends)]
    found = monthly_returns(curves, "selected", unit)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert [str(period) for period in found.index] == [
        day[:7] if unit == "M" else day[:4] for day in [days[0], *starts]
    ]


def test_ratios_of_a_window(curves: Curves) -> None:
    returns = curves.log_returns["selected"]
    found = rolling_ratio(returns, 20)
    assert np.isnan(found[:19]).all()
    expected = [
        math.sqrt(365) * part.mean() / part.std() for part in np.lib.stride_tricks.sliding_window_view(returns, 20)
    ]
    np.testing.assert_allclose(found[19:], expected, rtol=1e-9)
    assert np.isnan(rolling_ratio(np.zeros(30), 20)).all()


def test_a_range_of_prices_is_shown_with_its_centeredness(curves: Curves) -> None:
    bars = np.arange(curves.times[0], curves.times[-1] + np.timedelta64(1, "D"), np.timedelta64(12, "h"))
    values = np.linspace(1.0, 2.0, bars.size)
    state = {"range_low": 0.5 * values, "range_high": 2.0 * values, "centeredness": 0.4 * values}
    prices = np.column_stack([3.0 * values, np.full(bars.size, 2.0)])
    simulation = types.SimpleNamespace(times=bars, tokens=("A<b>", "B"), prices=prices, state=state)
    section = price_range(types.SimpleNamespace(curves=curves, simulation=simulation))
    assert section is not None
    text, figure = section.blocks
    drawn = {trace["name"]: trace["y"] for trace in figure.spec["data"]}
    assert drawn.keys() == {"lowest price", "highest price", "market", "centeredness"}
    np.testing.assert_allclose(drawn["market"], 1.5 * values[::2], rtol=1e-5)
    np.testing.assert_allclose(drawn["highest price"], 2.0 * values[::2], rtol=1e-5)
    assert "price of A<b> in B" in text.text
    assert figure.spec["layout"]["yaxis"]["title"]["text"] == "price of A&lt;b&gt; in B"
    simulation.state = {}
    assert price_range(types.SimpleNamespace(curves=curves, simulation=simulation)) is None


def test_cautions_of_the_simulation_are_in_the_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("quantsim.report.html.sections.headline")
    monkeypatch.setattr(module, "beaten_text", lambda _: None)
    content = types.SimpleNamespace(
        comparison=None,
        selection=None,
        validation=None,
        experiment=types.SimpleNamespace(cautions=("a setting is published",)),
        simulation=types.SimpleNamespace(notes={"cautions": ["a setting is published", "the range eats the pool"]}),
    )
    found = [block.text for block in module._cautions(content)]
    assert found == ["Caution: a setting is published.", "Caution: the range eats the pool."]


KINDS = {
    "rule": ({"rule": "momentum"}, "Weights", "loss to arbitrageurs, before fees", "momentum"),
    "rebalanced": (
        {"type": "rebalanced", "rule": "balancer"},
        "Weights",
        "costs of rebalancing, and the manager's fee",
        "balancer (rebalanced)",
    ),
    "batch": ({"type": "batch"}, "Weights", "loss to arbitrageurs, before fees", "batch"),
    "hold": ({"type": "hold"}, "Shares of value", "loss to arbitrageurs, before fees", "hold"),
    "reclamm": ({"type": "reclamm"}, "Shares of value", "loss to arbitrageurs, before fees", "reclamm"),
    "eclp": ({"type": "eclp"}, "Shares of value", "loss to arbitrageurs, before fees", "eclp"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_fit_the_type_of_pool(kind: str, curves: Curves) -> None:
    pool, of_weights, of_trades, label = KINDS[kind]
    experiment = Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": {"train_start": "2020-11-20", "train_end": "2021-02-10"},
            "pool": pool,
            "parameters": {"alpha": 0.5, "beta": 2.0, "tan_phi": 1.0} if kind == "eclp" else {},
        }
    )
    terms = pd.DataFrame(1.0, pd.DatetimeIndex(curves.times), [*TERMS, "total"])
    content = types.SimpleNamespace(
        experiment=experiment,
        curves=curves,
        attribution=terms,
        by_split=terms.iloc[:1].set_axis(["train"]),
        simulation=types.SimpleNamespace(fees=curves.values["selected"]),
    )
    assert weights(content).title == of_weights
    table = next(block for block in attribution(content).blocks if isinstance(block, Table))
    rows = [row[0].text for row in table.rows]
    assert (rows[2], rows[4]) == (of_trades, "fees of arbitrage")
    assert ("a weighted pool" in value(content).blocks[0].text) == (kind in ("reclamm", "eclp"))
    assert experiment.pool.label == label


def test_a_contract_that_accepts_a_pool_without_weights_has_no_section() -> None:
    def found(**of_contract: list[str]) -> list[str] | None:
        pools = [{"contract": {"refused": [], "warnings": [], **of_contract}}]
        section = contract(types.SimpleNamespace(deployment={"pools": pools}, on_chain=None, not_on_chain=""))
        return None if section is None else [block.text for block in section.blocks]

    assert found() is None
    assert found(warnings=["w"]) == ["Note: w"]
    assert found(refused=["r"], warnings=["w"]) == ["QuantAMM's contracts cannot run this pool:", "r", "Note: w"]


def test_drawings_follow_the_style_of_the_page() -> None:
    def draw(axes: object) -> None:
        axes.plot([0.0, 1.0], [1.0, 2.0], color="#1b6ca8", label=plain("<b> & $x$"))  # type: ignore[attr-defined]
        axes.legend()  # type: ignore[attr-defined]

    first, second = (drawing_of("one", draw, "a line") for _ in range(2))
    assert first == second
    svg = first.svg
    assert svg.startswith("<svg")
    assert not re.search(r"#[0-9a-f]{6}|<metadata|<script|\$Date", svg.replace("#ffffff", ""))
    assert "var(--series-1)" in svg
    assert "var(--ink)" in svg
    assert "&lt;b&gt; &amp; $x$" in svg
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]*)"', svg))
    assert set(re.findall(r"url\(#([^)]*)\)", svg)) <= set(re.findall(r'\bid="([^"]*)"', svg))


def test_tables_of_the_terminal_keep_their_second_lines() -> None:
    shown = RichTable(title="Title", caption="Caption")
    shown.add_column("effi-\nciency")
    shown.add_column("value", justify="right")
    shown.add_row("first", RichText("1.0\n[0, 2]"), style="bold")
    shown.add_row("second", "2.0")
    table = Table.of(shown)
    assert (table.head, table.title, table.caption) == (("efficiency", "value"), "Title", "Caption")
    assert table.rows[0] == (Cell("first", strong=True), Cell("1.0", "[0, 2]", strong=True))
    assert table.rows[1] == (Cell("second"), Cell("2.0"))


def test_numbers_and_code_of_texts() -> None:
    assert rounded(np.array([1.23456789, np.nan, -np.inf]), 3) == [1.23, None, None]
    assert with_code("run `a <b>` & `c`") == "run <code>a &lt;b&gt;</code> &amp; <code>c</code>"


def test_the_return_of_the_whole_is_that_of_the_last_bar(curves: Curves) -> None:
    section = value(types.SimpleNamespace(curves=curves, experiment=Experiment.load("momentum_fees")))
    (row,) = section.blocks[-1].rows
    assert row[1].text == f"{100.0 * (1.5 / curves.values['selected'][0] - 1.0):+.1f}"
