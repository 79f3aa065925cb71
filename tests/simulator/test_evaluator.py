"""The evaluator's host side: windows, splits, batches, columns, paths asked for; and that nothing compiles twice."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    Layout,
    expected,
    make_experiment,
    prices_of,
    random_params,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Experiment, Prices, load_prices, simulate
from quantsim.errors import ConfigError, ParameterError, PriceError, WindowError
from quantsim.metrics import Need, get_metric
from quantsim.simulator import Path

Counting = Callable[[], AbstractContextManager[list[str]]]

# Of equal length and whole chunks, so that one program serves both.
TWO_SPLITS = dataclasses.replace(HALF_HOURS, n_bars=200, test_bars=200)
ENDS = (
    "returns",
    "returns_over_hodl",
    "returns_over_uniform_hodl",
    "daily_log_sharpe",
    "turnover",
    "fee_revenue_over_value",
)


def evaluator_of(
    layout: Layout = HALF_HOURS, n_tokens: int = 2, fees: str = "zero", seed: int = 0, **tables: Any
) -> Evaluator:
    experiment = make_experiment("momentum", n_tokens, layout, fees=FEES[fees], **tables)
    return Evaluator(experiment, random_prices(layout, n_tokens, seed))


def raw_of(evaluator: Evaluator, seed: int = 0) -> dict[str, np.ndarray]:
    n_tokens = evaluator.setup.n_tokens
    return {
        name: value[0]
        for name, value in stacked(evaluator, random_params("momentum", HALF_HOURS, n_tokens, seed)).items()
    }


# Windows


@pytest.mark.parametrize(
    ("starts", "n_bars", "said"),
    [
        ([0], 441, "441 bars from bar 0 does not fit into 440"),
        ([0, 40], 401, "401 bars from bar 40 does not fit into 440"),
        ([-1], 10, "from bar -1"),
        ([0, 440], 1, "from bar 440"),
        ([5], 0, "a window of 0 bars"),
        ([5], -3, "a window of -3 bars"),
        ([], 10, "one or more whole numbers"),
        ([0.5], 10, "one or more whole numbers"),
        ([[0, 1]], 10, "one or more whole numbers"),
    ],
)
def test_windows_that_do_not_fit_are_refused(starts: list[Any], n_bars: int, said: str) -> None:
    evaluator = evaluator_of()
    assert evaluator.prices.n_bars == 440
    with pytest.raises(WindowError, match=said):
        evaluator.evaluate_at(raw_of(evaluator), starts, n_bars, ["returns"])
    with pytest.raises(WindowError, match=said):
        evaluator.value_and_grad({}, starts, n_bars, "returns")


def test_the_last_window_that_fits() -> None:
    evaluator = evaluator_of()
    table = evaluator.evaluate_at(raw_of(evaluator), [440 - 100], 100, ["returns_over_uniform_hodl", "returns"])
    growth = (evaluator.prices.prices[-1] / evaluator.prices.prices[-100]).mean()
    assert table["returns_over_uniform_hodl"][0] == pytest.approx((1 + table["returns"][0]) / growth - 1, rel=1e-12)


@pytest.mark.parametrize("fees", ["zero", "noise"])
def test_windows_at_any_bar_equal_those_at_one_phase(fees: str) -> None:
    evaluator = evaluator_of(fees=fees)
    raw, starts = raw_of(evaluator), [5, 3, 8, 101, 150, 237]
    assert evaluator.planner.plan(starts, 200, ENDS)[0].phase is None
    mixed = evaluator.evaluate_at(raw, starts, 200, ENDS)
    for at, start in enumerate(starts[:2]):
        plan, _ = evaluator.planner.plan([start], 200, ENDS)
        assert plan.phase == start % evaluator.setup.chunk_bars
        alone = evaluator.evaluate_at(raw, [start], 200, ENDS)
        for name in ENDS:
            assert mixed[name][at] == pytest.approx(alone[name][0], rel=1e-11, abs=1e-13), (name, start)


def test_one_pass_serves_windows_of_one_phase() -> None:
    evaluator = evaluator_of()
    raw, starts = raw_of(evaluator), [5, 13, 53, 237]
    assert evaluator.planner.plan(starts, 200, ENDS)[0].phase == 5
    shared = evaluator.evaluate_at(raw, starts, 200, ENDS)
    for at, start in enumerate(starts):
        alone = evaluator.evaluate_at(raw, [start], 200, ENDS)
        for name in ENDS:
            assert shared[name][at] == pytest.approx(alone[name][0], rel=1e-12, abs=1e-14), (name, start)


# Batches and splits


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_many_sets_are_each_set_alone(fees: str) -> None:
    evaluator = evaluator_of(TWO_SPLITS, fees=fees)
    sets = stacked(evaluator, *(random_params("momentum", HALF_HOURS, 2, seed) for seed in range(4)))
    many = evaluator.evaluate_many(sets, ENDS)
    assert list(many) == ["train", "test"]
    for row in range(4):
        alone = evaluator.evaluate({name: value[row] for name, value in sets.items()}, ENDS)
        for split, table in alone.items():
            for name, value in table.items():
                assert isinstance(value, float)
                assert many[split][name][row] == pytest.approx(value, rel=1e-10, abs=1e-12), (split, name)


@pytest.mark.optimized
@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_the_bits_of_a_set_do_not_depend_on_its_place_in_the_batch(fees: str) -> None:
    evaluator = evaluator_of(TWO_SPLITS, fees=fees)
    first, second = (
        stacked(evaluator, *(random_params("momentum", HALF_HOURS, 2, seed) for seed in seeds))
        for seeds in ((0, 1, 2, 3, 4, 5, 6, 7, 8), (9, 0, 8, 8, 8, 8, 8, 8, 3))
    )
    one, other = evaluator.evaluate_many(first, ENDS), evaluator.evaluate_many(second, ENDS)
    for split, table in one.items():
        for name, row in table.items():
            np.testing.assert_array_equal(row[[0, 8, 3]], other[split][name][[1, 2, 8]])


def test_long_passes_over_every_bar_take_sets_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = 2 * sum(n_bars for _, n_bars in evaluator_of(TWO_SPLITS, fees="fee").splits.values())
    monkeypatch.setattr("quantsim.simulator.calls._MOST_VALUES", 5 * values)
    assert evaluator_of(TWO_SPLITS, fees="zero").sets_per_call == 32
    assert evaluator_of(TWO_SPLITS, fees="fee").sets_per_call == 4  # a power of two
    monkeypatch.setattr("quantsim.simulator.calls._MOST_VALUES", values - 1)
    assert evaluator_of(TWO_SPLITS, fees="fee").sets_per_call == 1
    with_fees = evaluator_of(TWO_SPLITS, fees="fee")
    on_accelerator = Evaluator(with_fees.experiment, random_prices(TWO_SPLITS, 2, 0), scan_mode="associative")
    assert on_accelerator.sets_per_call == 32


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_evaluate_gives_the_metrics_of_simulate(fees: str) -> None:
    evaluator = evaluator_of(TWO_SPLITS, fees=fees)
    prices, params = random_prices(TWO_SPLITS, 2, 0), random_params("momentum", HALF_HOURS, 2, 2)
    table = evaluator.evaluate(evaluator.experiment.initial_parameters(params))
    assert set(table) == {"train", "test"}
    for split, metrics in table.items():
        assert tuple(metrics) == evaluator.metric_names
        assert not any(get_metric(name).needs & Need.BARS for name in metrics)
        result = simulate(evaluator.experiment, params, prices, split=split)
        for name, value in metrics.items():
            assert result.metrics[name] == pytest.approx(value, rel=1e-10, abs=1e-12, nan_ok=True), (split, name)


def test_each_split_is_a_fresh_pool_and_all_is_one_run() -> None:
    experiment = make_experiment("momentum", 2, TWO_SPLITS, fees=FEES["fee"])
    prices, params = random_prices(TWO_SPLITS, 2, 4), random_params("momentum", TWO_SPLITS, 2, 4)
    train, test, whole = (simulate(experiment, params, prices, split=split) for split in ("train", "test", "all"))
    assert [result.split for result in (train, test, whole)] == ["train", "test", "all"]
    np.testing.assert_array_equal(np.concatenate([train.times, test.times]), whole.times)
    np.testing.assert_allclose(whole.value[: train.value.size], train.value, rtol=1e-12)
    assert test.value[0] == pytest.approx(experiment.pool.initial_value_usd, rel=1e-14)
    assert whole.value[train.value.size] != pytest.approx(test.value[0], rel=1e-4)
    wanted = expected(experiment, params, prices, split="test")
    np.testing.assert_allclose(test.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(test.weights, wanted.weights, rtol=1e-10)
    with pytest.raises(ConfigError, match=r"'tset'.*did you mean 'test'.*train, test, all"):
        simulate(experiment, params, prices, split="tset")


REAL = {
    "data": {"tokens": ["ETH", "BTC"]},
    "periods": {
        "train_start": "2018-01-01",
        "train_end": "2018-05-01",
        "validation_end": "2018-06-15",
        "test_end": "2018-09-01",
    },
    "update": {"max_memory_days": 60.0},
}


def test_real_splits_lie_at_their_dates() -> None:
    prices = load_prices(["BTC", "ETH"])  # 30-minute bars, stamped at their ends
    bounds = {
        "train": ("2018-01-01T00:00", "2018-04-30T23:30"),
        "validation": ("2018-05-01T00:00", "2018-06-14T23:30"),
        "test": ("2018-06-15T00:00", "2018-08-31T23:30"),
    }
    shares = np.array([0.3, 0.7])
    for rule in ("hodl", "balancer"):
        experiment = Experiment.from_dict(
            {**REAL, "pool": {"rule": rule}, "parameters": {"initial_weights": [0.3, 0.7]}}
        )
        evaluator = Evaluator(experiment, prices)
        assert evaluator.prices.times[0] == np.datetime64("2017-11-02T00:00")
        assert evaluator.prices.times[-1] == np.datetime64("2018-08-31T23:30")
        assert evaluator.notes["warm_up_days"] == 60.0
        table = evaluator.evaluate(experiment.initial_parameters())
        for split, (first, last) in bounds.items():
            rows = [int(np.flatnonzero(prices.times == np.datetime64(stamp))[0]) for stamp in (first, last)]
            growth = (prices.prices[rows[1]] / prices.prices[rows[0]])[::-1]  # ETH first, as the experiment has it
            wanted = shares @ growth if rule == "hodl" else np.prod(growth**shares)
            assert table[split]["returns"] == pytest.approx(wanted - 1, rel=1e-11)
            if rule == "hodl" and split == "test":
                result = simulate(experiment, None, prices, split=split)
                assert result.times[0] == np.datetime64(first)
                assert result.times[-1] == np.datetime64(last)
                assert result.tokens == ("ETH", "BTC")
                np.testing.assert_allclose(result.value[-1], 1e6 * wanted, rtol=1e-12)


def test_a_short_history_is_noted() -> None:
    experiment = Experiment.from_dict({**REAL, "pool": {"rule": "momentum"}, "update": {"max_memory_days": 365.0}})
    evaluator = Evaluator(experiment, load_prices(["BTC", "ETH"]))
    assert evaluator.prices.times[0] == np.datetime64("2017-10-01T00:30")
    assert evaluator.notes["warm_up_days"] == pytest.approx(92 - 1 / 48)
    assert "max_memory_days = 365" in evaluator.notes["warm_up"]
    assert evaluator.notes["bars_filled"] >= evaluator.notes["gaps_filled"] > 0


def test_prices_that_do_not_cover_a_period_are_refused() -> None:
    prices = load_prices(["BTC", "ETH"])
    late = Experiment.from_dict({**REAL, "pool": {"rule": "hodl"}}).override(["periods.test_end=2020-01-01"])
    with pytest.raises(PriceError, match="outside") as caught:
        Evaluator(late, prices)
    assert any("test period" in note for note in caught.value.__notes__)
    with pytest.raises(PriceError, match="no 'ETH'"):
        Evaluator(Experiment.from_dict({**REAL, "pool": {"rule": "hodl"}}), load_prices(["BTC", "XRP"]))
    odd = Experiment.from_dict({**REAL, "pool": {"rule": "hodl"}, "update": {"chunk_minutes": 45}})
    with pytest.raises(ConfigError, match=r"update.chunk_minutes = 45 must be a multiple of the 30-minute bars"):
        Evaluator(odd, prices)
    ramp = {"chunk_minutes": 1440, "interpolation_minutes": 100}
    with pytest.raises(ConfigError, match=r"update.interpolation_minutes = 100 must be a multiple"):
        Evaluator(Experiment.from_dict({**REAL, "pool": {"rule": "hodl"}, "update": ramp}), prices)


# Parameters and paths


def test_parameters_are_checked() -> None:
    evaluator = evaluator_of()
    raw = raw_of(evaluator)
    cases: list[tuple[dict[str, Any], str]] = [
        ({**raw, "log_kk": np.zeros(2)}, "'log_kk'.*did you mean 'log_k'"),
        ({name: value for name, value in raw.items() if name != "log_k"}, "'log_k' is missing"),
        ({**raw, "log_k": np.zeros(3)}, r"log_k has shape \(3,\).*\(2,\)"),
        ({**raw, "log_k": 1.0}, r"log_k has shape \(\)"),
    ]
    for params, said in cases:
        with pytest.raises(ParameterError, match=said):
            evaluator.evaluate_at(params, [0], 100, ["returns"])
    with pytest.raises(ParameterError, match=r"\(S, 2\)"):
        evaluator.evaluate_many(raw)


@pytest.mark.parametrize(
    ("path", "changes", "metric", "said"),
    [
        ("fast", {}, "returns", "auto, closed_form, per_bar, fees, hold"),
        ("hold", {}, "returns", "the pool trades"),
        ("closed_form", {"fees": FEES["fee"]}, "returns", "path = 'fees'"),
        ("per_bar", {"fees": FEES["fee"]}, "returns", "path = 'fees'"),
        ("closed_form", {"pool": {"arb_frequency": 2}}, "returns", "every bar"),
        ("closed_form", {"update": {"interpolation": "optimal"}}, "returns", "linear"),
        ("closed_form", {}, "sharpe", "at every bar"),
        ("closed_form", {"pool": {"do_arb": False}}, "returns", "never trades"),
    ],
)
def test_paths_that_cannot_serve_say_why(path: str, changes: dict[str, Any], metric: str, said: str) -> None:
    experiment = make_experiment("momentum", 2, HALF_HOURS, **changes)
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 2, 0))
    with pytest.raises(ConfigError, match=said):
        evaluator.evaluate_at(raw_of(evaluator), [0], 100, [metric], path=path)


@pytest.mark.parametrize(
    ("changes", "metric", "path"),
    [
        ({}, "returns", Path.CLOSED_FORM),
        ({}, "sharpe", Path.PER_BAR),
        ({"update": {"interpolation": "optimal"}}, "returns", Path.PER_BAR),
        ({"pool": {"arb_frequency": 3}}, "returns", Path.PER_BAR),
        ({"fees": {"arb_fee": 0.01}}, "returns", Path.FEES),
        ({"fees": {"gas_cost_usd": 1.0}}, "returns", Path.FEES),
        ({"fees": FEES["fee"], "pool": {"do_arb": False}}, "returns", Path.HOLD),
        ({"fees": {"noise_trader_ratio": 1.0}}, "returns", Path.CLOSED_FORM),
    ],
)
def test_the_cheapest_path_is_taken(changes: dict[str, Any], metric: str, path: Path) -> None:
    evaluator = Evaluator(make_experiment("momentum", 2, HALF_HOURS, **changes), random_prices(HALF_HOURS, 2, 0))
    assert evaluator.planner.plan([0], 100, [metric])[0].path is path


def test_fees_of_next_to_nothing_are_the_path_without_fees() -> None:
    prices, params = random_prices(TWO_SPLITS, 2, 6), random_params("momentum", HALF_HOURS, 2, 6)
    free = Evaluator(make_experiment("momentum", 2, TWO_SPLITS), prices)
    cheap = Evaluator(make_experiment("momentum", 2, TWO_SPLITS, fees={"swap_fee": 1e-13}), prices)
    raw = free.experiment.initial_parameters(params)
    one, other = free.evaluate(raw, ENDS)["train"], cheap.evaluate(raw, ENDS)["train"]
    assert cheap.planner.plan([0], 100, ENDS)[0].path is Path.FEES
    for name in ENDS:
        assert other[name] == pytest.approx(one[name], rel=1e-9, abs=1e-10), name


# Compilation


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_nothing_compiles_twice(fees: str, compilations: Counting) -> None:
    evaluator = evaluator_of(TWO_SPLITS, fees=fees)
    sets = stacked(evaluator, *(random_params("momentum", HALF_HOURS, 2, seed) for seed in range(3)))
    other_fee = {name: 0.7 * value for name, value in FEES[fees].items()}
    fresh = make_experiment(
        "momentum", 2, TWO_SPLITS, fees=other_fee, data={"tokens": ["LTC", "XRP"]}, sgd={"steps": 7}
    )
    experiment = evaluator.experiment.override([f"fees.{name}={value}" for name, value in other_fee.items()])
    prices = random_prices(TWO_SPLITS, 2, 0)
    others = prices_of(TWO_SPLITS, random_prices(TWO_SPLITS, 2, 99).prices, ("LTC", "XRP"))

    def everything(evaluator: Evaluator, prices: Prices, shift: float, start: int) -> list[float]:
        moved = {name: value + shift for name, value in sets.items()}
        one = {name: value[0] for name, value in moved.items()}
        values, _ = evaluator.value_and_grad(moved, [start, start + 8], 203, "daily_log_sharpe")
        table = evaluator.evaluate_many(moved)
        window = evaluator.evaluate_at(one, [start], 203, ("returns",))
        result = simulate(evaluator.experiment, one, prices)
        return [*values, *table["test"]["returns"], *window["returns"], result.value[-1]]

    with compilations() as first:
        before = everything(evaluator, prices, 0.0, 5)
    assert first, "the counter does not count"
    with compilations() as again:
        everything(evaluator, prices, 0.01, 21)  # other values, other windows of the same phase
        everything(Evaluator(evaluator.experiment, prices), prices, 0.0, 5)
        after = everything(Evaluator(experiment, prices), prices, 0.0, 5)  # fees are arguments
        everything(Evaluator(fresh, others), others, 0.0, 5)  # other tokens, prices and driver settings
    assert again == []
    assert (np.array(before) != np.array(after)).all() == (fees == "fee")


def test_moments_with_a_zone_are_the_same_instants() -> None:
    naive = make_experiment("hodl", 2, HALF_HOURS)
    periods = {
        "train_start": datetime(2021, 3, 5, 22, 30, tzinfo=UTC).isoformat(),
        "train_end": "2021-03-10T00:00:00+02:00",
    }
    zoned = Experiment.from_dict({**naive.model_dump(mode="json"), "periods": periods})
    assert zoned.periods.train_end == datetime(2021, 3, 9, 22, tzinfo=UTC)


def test_an_evaluator_frees_its_prices_at_once() -> None:
    evaluator = Evaluator(make_experiment("momentum", 2, HALF_HOURS, fees=FEES["fee"]), random_prices(HALF_HOURS, 2, 0))
    gone = weakref.ref(evaluator)
    gc.disable()
    try:
        del evaluator
        assert gone() is None, "without a search for cycles"
    finally:
        gc.enable()


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_prefix_sums_are_made_where_a_plan_reads_them(fees: str) -> None:
    evaluator = Evaluator(make_experiment("momentum", 2, HALF_HOURS, fees=FEES[fees]), random_prices(HALF_HOURS, 2, 0))
    plans = [evaluator.planner.plan(first, n_bars, ("returns",))[0] for first, n_bars in evaluator.splits.values()]
    seen = evaluator.market_of(plans)
    assert (seen.summed is None) == (fees == "fee")
    np.testing.assert_allclose(evaluator.market.summed, np.cumsum(seen.log_prices, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(evaluator.market.prices, seen.prices)
    composite = dataclasses.replace(plans[0], setup=dataclasses.replace(evaluator.setup, subsidiaries=(None,)))
    assert composite.reads_sums, "of its share price"
