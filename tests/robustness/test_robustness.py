"""Robustness reports: every variation equals an evaluation of its own, and percentiles are those of the variations."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

import quantsim
from quantsim.errors import ConfigError
from quantsim.report.robustness import robustness_figure, robustness_table
from quantsim.robustness import KINDS, PERCENTILES, Robustness, Spread, Variations, Varied, neighbours, robustness_of
from quantsim.robustness.costs import cost_names, varied_costs
from quantsim.robustness.prices import noisy_prices, resampled_prices
from quantsim.robustness.starts import shifted_starts

SMALL = Variations(n=3, radius=0.3, price_noise=0.002, mean_block_days=2.0, shift_days=4.0, seed=5)
METRICS = ("daily_log_sharpe", "returns")


def study_with(*changes: str) -> quantsim.Experiment:
    data = {"source": "synthetic:ou-trend?seed=1&bar_minutes=240&start=2018-01-01", "tokens": ["A", "B"]}
    periods = {"train_start": "2018-02-01", "train_end": "2018-03-05", "validation_end": "2018-03-20"}
    tables = {"data": data, "periods": periods, "pool": {"rule": "momentum"}, "update": {"max_memory_days": 20.0}}
    return quantsim.Experiment.from_dict(tables).override(changes)


@pytest.fixture(scope="module")
def evaluator() -> quantsim.Evaluator:
    return quantsim.Evaluator(study_with("fees.swap_fee=0.003"))


@pytest.fixture(scope="module")
def raw(evaluator: quantsim.Evaluator) -> dict[str, np.ndarray]:
    return evaluator.experiment.initial_parameters({"k_per_day": [30.0, 5.0]})


@pytest.fixture(scope="module")
def found(evaluator: quantsim.Evaluator, raw: dict[str, np.ndarray]) -> Robustness:
    return robustness_of(evaluator, raw, variations=SMALL, metrics=METRICS)


def assert_same(found: Robustness, kind: str, index: int, expected: dict[str, dict[str, float]]) -> None:
    for split, values in expected.items():
        for metric in METRICS:
            assert found.kinds[kind].values[split][metric][index] == pytest.approx(values[metric], rel=1e-9)


def on(evaluator: quantsim.Evaluator, prices: np.ndarray) -> quantsim.Evaluator:
    return quantsim.Evaluator(evaluator.experiment, replace(evaluator.prices, prices=prices))


def of_constant_weights(prices: quantsim.Prices) -> dict[str, dict[str, float]]:
    study = study_with("fees.swap_fee=0.003", 'pool.rule="balancer"')
    return quantsim.Evaluator(study, prices).evaluate(study.initial_parameters(), METRICS)


def test_a_report_has_all_kinds_on_all_splits(found: Robustness):
    assert tuple(found.kinds) == KINDS
    assert not found.left_out
    for varied in found.kinds.values():
        assert list(varied.values) == list(varied.constant_weights) == ["train", "validation"]
        assert {values.size for table in varied.values.values() for values in table.values()} <= {SMALL.n, 2}


def test_the_point_is_the_evaluation_of_the_set_and_of_constant_weights(evaluator, raw, found):
    own = evaluator.evaluate(raw, METRICS)
    constant = of_constant_weights(evaluator.prices)
    for split in evaluator.splits:
        for metric in METRICS:
            assert found.point[split][metric] == pytest.approx(own[split][metric], rel=1e-12)
            assert found.constant_weights[split][metric] == pytest.approx(constant[split][metric], rel=1e-12)


def test_neighbours_are_evaluated_alone(evaluator, raw, found):
    moved = {"logit_lamb", "log_k"}
    near = neighbours(raw, SMALL.n, radius=SMALL.radius, seed=SMALL.seed, moved=moved)
    assert_same(found, "neighbours", 1, evaluator.evaluate({name: rows[1] for name, rows in near.items()}, METRICS))
    varied = found.kinds["neighbours"]
    assert (varied.constant_weights["train"]["returns"] == found.constant_weights["train"]["returns"]).all()


@pytest.mark.parametrize("kind", ["price_noise", "resampled_prices"])
def test_changed_prices_are_evaluated_alone(evaluator, raw, found, kind: str):
    prices, index = evaluator.prices.prices, 2
    ends = [first + n_bars for first, n_bars in evaluator.splits.values()]
    changed = (
        noisy_prices(prices, SMALL.price_noise, SMALL.seed, index)
        if kind == "price_noise"
        else resampled_prices(prices, [(0, ends[0]), (ends[0], ends[1])], SMALL.mean_block_days * 6, SMALL.seed, index)
    )
    alone = on(evaluator, changed)
    assert_same(found, kind, index, alone.evaluate(raw, METRICS))
    constant = of_constant_weights(alone.prices)["validation"]["returns"]
    assert found.kinds[kind].constant_weights["validation"]["returns"][index] == pytest.approx(constant, rel=1e-9)


def test_other_costs_are_evaluated_alone(evaluator, raw, found):
    names = cost_names(evaluator.experiment, evaluator.rates, SMALL)
    assert names == ("swap_fee", "arb_fee", "gas_cost_usd")
    drawn = varied_costs(names, evaluator.rates, SMALL, 1)
    assert 0.0015 <= drawn["swap_fee"] <= 0.006
    assert 0.0 <= drawn["arb_fee"] <= 0.001
    assert 0.0 <= drawn["gas_cost"] <= 1.0
    fees = (f"fees.swap_fee={drawn['swap_fee']}", f"fees.arb_fee={drawn['arb_fee']}")
    study = study_with(*fees, f"fees.gas_cost_usd={drawn['gas_cost']}")
    assert_same(found, "costs", 1, quantsim.Evaluator(study).evaluate(raw, METRICS))


def test_gas_of_zero_does_not_vary_where_it_would_depend_on_the_supply(evaluator):
    joins = evaluator.experiment.replace(series={"supply": "joins.csv"})
    assert cost_names(joins, evaluator.rates, SMALL) == ("swap_fee", "arb_fee")
    with_gas = evaluator.rates._replace(gas_cost=np.array([0.5, 0.25]))
    assert cost_names(joins, with_gas, SMALL) == ("swap_fee", "arb_fee", "gas_cost_usd")


def test_later_starts_are_evaluated_alone(evaluator, raw, found):
    first, n_bars = evaluator.splits["train"]
    alone = evaluator.evaluate_at(raw, [first + 4 * 6], n_bars - 4 * 6, METRICS)
    for metric in METRICS:
        assert found.kinds["shifted_starts"].values["train"][metric][-1] == pytest.approx(alone[metric][0], rel=1e-9)


def test_zero_noise_gives_the_point_exactly(evaluator, raw, found):
    none = replace(SMALL, n=2, price_noise=0.0)
    same = robustness_of(evaluator, raw, variations=none, kinds=("price_noise",), metrics=METRICS)
    for split, table in same.kinds["price_noise"].values.items():
        for metric in METRICS:
            assert table[metric].tolist() == [found.point[split][metric]] * 2


def test_a_factor_of_one_keeps_the_costs_of_the_study(evaluator):
    none = replace(SMALL, cost_factor=1.0, arb_fee=0.0)
    names = cost_names(evaluator.experiment, evaluator.rates, none)
    assert names == ("swap_fee", "gas_cost_usd")
    assert varied_costs(names, evaluator.rates, none, 0)["swap_fee"] == 0.003


def test_more_variations_do_not_change_the_first(evaluator, raw, found):
    more = robustness_of(evaluator, raw, variations=replace(SMALL, n=10), kinds=("price_noise",), metrics=METRICS)
    few, many = (one.kinds["price_noise"].values["train"]["returns"] for one in (found, more))
    np.testing.assert_allclose(few, many[:3], rtol=1e-12)


def test_resampled_prices_take_joint_rows_of_their_own_part():
    prices = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, (400, 2)), axis=0))
    resampled = resampled_prices(prices, [(0, 300), (300, 400)], 20.0, seed=1, index=0)
    steps, real = np.diff(np.log(resampled), axis=0), np.diff(np.log(prices), axis=0)
    rows = [int(np.argmin(np.abs(real - step).sum(axis=1))) for step in steps]
    np.testing.assert_allclose(steps, real[rows], atol=1e-12)
    assert max(rows[:299]) < 299 <= min(rows[299:])


def test_starts_stay_inside_the_split():
    starts, n_bars = shifted_starts(100, 240, shift_bars=48, chunk_bars=6, most=100)
    assert starts.tolist() == [100 + 6 * shift for shift in range(9)]
    assert n_bars == 192
    assert shifted_starts(0, 40, shift_bars=4800, chunk_bars=6, most=100)[1] == 34
    assert shifted_starts(0, 240, shift_bars=48, chunk_bars=6, most=2)[0].tolist() == [0, 48]
    assert shifted_starts(0, 20, shift_bars=48, chunk_bars=6, most=100) is None


def test_a_spread_has_percentiles_and_counts_undefined_values():
    spread = Spread.of(2.0, np.array([*range(101), np.nan]))
    assert spread.percentiles == {percentile: float(percentile) for percentile in PERCENTILES}
    assert spread.undefined == 1
    infinite = Spread.of(2.0, np.array([0.0, 1.0, np.inf, np.inf]))
    assert infinite.percentiles[5] == 0.0
    assert infinite.percentiles[95] == math.inf


def made(shares: dict[str, float], *, own: float = 1.0) -> Robustness:
    """A report in which the set is ahead in these shares of 100 variations."""
    point, constant = {"test": {"returns": own}}, {"test": {"returns": 0.5}}
    kinds = {}
    for kind, share in shares.items():
        ahead = np.where(np.arange(100) < 100 * share, 1.0, 0.0)
        kinds[kind] = Varied(
            kind, {"test": {"returns": ahead}}, {"test": {"returns": np.full(100, 0.5)}}, point, constant
        )
    return Robustness(("returns",), {}, kinds, point, constant)


def test_the_judgement_says_what_the_variations_show():
    assert "not better than constant weights" in made({"costs": 1.0}, own=0.4).judgement
    assert "exactly as good as constant weights" in made({"costs": 0.0}, own=0.5).judgement
    fragile = made({"costs": 1.0, "neighbours": 0.6, "price_noise": 0.94}).judgement
    assert fragile.endswith(
        "is fragile: it remains in only 60 % of neighbouring parameter sets, 94 % of noisy price paths."
    )
    assert "at least 95 % of the variations of every kind" in made({"costs": 0.95, "neighbours": 1.0}).judgement


def test_json_has_percentiles_of_set_constant_weights_and_difference(found: Robustness):
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    entry = values["kinds"]["price_noise"]["splits"]["validation"]["returns"]
    varied = found.kinds["price_noise"]
    own, constant = varied.values["validation"]["returns"], varied.constant_weights["validation"]["returns"]
    assert entry["n"] == SMALL.n
    for name, drawn in (("set", own), ("constant_weights", constant), ("difference", own - constant)):
        expected = dict(zip(map(str, PERCENTILES), np.percentile(drawn, PERCENTILES), strict=True))
        assert entry[name]["percentiles"] == pytest.approx(expected)
    assert entry["share_ahead"] == np.mean(own > constant)
    assert values["judgement"] == found.judgement


def test_table_and_picture_show_every_kind_and_split(found: Robustness, evaluator):
    console = Console(record=True, width=200, file=StringIO())
    console.print(robustness_table(found, "returns"))
    table = console.export_text()
    assert {kind: table.count(kind.replace("_", " ")) for kind in KINDS} == dict.fromkeys(KINDS, 2)
    assert table.count("train") == table.count("validation") == 1
    figure = robustness_figure(evaluator.experiment, found, "returns")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["train", "validation"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [kind.replace("_", " ") for kind in KINDS]


def test_kinds_that_do_not_apply_are_left_out_with_the_reason():
    found = quantsim.evaluate_robustness(
        study_with('pool.rule="hodl"'),
        variations=replace(SMALL, n=1, arb_fee=0.0, gas_cost_usd=0.0),
        kinds=("neighbours", "costs"),
        metrics=("returns",),
    )
    assert set(found.left_out) == {"neighbours", "costs"}
    assert "no trading costs" in found.left_out["costs"]


def test_constant_weights_pay_the_varied_costs_where_they_are_the_benchmark():
    found = quantsim.evaluate_robustness(
        study_with(), variations=replace(SMALL, gas_cost_usd=50.0), kinds=("costs",), metrics=("information_ratio",)
    )
    costs = found.kinds["costs"]
    for split in ("train", "validation"):
        np.testing.assert_array_equal(costs.constant_weights[split]["information_ratio"], 0.0)
        assert np.ptp(costs.values[split]["information_ratio"]) > 0.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n": 0}, "n = 0 variations"),
        ({"radius": 0.0}, "radius = 0.0 must be above 0"),
        ({"price_noise": -1.0}, "price_noise = -1.0 must be at least 0"),
        ({"mean_block_days": math.nan}, "mean_block_days = nan"),
        ({"cost_factor": 0.5}, "cost_factor = 0.5 must be at least 1"),
        ({"arb_fee": 1.0}, "arb_fee = 1.0"),
        ({"gas_cost_usd": -1.0}, "gas_cost_usd = -1.0"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_variations_out_of_range_are_errors(values: dict[str, float], words: str):
    with pytest.raises(ConfigError, match=words):
        Variations(**values)


def test_unknown_kinds_and_metrics_are_errors_before_prices_are_read():
    study = study_with('data.source="nowhere"')
    with pytest.raises(ConfigError, match="kind 'cost' of variations: did you mean 'costs'"):
        quantsim.evaluate_robustness(study, kinds=("cost",))
    with pytest.raises(ConfigError, match="unknown metric 'retuns'"):
        quantsim.evaluate_robustness(study, metrics=("retuns",))
