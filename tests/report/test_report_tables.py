"""Tables: content and units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rich.console import Console

from quantsim import Evaluator, Experiment
from quantsim.baseline import Baseline
from quantsim.checkpoints import Selection
from quantsim.drivers.hybrid.rounds import Phase
from quantsim.objective import is_cost, unit_of
from quantsim.parameters import bind, common
from quantsim.prices import Gap, available
from quantsim.report import (
    compare,
    comparison_table,
    coverage_table,
    gains_table,
    gaps_table,
    hodl_returns,
    parameters_table,
)
from quantsim.report.formats import metric_text, number_text, unit_text
from quantsim.report.hodl import annualised_hodl_returns
from quantsim.rules import get_rule


def text_of(table, width: int = 200) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20.0, "20"),
        (0.0, "0"),
        (14.7, "14.7"),
        (0.123456, "0.1235"),
        (123456.0, "123,500"),
        (-3.0, "-3"),
        (1e-9, "1.000e-09"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "inf"),
        (99999.0, "100,000"),
    ],
)
def test_numbers(value, text):
    assert number_text(value) == text


def test_fractions_are_shown_as_percentages():
    assert metric_text(0.1234, "fraction per year") == "+12.34"
    assert unit_text("fraction per year") == "% per year"
    assert metric_text(-1.5, "ratio, annualised") == "-1.500"
    assert metric_text(math.nan, "fraction") == "–"


def test_hodl_returns_equal_the_returns_of_holding():
    metrics = {"train": {"returns": 0.1, "returns_over_hodl": -0.2}, "test": {"returns": 0.1}}
    assert hodl_returns(metrics) == {"train": pytest.approx(1.1 / 0.8 - 1), "test": None}


def test_the_objective_comes_first_and_hodl_is_a_column_where_only_metrics_are_known():
    metrics = {"train": {"returns": 0.1, "sharpe": 2.0, "returns_over_hodl": 0.0}, "test": {"returns": 0.2}}
    objective = Experiment.load("momentum_fees").override(["objective.metric=sharpe"]).objective
    found = compare(objective, Baseline("selected", metrics, {}), {})
    lines = text_of(comparison_table(found)).splitlines()
    rows = [line.split() for line in lines if line.strip()]
    assert rows[:2] == [["Train"], ["metric", "selected", "HODL"]]
    assert rows[3] == ["sharpe,", "ratio,", "annualised", "2.000", "–", "–"]
    assert ["returns,", "%", "+10.00", "–", "+10.00"] in rows
    test = rows[rows.index(["Test"]) :]
    assert test[1] == ["metric", "selected"]
    assert ["returns,", "%", "+20.00", "–"] in test


def test_hodl_is_annualised_beside_annualised_figures():
    """Over a quarter of a year, so that a year compounds four times."""
    train = {"returns": 0.1, "annualised_returns": 1.1**4 - 1, "returns_over_hodl": -0.2}
    still = {"returns": 0.0, "annualised_returns": 0.0, "returns_over_hodl": -0.2}
    lost = {"returns": -1.0, "annualised_returns": -1.0, "returns_over_hodl": -0.2}
    metrics = {"train": train, "validation": still, "test": lost, "other": {"returns": 0.1, "returns_over_hodl": 0.0}}
    found = annualised_hodl_returns(metrics)
    assert found.pop("train") == pytest.approx((1.1 / 0.8) ** 4 - 1, rel=1e-12)
    assert found == {"validation": None, "test": None, "other": None}
    row = compare(Experiment.load("momentum_fees").objective, Baseline("selected", {"train": train}, {}), {}).splits[0]
    held = {name: row.row(name).values["hodl"] for name in ("returns", "annualised_returns")}
    assert held == pytest.approx({"returns": 0.375, "annualised_returns": 2.5745}, rel=1e-4)


def test_costs_are_shown_positive():
    metrics = {"train": {"turnover": -0.0123}, "test": {"turnover": math.nan}}
    names = ("turnover", "turnover.worst", "turnover.std", "returns", "objective")
    assert {name for name in names if is_cost(name)} == {"turnover", "turnover.worst"}
    objective = Experiment.load("momentum_fees").override(["objective.metric=turnover"]).objective
    text = text_of(comparison_table(compare(objective, Baseline("selected", metrics, {}), {})))
    rows = [line.split() for line in text.splitlines()]
    assert ["turnover,", "%", "per", "day", "1.23", "–"] in rows
    assert ["turnover,", "%", "per", "day", "–", "–"] in rows


def test_annualised_hodl_equals_a_simulation_of_holding():
    study = Experiment.load("momentum_zero_fee").override(["data.bar_minutes=1440"])
    pool, held = (
        Evaluator(experiment).evaluate(
            experiment.initial_parameters(), ["annualised_returns", "returns", "returns_over_hodl"]
        )
        for experiment in (study, study.override(["pool.rule=hodl", "parameters={}"]))
    )
    for split, value in annualised_hodl_returns(pool).items():
        assert value == pytest.approx(held[split]["annualised_returns"], rel=1e-9)


def test_the_best_of_a_cost_is_the_lowest():
    assert Selection("best_train", "turnover", "train", False, ()).describe() == "best_train: lowest train turnover"
    guarded = Selection("best_train_min_test", "turnover", "train", True, (), minimum=-0.05)
    assert "lowest train turnover where test turnover <= 0.05" in guarded.describe()
    phases = [Phase(1, "search", "a", 5, 1.0, -0.05, {}), Phase(1, "gradients", "b", 5, 1.0, -0.02, {})]
    rows = [line.split() for line in text_of(gains_table(phases, "turnover", unit_of("turnover"))).splitlines()]
    assert ["phase", "evaluations", "s", "lowest", "train", "gain"] in rows
    assert ["1", "gradients", "5", "1.0", "2.00", "+3.00"] in rows


def test_parameters_table_has_units_and_tokens():
    parameters = bind(get_rule("momentum").parameters, ("ETH", "BTC"), 1440)
    text = text_of(parameters_table(parameters, {"memory_days": (20.0, 3.5)}, ("ETH", "BTC")))
    words = [word for word in text.split() if not word.startswith("─")]
    assert words == ["Parameters", "parameter", "ETH", "BTC", "unit", "memory_days", "20", "3.5", "days"]


def test_other_labels_have_a_row_each():
    nested = bind(get_rule("momentum").parameters, ("LTC", "XRP"), 1440, group="alts")
    fee = bind((common.swap_fee,), ("pool",), 1440)
    human = {"alts.memory_days": (20.0, 3.5), "swap_fee": (0.003,)}
    text = text_of(parameters_table((*nested, *fee), human, ("ETH", "BTC")))
    rows = [line.split() for line in text.splitlines()[4:] if line.strip()]
    assert rows == [
        ["alts.memory_days[LTC]", "20", "days"],
        ["alts.memory_days[XRP]", "3.5", "days"],
        ["swap_fee", "0.003", "share"],
    ]


def test_a_value_of_the_pool_is_in_no_column_of_a_token():
    fee = bind((common.swap_fee,), ("pool",), 1440)
    human = {"memory_days": (20.0, 3.5), "swap_fee": (0.003,)}
    momentum = bind(get_rule("momentum").parameters, ("ETH", "BTC"), 1440)
    head, _, *rows = [
        line
        for line in text_of(parameters_table((*momentum, *fee), human, ("ETH", "BTC"))).splitlines()[2:]
        if line.strip()
    ]
    assert head.split() == ["parameter", "ETH", "BTC", "value", "unit"]
    assert rows[-1].index("0.003") > head.index("BTC") + len("BTC")
    (head, *_) = text_of(parameters_table(fee, human, ("ETH", "BTC"))).splitlines()[2:]
    assert head.split() == ["parameter", "value", "unit"]


def test_price_tables_show_place_and_length():
    gap = Gap("BTC", np.datetime64("2019-01-07T11:00:00"), 5, 30)
    assert "2019-01-07 11:00" in (text := text_of(gaps_table([gap])))
    assert "2019-01-07 13:00" in text
    assert "150" in text
    for width in (200, 80):
        text = text_of(coverage_table(available(), "Prices"), width)
        assert all(shown in text for shown in ("35,019", "2017-10-01", "2019-10-01"))
        assert "…" not in text
