"""Fees, gas and oracles that vary in time: held from stamp to stamp, on the right dates, in every path that reads them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pool_reference as reference
import pytest
from pool_support import (
    FEES,
    FIRST,
    HALF_HOURS,
    Layout,
    bar_by_bar,
    expected,
    make_experiment,
    random_params,
    random_prices,
    stacked,
)

from quantsim import CheckpointStore, Evaluator, Experiment, simulate
from quantsim.drivers.sgd import run_sgd
from quantsim.errors import ConfigError, PriceError, WindowError
from quantsim.simulator import Path as Way
from quantsim.simulator.bar_path import BarPath

TWO_SPLITS = dataclasses.replace(HALF_HOURS, test_bars=150)
REST = {"noise_trader_ratio": 0.8, "protocol_fee_split": 0.25}


def stamp(bar: int, layout: Layout = HALF_HOURS) -> str:
    """The time of a bar of the data."""
    return (pd.Timestamp(FIRST) + pd.Timedelta(minutes=layout.bar_minutes * bar)).isoformat()


def csv(folder: Path, name: str, rows: dict[int, Any], columns: tuple[str, ...] = ("value",)) -> str:
    """A file of values by bar."""
    table = pd.DataFrame(np.array([np.atleast_1d(value) for value in rows.values()]), columns=list(columns))
    table.insert(0, "time", [stamp(bar) for bar in rows])
    table.to_csv(folder / f"{name}.csv", index=False)
    return str(folder / f"{name}.csv")


def assert_same(path: BarPath, wanted: reference.Run) -> None:
    np.testing.assert_allclose(path.reserves, wanted.reserves, rtol=1e-10)
    np.testing.assert_allclose(path.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(path.fee_revenue, wanted.fee_revenue, rtol=1e-9, atol=1e-9)


def costs(n_bars: int) -> dict[str, np.ndarray]:
    """Steps in every cost, zero among them."""
    bars = np.arange(n_bars)
    return {
        "swap_fee": np.where(bars < 60, 0.003, np.where(bars < 120, 0.0, 0.008)),
        "arb_fee": np.where(bars % 50 < 20, 0.002, 0.0),
        "gas_cost_usd": np.where(bars < 100, 5.0, 0.0),
    }


@pytest.mark.parametrize(("fees", "n_tokens"), [("fee", 2), ("gas", 3)])
def test_a_series_of_one_value_is_a_constant(tmp_path: Path, fees: str, n_tokens: int) -> None:
    prices, params = random_prices(HALF_HOURS, n_tokens, 1), random_params("momentum", HALF_HOURS, n_tokens, 1)
    files = {name: csv(tmp_path, name, {0: value}) for name, value in FEES[fees].items()}
    varying = make_experiment("momentum", n_tokens, HALF_HOURS, series=files)
    plain = bar_by_bar(make_experiment("momentum", n_tokens, HALF_HOURS, fees=FEES[fees]), params, prices)
    found = bar_by_bar(varying, params, prices)
    np.testing.assert_allclose(found.reserves, plain.reserves, rtol=1e-13)
    np.testing.assert_allclose(found.fee_revenue, plain.fee_revenue, rtol=1e-13)


ALL = ("swap_fee", "arb_fee", "gas_cost_usd")


@pytest.mark.parametrize(
    ("which", "n_tokens", "every"), [(("swap_fee",), 2, 1), (ALL, 3, 1), (("swap_fee",), 3, 7), (ALL, 2, 7)]
)
def test_steps_equal_the_plain_loop(which: tuple[str, ...], n_tokens: int, every: int) -> None:
    names = dict.fromkeys(which, "given")
    experiment = make_experiment(
        "momentum", n_tokens, HALF_HOURS, fees=REST, series=names, pool={"arb_frequency": every}
    )
    prices, params = random_prices(HALF_HOURS, n_tokens, 2), random_params("momentum", HALF_HOURS, n_tokens, 2)
    steps = {name: costs(HALF_HOURS.n_bars)[name] for name in which}
    whole = {name: np.concatenate([np.zeros(HALF_HOURS.history), step]) for name, step in steps.items()}
    gas = steps.pop("gas_cost_usd", np.zeros(HALF_HOURS.n_bars))
    wanted = expected(experiment, params, prices, gas_cost=gas, **steps)
    assert_same(bar_by_bar(experiment, params, prices, series=whole), wanted)


def test_a_fee_lasts_until_the_next_stamp_and_a_zero_is_a_zero(tmp_path: Path) -> None:
    first = HALF_HOURS.history
    path = csv(tmp_path, "fees", {first - 5: 0.003, first + 60: 0.0, first + 120: 0.008})
    experiment = make_experiment("momentum", 2, HALF_HOURS, fees=REST, series={"swap_fee": path})
    prices, params = random_prices(HALF_HOURS, 2, 2), random_params("momentum", HALF_HOURS, 2, 2)
    wanted = expected(experiment, params, prices, swap_fee=costs(HALF_HOURS.n_bars)["swap_fee"])
    assert_same(bar_by_bar(experiment, params, prices), wanted)


def test_each_split_has_the_fees_of_its_own_dates(tmp_path: Path) -> None:
    """Were the test fees those of training, the test would be the one at 0.001."""
    test = TWO_SPLITS.history + TWO_SPLITS.n_bars
    path = csv(tmp_path, "fees", {0: 0.001, test: 0.01})
    prices, params = random_prices(TWO_SPLITS, 2, 3), random_params("momentum", TWO_SPLITS, 2, 3)
    raw = make_experiment("momentum", 2, TWO_SPLITS).initial_parameters(params)
    names = ("returns", "fee_revenue_over_value", "sharpe")
    found = Evaluator(make_experiment("momentum", 2, TWO_SPLITS, series={"swap_fee": path}), prices).evaluate(
        raw, names
    )
    for split, fee in (("train", 0.001), ("test", 0.01)):
        alone = Evaluator(make_experiment("momentum", 2, TWO_SPLITS, fees={"swap_fee": fee}), prices)
        for name, value in alone.evaluate(raw, names)[split].items():
            assert found[split][name] == pytest.approx(value, rel=1e-10), (split, name)


def test_windows_take_their_own_part_of_the_series() -> None:
    prices, params = random_prices(HALF_HOURS, 2, 4), random_params("momentum", HALF_HOURS, 2, 4)
    experiment = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": "given", "gas_cost_usd": "given"})
    bars = np.arange(prices.n_bars)
    series = {"swap_fee": np.where(bars < 300, 0.002, 0.006), "gas_cost_usd": np.where(bars < 340, 3.0, 0.0)}
    evaluator = Evaluator(experiment, prices, series)
    raw = experiment.initial_parameters(params)
    for starts in ([240, 310, 345], [240, 248]):
        found = evaluator.evaluate_at(raw, starts, 80, ["returns", "fee_revenue_over_value"])
        for at, start in enumerate(starts):
            cut = dataclasses.replace(HALF_HOURS, history=start, n_bars=80)
            wanted = expected(
                make_experiment("momentum", 2, cut),
                params,
                prices,
                begin=0,
                swap_fee=series["swap_fee"][start : start + 80],
                gas_cost=series["gas_cost_usd"][start : start + 80],
            )
            assert found["returns"][at] == pytest.approx(wanted.value[-1] / wanted.value[0] - 1, rel=1e-9)
            assert found["fee_revenue_over_value"][at] == pytest.approx(wanted.fee_revenue / wanted.value[0], rel=1e-9)


def test_no_window_begins_before_the_costs_are_known(tmp_path: Path) -> None:
    first = HALF_HOURS.history
    experiment = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": csv(tmp_path, "fees", {first: 0.003})})
    prices = random_prices(HALF_HOURS, 2, 0)
    evaluator = Evaluator(experiment, prices)
    raw = experiment.initial_parameters(random_params("momentum", HALF_HOURS, 2, 0))
    assert evaluator.series.begins == evaluator.splits["train"][0] == first
    assert np.isfinite(evaluator.evaluate_at(raw, [first], 50, ["returns"])["returns"]).all()
    with pytest.raises(WindowError, match=f"from bar {first - 1} begins before the series do, at bar {first}"):
        evaluator.evaluate_at(raw, [first, first - 1], 50, ["returns"])
    late = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": csv(tmp_path, "late", {first + 1: 0.003})})
    with pytest.raises(PriceError, match=r"late\.csv, data row 1: the first time, .* is later than"):
        Evaluator(late, prices)


@pytest.mark.parametrize("fees", [{}, {"swap_fee": 0.003}])
def test_the_gradient_equals_finite_differences(fees: dict[str, float]) -> None:
    names = ("arb_fee", "gas_cost_usd") if fees else ("swap_fee", "arb_fee", "gas_cost_usd")
    experiment = make_experiment("momentum", 3, HALF_HOURS, fees=fees, series=dict.fromkeys(names, "given"))
    prices = random_prices(HALF_HOURS, 3, 6)
    series = {name: costs(prices.n_bars)[name] for name in names}
    evaluator = Evaluator(experiment, prices, series)
    first, n_bars = evaluator.splits["train"]
    sets, step = stacked(evaluator, random_params("momentum", HALF_HOURS, 3, 6, strength=0.5)), 1e-6
    moved = [sets, *({**sets, "log_k": sets["log_k"] + np.array([sign * step, 0.0, 0.0])} for sign in (1, -1))]
    rows = {name: np.concatenate([one[name] for one in moved]) for name in sets}
    values, gradients = evaluator.value_and_grad(rows, [first], n_bars, "returns")
    assert gradients["log_k"][0, 0] == pytest.approx((values[1] - values[2]) / (2 * step), rel=1e-4)


# The oracle

RULE_FILE = """
import jax.numpy as jnp
from quantsim.rules import Output, Rule

def targets(params, observed, settings):
    return observed.oracle / jnp.sum(observed.oracle, axis=-1, keepdims=True)

by_cap = Rule("by_cap", "weights in proportion to the oracle", (), Output.WEIGHTS, targets, needs_oracle=True)
"""


def test_rules_read_the_oracle_at_their_chunk_boundaries(tmp_path: Path) -> None:
    (tmp_path / "caps.py").write_text(RULE_FILE)
    first, chunk = HALF_HOURS.history, HALF_HOURS.chunk_minutes // HALF_HOURS.bar_minutes
    step = first + 3 * chunk
    # Written in another order than the pool's, and with a change right after a boundary, which the next one sees.
    rows = {0: (3.0, 1.0), step: (1.0, 1.0), step + chunk + 1: (1.0, 4.0)}
    path = csv(tmp_path, "caps", rows, ("ETH", "BTC"))
    update = {"maximum_change_per_minute": 1.0}
    rule = f"{tmp_path / 'caps.py'}:by_cap"
    experiment = make_experiment(rule, 2, HALF_HOURS, series={"oracle": path}, update=update)
    weights = simulate(experiment, None, random_prices(HALF_HOURS, 2, 0)).weights
    for bar, wanted in ((0, 0.25), (3 * chunk, 0.25), (4 * chunk, 0.5), (5 * chunk, 0.5), (6 * chunk, 0.8)):
        np.testing.assert_allclose(weights[bar], [wanted, 1 - wanted], rtol=1e-12, err_msg=str(bar))
    with pytest.raises(ConfigError, match=r"needs an oracle series: set series\.oracle"):
        make_experiment(rule, 2, HALF_HOURS)


def test_the_oracle_must_reach_back_to_the_first_bar_that_rules_see(tmp_path: Path) -> None:
    path = csv(tmp_path, "caps", {HALF_HOURS.history: (1.0, 1.0)}, ("BTC", "ETH"))
    experiment = make_experiment("index_market_cap", 2, HALF_HOURS, series={"oracle": path})
    with pytest.raises(PriceError, match=r"BTC in .*caps\.csv, data row 1: the first time, .* is later than"):
        Evaluator(experiment, random_prices(HALF_HOURS, 2, 0))


# What is told apart, and what is refused


def test_the_data_are_the_prices_and_the_series(tmp_path: Path) -> None:
    prices = random_prices(HALF_HOURS, 2, 0)
    assert Evaluator(make_experiment("momentum", 2, HALF_HOURS), prices).data_id == prices.identity

    def data_id(setting: str, rows: dict[int, float], name: str = "series") -> str:
        experiment = make_experiment("momentum", 2, HALF_HOURS, series={setting: csv(tmp_path, name, rows)})
        return Evaluator(experiment, prices).data_id

    one = data_id("swap_fee", {0: 0.003, 300: 0.004})
    assert one != prices.identity
    assert data_id("swap_fee", {0: 0.003, 100: 0.003, 300: 0.004}, "renamed") == one, "the same values, bar by bar"
    others = {data_id("swap_fee", {0: 0.003, 301: 0.004}), data_id("arb_fee", {0: 0.003, 300: 0.004}), one}
    assert len(others) == 3
    trades = []
    for amount in (1.0, 2.0):
        text = f"time,token_in,token_out,amount_in\n{stamp(300)},BTC,ETH,{amount}\n"
        (tmp_path / "trades.csv").write_text(text)
        experiment = make_experiment("momentum", 2, HALF_HOURS, series={"trades": str(tmp_path / "trades.csv")})
        trades.append(Evaluator(experiment, prices).data_id)
    assert len({prices.identity, *trades}) == 3


def test_a_run_is_not_resumed_on_another_series(tmp_path: Path) -> None:
    """The experiment names the same file, so only the identity of the data tells the two apart."""
    prices = random_prices(HALF_HOURS, 2, 0)
    sgd = {"steps": 2, "report_every": 1, "batch_size": 1, "n_parameter_sets": 1}
    runs = []
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        for fee in (0.003, 0.004):
            path = csv(tmp_path, "fees", {0: fee})
            experiment = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": path}, sgd=sgd)
            runs.append(store.run(run_sgd(experiment, prices, store).run_id))
            assert runs[-1].data_id == Evaluator(experiment, prices).data_id
        assert runs[0].data_id != runs[1].data_id
        # The same values in memory are the same data.
        series = {"swap_fee": np.full(prices.n_bars, 0.003)}
        again = store.run(run_sgd(experiment, prices, store, series=series).run_id)
        assert (again.data_id, again.notes["series"]) == (runs[0].data_id, "in memory: swap_fee")
        rows = [store.checkpoints(run_id=run.run_id) for run in (runs[0], again)]
        assert [row.raw for row in rows[0]] == [row.raw for row in rows[1]]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            {"fees": {"swap_fee": 0.003}, "series": {"swap_fee": "a.csv"}},
            r"fees.swap_fee = 0.003 and series.swap_fee = '.*a.csv'",
        ),
        ({"fees": {"arb_fee": 0.1}, "series": {"arb_fee": "a.csv"}}, "fees.arb_fee = 0.1 and series.arb_fee"),
        ({"fees": {"gas_cost_usd": 1.0}, "series": {"gas_cost_usd": "a.csv"}}, "fees.gas_cost_usd = 1.0 and series"),
        ({"fees": {"rule": "trend"}, "series": {"swap_fee": "a.csv"}}, r"fees.rule = 'trend' and series.swap_fee"),
        (
            {"parameters": {"swap_fee": 0.1}, "series": {"swap_fee": "a.csv"}},
            r"parameters.swap_fee and series.swap_fee",
        ),
        ({"series": {"swap_fees": "a.csv"}}, "did you mean 'swap_fee'"),
    ],
)
def test_a_setting_is_a_number_or_a_series(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_experiment("momentum", 2, HALF_HOURS, **tables)


def test_a_pool_that_does_not_swap_takes_no_trades() -> None:
    with pytest.raises(
        ConfigError,
        match=r"series\.trades = '.*a\.csv' is for pools that execute exogenous swaps, reclamm and weighted, .* 'hodl'",
    ):
        make_experiment("hodl", 2, HALF_HOURS, series={"trades": "a.csv"})


def test_an_override_keeps_the_series(tmp_path: Path) -> None:
    experiment = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": csv(tmp_path, "fees", {0: 0.003})})
    assert experiment.override(["sgd.steps=3"]).series == experiment.series
    assert Experiment.from_dict(experiment.model_dump(mode="json")).identity == experiment.identity


def test_arrays_take_the_place_of_files_that_the_experiment_names() -> None:
    prices = random_prices(HALF_HOURS, 2, 0)
    series = {"swap_fee": np.full(prices.n_bars, 0.003)}
    experiment = make_experiment("momentum", 2, HALF_HOURS, series={"swap_fee": "given"})
    result = simulate(experiment, None, prices, series=series)
    plain = simulate(make_experiment("momentum", 2, HALF_HOURS, fees={"swap_fee": 0.003}), None, prices)
    np.testing.assert_allclose(result.value, plain.value, rtol=1e-13)
    assert result.metrics["returns"] == pytest.approx(plain.metrics["returns"], rel=1e-12)
    with pytest.raises(
        ConfigError, match=r"series 'swap_fee' is given, but the experiment does not name it: set series.swap_fee"
    ):
        simulate(make_experiment("momentum", 2, HALF_HOURS), None, prices, series=series)
    with pytest.raises(PriceError, match=r"series.swap_fee has shape \(5,\), but must have \(440,\)"):
        Evaluator(experiment, prices, {"swap_fee": np.zeros(5)})
    with pytest.raises(PriceError, match=r"series.swap_fee = '.*given' is not a file"):
        Evaluator(experiment, prices)


def test_a_series_needs_the_path_with_fees() -> None:
    prices = random_prices(HALF_HOURS, 2, 0)
    for name in ("swap_fee", "arb_fee", "gas_cost_usd"):
        experiment = make_experiment("momentum", 2, HALF_HOURS, series={name: "given"})
        evaluator = Evaluator(experiment, prices, {name: np.zeros(prices.n_bars)})
        assert evaluator.planner.plan(237, 100, ["returns"])[0].path is Way.FEES
