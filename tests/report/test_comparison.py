"""A result beside baselines: intervals, who beats whom, and how it is shown."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console, RenderableType

from quantsim import Experiment
from quantsim.baseline import Baseline
from quantsim.objective.resampling import daily_metrics
from quantsim.report import Comparison, beaten_text, compare, comparison_markdown, comparison_notes, comparison_table
from quantsim.statistics import block_length, interval, paired_interval

NAMES = ("daily_log_sharpe", "daily_sharpe", "daily_sortino", "returns", "annualised_returns")
STUDY = Experiment.load("momentum_fees")
OBJECTIVE = STUDY.objective
DAYS = {"train": 60, "validation": 40}
LONGEST = 100


def drawn(name: str, seed: int, shift: float = 0.0) -> Baseline:
    """A pool with random daily returns, and the metrics that follow from them."""
    rng, market = np.random.default_rng(seed), np.random.default_rng(0)
    returns = {split: market.normal(0.0, 0.03, days) + rng.normal(shift, 0.005, days) for split, days in DAYS.items()}
    others = {"turnover": -0.02, "fee_revenue_over_value": 0.01}
    metrics = {
        split: {**{key: float(value) for key, value in daily_metrics(NAMES, own).items()}, **others}
        for split, own in returns.items()
    }
    return Baseline(name, metrics, returns)


def over_holding(pool: Baseline, held: Baseline) -> Baseline:
    """The pool with its returns over that holding."""
    metrics = {
        split: {**table, "returns_over_hodl": (1 + table["returns"]) / (1 + held.metrics[split]["returns"]) - 1}
        for split, table in pool.metrics.items()
    }
    return replace(pool, metrics=metrics)


HODL = over_holding(drawn("hodl", 3), drawn("hodl", 3))
SELECTED = over_holding(drawn("selected", 1, 0.001), HODL)
BASELINES = {
    "study": over_holding(drawn("study", 2), HODL),
    "constant_weights": over_holding(drawn("constant_weights", 4, 0.004), HODL),
    "hodl": HODL,
}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(OBJECTIVE, SELECTED, BASELINES, chosen_by="validation")


def text_of(comparison: Comparison, width: int = LONGEST) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(comparison_table(comparison))
    return capture.get()


def block_of(split: str) -> float:
    """The longest of the mean lengths of blocks for the pool and for its differences to the baselines."""
    ours = SELECTED.daily_log_returns[split]
    return max(map(block_length, (ours, *(ours - other.daily_log_returns[split] for other in BASELINES.values()))))


@pytest.mark.parametrize("split", DAYS)
@pytest.mark.parametrize("metric", NAMES)
def test_intervals_are_those_of_the_metric_on_the_same_resampled_days(comparison: Comparison, split: str, metric: str):
    def statistic(returns):
        return daily_metrics([metric], returns)[metric]

    (found,) = (one for one in comparison.splits if one.split == split)
    row, ours, block = found.row(metric), SELECTED.daily_log_returns[split], block_of(split)
    alone = interval(statistic, ours, block=block)
    assert (row.interval.lower, row.interval.upper, row.interval.standard_error) == pytest.approx(
        (alone.lower, alone.upper, alone.standard_error), rel=1e-12
    )
    for name, baseline in BASELINES.items():
        paired = paired_interval(statistic, ours, baseline.daily_log_returns[split], block=block)
        assert (row.differences[name].lower, row.differences[name].upper) == pytest.approx(
            (paired.lower, paired.upper), rel=1e-9, abs=1e-12
        )
        assert row.difference(name) == SELECTED.metrics[split][metric] - baseline.metrics[split][metric]


def test_returns_over_holding_are_resampled_with_the_holding(comparison: Comparison):
    row = comparison.splits[1].row("returns_over_hodl")
    excess = SELECTED.daily_log_returns["validation"] - HODL.daily_log_returns["validation"]
    expected = interval(lambda returns: np.expm1(returns.sum(axis=-1)), excess, block=block_of("validation"))
    assert (row.interval.lower, row.interval.upper) == pytest.approx((expected.lower, expected.upper), rel=1e-9)
    assert row.differences["hodl"].upper == pytest.approx(expected.upper, rel=1e-9)


def test_the_information_ratio_is_resampled_with_constant_weights():
    def with_ratio(pool: Baseline) -> Baseline:
        benchmark = BASELINES["constant_weights"].daily_log_returns
        found = {
            split: daily_metrics(["information_ratio"], own, constant_weights=benchmark[split])
            for split, own in pool.daily_log_returns.items()
        }
        return replace(pool, metrics={split: {**pool.metrics[split], **found[split]} for split in DAYS})

    skill = STUDY.override(["objective.metric=information_ratio"]).objective
    pools = {name: with_ratio(pool) for name, pool in BASELINES.items()}
    row = compare(skill, with_ratio(SELECTED), pools).splits[1].row("information_ratio")
    excess = SELECTED.daily_log_returns["validation"] - BASELINES["constant_weights"].daily_log_returns["validation"]
    expected = interval(
        lambda returns: daily_metrics(["daily_log_sharpe"], returns)["daily_log_sharpe"],
        excess,
        block=block_of("validation"),
    )
    assert (row.interval.lower, row.interval.upper) == pytest.approx((expected.lower, expected.upper), rel=1e-9)
    assert row.differences["constant_weights"].lower == row.interval.lower  # which have none
    assert compare(skill, with_ratio(SELECTED), {}).splits[1].row("information_ratio").interval is None


def test_a_pool_of_other_initial_weights_has_no_interval_over_holding():
    other = over_holding(SELECTED, drawn("another holding", 9))
    row = compare(OBJECTIVE, other, BASELINES).splits[0].row("returns_over_hodl")
    assert row.interval is None
    assert row.differences["hodl"] is None


def test_a_set_is_not_told_apart_from_itself(comparison: Comparison):
    same = compare(OBJECTIVE, SELECTED, {"study": SELECTED}).splits[0].row("daily_log_sharpe")
    assert (same.differences["study"].lower, same.differences["study"].upper) == (0.0, 0.0)
    assert not compare(OBJECTIVE, SELECTED, {"study": SELECTED}, chosen_by="train").beaten_by()


def test_only_functions_of_daily_values_have_intervals(comparison: Comparison):
    for split in comparison.splits:
        assert {row.metric for row in split.rows if row.interval is None} == {"turnover", "fee_revenue_over_value"}
    lines = [line.split() for line in text_of(comparison).splitlines()]
    assert ["turnover,", "%", "per", "day", "2.00", "–", "2.00", "2.00", "2.00"] in lines
    assert "–: no interval" in text_of(comparison)


def test_intervals_of_a_selected_set_come_with_the_remark_that_it_was_selected(comparison: Comparison):
    remark = "The intervals ignore the selection"
    assert remark in text_of(comparison)
    assert remark not in text_of(compare(OBJECTIVE, SELECTED, BASELINES))


def test_every_split_has_the_baselines_as_columns_in_a_hundred_characters(comparison: Comparison):
    text = text_of(comparison)
    assert text.index("Train, 61 days") < text.index("Validation, 41 days, used for selection")
    heads = [line.split() for line in text.splitlines() if line.strip().startswith("metric")]
    assert heads == [["metric", "selected", "study", "constant", "weights", "HODL"]] * 2
    assert max(map(len, text.splitlines())) <= LONGEST
    assert "…" not in text
    row = comparison.splits[1].row("daily_log_sharpe")
    assert row.interval.standard_error > 2.0
    shown = next(line.split() for line in text.splitlines()[20:] if "daily_log_sharpe" in line)
    assert shown == ["daily_log_sharpe", *(f"{value + 0.0:.0f}" for value in row.values.values())]


def test_the_baselines_that_beat_the_set_are_said_with_both_figures(comparison: Comparison):
    assert comparison.beaten_by() == ("constant_weights",)
    text = beaten_text(comparison)
    row = comparison.splits[1].row("daily_log_sharpe")
    ours, theirs = row.values["selected"], row.values["constant_weights"]
    assert text.startswith(
        "On validation data, used for selection, a baseline beats the selected set: constant weights "
    )
    figures = [
        float(word.rstrip(",")) for word in text.split() if word.rstrip(",").replace(".", "").lstrip("-").isdigit()
    ]
    assert figures == pytest.approx([theirs, ours], abs=row.differences["constant_weights"].standard_error)
    assert text.endswith("[daily_log_sharpe, ratio, annualised].")
    assert beaten_text(compare(OBJECTIVE, SELECTED, BASELINES)) is None  # it was not selected


def test_figures_that_would_look_the_same_have_more_digits():
    pools = {
        name: Baseline(name, {"train": {"daily_log_sharpe": value}}, {"train": HODL.daily_log_returns["train"]})
        for name, value in (("selected", 1.0001), ("study", 1.0012))
    }
    noisy = replace(pools["study"], daily_log_returns={"train": SELECTED.daily_log_returns["train"]})
    text = beaten_text(compare(OBJECTIVE, pools["selected"], {"study": noisy}, chosen_by="train"))
    assert "study 1.001 against 1.000" in text


@pytest.mark.parametrize(
    ("returns", "drawdown", "beaten"), [(0.2, -0.1, True), (0.2, -0.3, False), (0.1, -0.2, False), (0.1, -0.1, True)]
)
def test_of_several_objectives_none_may_be_worse(returns: float, drawdown: float, beaten: bool):
    ours = Baseline("selected", {"train": {"returns": 0.1, "max_drawdown": -0.2}}, {})
    theirs = Baseline("study", {"train": {"returns": returns, "max_drawdown": drawdown}}, {})
    found = compare(OBJECTIVE, ours, {"study": theirs}, chosen_by="train", chosen_for=("returns", "max_drawdown"))
    assert (found.beaten_by() == ("study",)) == beaten
    flipped = compare(OBJECTIVE, theirs, {"study": ours}, chosen_by="train", chosen_for=("-returns", "-max_drawdown"))
    assert (flipped.beaten_by() == ("study",)) == beaten


def test_a_cost_is_shown_positive_in_the_sentence():
    ours = Baseline("selected", {"train": {"turnover": -0.02}}, {})
    theirs = Baseline("study", {"train": {"turnover": -0.01}}, {})
    found = compare(OBJECTIVE, ours, {"study": theirs}, chosen_by="train", chosen_for=("turnover",))
    assert "study 1.00 against 2.00 [turnover, % per day]" in beaten_text(found)


def test_what_an_old_run_does_not_have_is_said():
    old = replace(SELECTED, daily_log_returns={})
    found = compare(OBJECTIVE, old, {}, chosen_by="validation")
    assert found.unknown == ("baselines", "daily returns")
    assert comparison_notes(found, "quantsim simulate --from 3f9c01ab:1:0") == (
        "Not stored: baselines and daily returns. The run was imported or made by an older version. "
        "`quantsim simulate --from 3f9c01ab:1:0` computes them.",
    )
    text = text_of(found)
    assert "Train  " in text
    held = found.splits[0].row("returns").values["hodl"]
    assert held == pytest.approx(HODL.metrics["train"]["returns"])
    assert f"{100 * held:+.2f}" in text
    assert not comparison_notes(compare(OBJECTIVE, SELECTED, BASELINES))


def test_few_days_have_no_interval():
    short = replace(SELECTED, daily_log_returns={"train": np.zeros(5), "validation": np.full(40, -np.inf)})
    train, validation = compare(OBJECTIVE, short, BASELINES).splits
    assert train.reason == "5 daily returns are too few for an interval, which needs 10"
    assert "not finite" in validation.reason
    assert all(row.interval is None for split in (train, validation) for row in split.rows)


def test_json_has_full_precision(comparison: Comparison):
    document = comparison.to_json()
    row = comparison.splits[1].row("daily_sharpe")
    assert document["baselines"]["study"]["validation"]["daily_sharpe"] == row.values["study"]
    assert document["intervals"]["validation"]["daily_sharpe"]["lower"] == row.interval.lower
    found = document["differences"]["hodl"]["validation"]["daily_sharpe"]
    assert (found["value"], found["upper"]) == (row.difference("hodl"), row.differences["hodl"].upper)
    assert "turnover" not in document["intervals"]["validation"]
    assert document["beaten_by"] == ["constant_weights"]
    lost = replace(SELECTED, metrics={"train": {"returns": math.nan, "daily_sortino": math.inf}})
    found = compare(OBJECTIVE, BASELINES["study"], {"lost": lost}, names=("returns", "daily_sortino")).to_json()
    assert found["baselines"]["lost"]["train"] == {"returns": None, "daily_sortino": "inf"}


def test_tables_have_volatility_and_drawdown_of_stored_returns(comparison: Comparison):
    """Also of runs that did not store them."""
    split = comparison.splits[1]
    shown = {row.metric: row for row in comparison.shown_rows(split)}
    daily = np.exp(np.cumsum([0.0, *SELECTED.daily_log_returns[split.split]]))
    assert "annualised_volatility" not in SELECTED.metrics[split.split]
    volatility = -math.sqrt(365) * np.std(daily[1:] / daily[:-1] - 1)
    assert shown["annualised_volatility"].values["selected"] == pytest.approx(volatility, rel=1e-12)
    fall = (daily / np.maximum.accumulate(daily) - 1).min()
    assert shown["daily_max_drawdown"].values["selected"] == pytest.approx(fall, rel=1e-12)
    assert "daily_sortino" not in shown  # which the study stores, and JSON has
    assert split.row("daily_sortino") is not None


def test_a_narrow_console_gives_intervals_a_line(comparison: Comparison):
    wide, narrow = (rendered(comparison_table(comparison), width) for width in (120, 80))
    assert max(map(len, narrow.splitlines())) <= 80
    assert re.findall(r"\[[^]]*\]", narrow) == re.findall(r"\[[^]]*\]", wide)  # none is broken
    volatility = next(line for line in wide.splitlines() if "annualised_volatility" in line).split()
    assert not any(cell.startswith("-") for cell in volatility)  # costs are positive, and so are their intervals


def test_no_digits_are_shown_of_a_difference_to_the_same_pool():
    same = Baseline("study", SELECTED.metrics, SELECTED.daily_log_returns)
    text = rendered(comparison_table(compare(OBJECTIVE, SELECTED, {"study": same})), 120)
    assert "0.000, 0.000" not in text
    units = next(line for line in text.splitlines() if "ratio, annualised" in line)
    assert units.split()[-2:] == ["0", "–"]  # of the study, and of HODL, whose returns are not stored


def rendered(table: RenderableType, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_markdown_has_the_same_cells(comparison: Comparison):
    lines = list(comparison_markdown(comparison))
    assert lines[0] == "**Train, 61 days**"
    assert lines[2] == "| metric | selected | study | constant weights | HODL |"
    widths = {line.count("|") for line in lines if line.startswith("|")}
    assert widths == {6}
