"""reCLAMM pools: golden cases, a plain loop, options, a given state, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reclamm_reference as reference
from pool_support import (
    FEES,
    GOLDEN_POOLS,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    check_golden_drivers,
    check_golden_simulation,
    golden_parameters,
    golden_pools,
    golden_simulation,
    golden_study,
    make_experiment,
    random_prices,
    stacked,
)

import quantsim
from quantsim import Evaluator, Experiment
from quantsim.errors import ConfigError, ParameterError
from quantsim.pools.reclamm.range_kernel import kernel_balances
from quantsim.pools.reclamm.range_scan import Shifting, scanned_balances
from quantsim.pools.reclamm.start import arc_speed

CALM = {"price_ratio": 1.4, "centeredness_margin": 0.4, "shift_exponent": 0.5}
"""Parameters with which the range moves now and then in half hours, and never jumps beyond its centre."""


@pytest.mark.parametrize("case", golden_parameters("reclamm"))
def test_golden_case(case: dict[str, Any]) -> None:
    result = golden_simulation(golden_study(case))
    check_golden_simulation(case, result, 1e-11)
    np.testing.assert_allclose(result.state["virtual"][-1], case["virtual_final"], rtol=1e-11)


@pytest.mark.skipif(not GOLDEN_POOLS.exists(), reason=f"no reference data: {GOLDEN_POOLS}")
def test_a_search_and_gradient_training_evaluate_a_golden_case(tmp_path: Path) -> None:
    (case,) = golden_pools("reclamm", "reclamm_ETH_BTC_1_f0.003")
    study = golden_study(case, search={"ranges": {"shift_exponent": {"high": 20.0}}})
    own = {name: case["params"][name] for name in ("price_ratio", "centeredness_margin", "shift_exponent")}
    check_golden_drivers(case, study, own, ["price_ratio"], tmp_path)


OPTIONS: dict[str, dict[str, Any]] = {
    "decay": {},
    "scaled": {"centeredness_scaling": True},
    "arc": {"range_shift": "constant_arc_length"},
    "scaled_arc": {"range_shift": "constant_arc_length", "centeredness_scaling": True},
}
PRICES = random_prices(HALF_HOURS, 2, 5)


def reclamm(fees: str = "zero", pool: dict[str, Any] | None = None, **tables: Any) -> Experiment:
    parameters = tables.pop("parameters", CALM)
    pool = {"type": "reclamm", "rule": None, **(pool or {})}
    return make_experiment("", 2, HALF_HOURS, fees=FEES[fees], pool=pool, parameters=parameters, **tables)


def plain(experiment: Experiment, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same by the plain loop."""
    human = {
        name: float(values[0]) for name, values in experiment.human_parameters(experiment.initial_parameters()).items()
    }
    pool, fees = experiment.pool, experiment.fees
    if pool.real_balances is None:
        real, virtual = reference.centred(pool.initial_value_usd, prices[0], human["price_ratio"])
    else:
        scale = pool.initial_value_usd / (prices[0] @ pool.real_balances)
        real, virtual = ([scale * one for one in pair] for pair in (pool.real_balances, pool.virtual_balances))
    one = reference.Pool(
        real,
        virtual,
        human["centeredness_margin"],
        human["shift_exponent"],
        60.0 * HALF_HOURS.bar_minutes * pool.arb_frequency,
        fees.swap_fee,
        fees.arb_fee,
        fees.gas_cost_usd,
        fees.noise_trader_ratio,
        fees.protocol_fee_split,
        pool.range_shift == "constant_arc_length",
        pool.centeredness_scaling,
    )
    return reference.run(one, prices, pool.arb_frequency)


@pytest.mark.parametrize(
    ("fees", "pool"),
    [
        *((fees, {}) for fees in FEES),
        *(("fee", options) for options in list(OPTIONS.values())[1:]),
        ("noise", {"arb_frequency": 3}),
        ("fee", {"real_balances": [1.0, 2.0], "virtual_balances": [40.0, 5000.0]}),
    ],
    ids=str,
)
def test_balances_agree_with_a_plain_loop(fees: str, pool: dict[str, Any]) -> None:
    experiment = reclamm(fees, pool)
    found = bar_by_bar(experiment, {}, PRICES)
    wanted, earned = plain(experiment, found.prices)
    assert (np.diff(wanted[:, 2]) != 0.0).sum() > 3, "the range must move"
    np.testing.assert_allclose(found.reserves, wanted[:, :2], rtol=1e-9)
    np.testing.assert_allclose(found.state["virtual"], wanted[:, 2:], rtol=1e-9)
    np.testing.assert_allclose(found.value, (wanted[:, :2] * found.prices).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(found.fees[1:], earned[1:], rtol=1e-6, atol=1e-9)
    assert found.fees[0] == 0.0, "the value of the first bar has them already"


def columns(fees: str) -> np.ndarray:
    """The costs of a pass; see quantsim.pools.reclamm.column_lanes."""
    given = FEES[fees]
    fee, arb_fee, split = (given.get(key, 0.0) for key in ("swap_fee", "arb_fee", "protocol_fee_split"))
    edge = (1 + arb_fee / 2) / (1 - arb_fee / 2) / (1 - fee)
    noise = given.get("noise_trader_ratio", 0.0) * fee * (1 - split) / (1 - fee)
    return np.array([[edge, (1 - fee * split) / (1 - fee), noise, fee, arb_fee, given.get("gas_cost_usd", 0.0)]])


@pytest.mark.parametrize("options", OPTIONS)
def test_the_kernel_and_its_adjoint_are_those_of_xlas_loop(options: str) -> None:
    generator = np.random.default_rng(3)
    prices = jnp.asarray(np.exp(np.cumsum(0.004 * generator.standard_normal((400, 2)), axis=0)) * [3.0, 1.0])
    real = 0.5e6 / prices[0]
    initial = jnp.concatenate([real, real / np.expm1(0.25 * np.log(1.2))])
    exponent = 1800.0 * np.log1p(-0.5 / 124649)
    shifts = jnp.stack([0.4, exponent, arc_speed(initial, jnp.asarray(0.4), jnp.asarray(exponent))])[None]
    shifting = Shifting("arc" in options, "scaled" in options, 1440.0)
    of_balances, of_volume = generator.standard_normal((400, 4)), generator.standard_normal(400)

    def read(passed: Any) -> Any:
        def total(*arguments: Any) -> Any:
            balances, volume = passed(*arguments, shifting)
            return jnp.sum(balances * of_balances) + jnp.sum(volume * of_volume), (balances, volume)

        return jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2, 3), has_aux=True))

    programs = read(kernel_balances), read(scanned_balances)
    for fees in FEES:
        costs = columns(fees)
        ((_, kernel), of_kernel), ((_, loop), of_loop) = (
            jax.tree.map(np.asarray, program(initial, prices, shifts, costs)) for program in programs
        )
        assert (np.diff(loop[0][:, 2]) != 0.0).any()
        np.testing.assert_allclose(kernel[0], loop[0], rtol=1e-12)
        np.testing.assert_allclose(kernel[1], loop[1], atol=1e-12 * loop[1].max())
        kept = np.array([1, 1, "noise_trader_ratio" in FEES[fees], 1, 1, 1])  # the kernel leaves out what is zero
        for found, wanted in zip(of_kernel, (*of_loop[:3], of_loop[3] * kept), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12 * np.abs(wanted).max())


DERIVED = ["log_price_ratio_excess", "logit_centeredness_margin", "log_shift_exponent"]


@pytest.mark.parametrize(
    ("options", "fees"), [("decay", "fee"), ("decay", "protocol"), ("scaled", "fee"), ("arc", "noise")]
)
def test_gradients_with_fees_are_those_of_finite_differences(options: str, fees: str) -> None:
    evaluator = Evaluator(reclamm(fees, OPTIONS[options]), PRICES)
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {}), [(name, 0) for name in DERIVED], 1e-5)
    assert np.abs(found[[0, 2]]).min() > 1e-6
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-10)
    assert (found[1] == 0.0) == (options == "decay"), "the margin only decides when the range moves"


def test_a_swap_fee_is_trained_with_the_range() -> None:
    parameters = {**CALM, "swap_fee": 0.003}
    evaluator = Evaluator(reclamm(parameters=parameters), PRICES)
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {}), [("logit_swap_fee", 0)], 1e-5)
    assert abs(found[0]) > 1e-6
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_base_of_the_contract_is_the_same_parameter() -> None:
    base = 1.0 - CALM["shift_exponent"] / 124649
    own = {**CALM, "daily_price_shift_base": base}
    without = {name: value for name, value in own.items() if name != "shift_exponent"}
    found = [bar_by_bar(reclamm("fee", parameters=one), {}, PRICES).value for one in (CALM, own, without)]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-12)
    names = {parameter.human_name: parameter.active for parameter in reclamm(parameters=without).layout}
    assert names == {
        "price_ratio": True, "centeredness_margin": True, "shift_exponent": False, "daily_price_shift_base": True,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"is a shift_exponent of 1, not of 0[.]5: give one of them"):
        reclamm(parameters={**CALM, "daily_price_shift_base": 1.0 - 1.0 / 124649})


def test_the_ends_of_the_parameters_ranges_are_exact() -> None:
    still = reclamm(parameters={**CALM, "centeredness_margin": 0.0, "shift_exponent": 0.0})
    raw = still.initial_parameters()
    assert all(np.isfinite(values).all() for values in raw.values())
    assert still.human_parameters(raw)["centeredness_margin"] == 0.0
    assert still.human_parameters(raw)["shift_exponent"] == 0.0
    assert np.ptp(bar_by_bar(still, {}, PRICES).state["virtual"], axis=0).max() == 0.0
    always = reclamm(parameters={**CALM, "centeredness_margin": 1.0})
    assert (np.diff(bar_by_bar(always, {}, PRICES).state["virtual"], axis=0) != 0.0).all(axis=1).mean() > 0.95


def test_a_run_goes_on_from_its_state() -> None:
    whole = bar_by_bar(reclamm("fee"), {}, PRICES)
    middle = 100
    state = {
        "real_balances": whole.reserves[middle].tolist(),
        "virtual_balances": whole.state["virtual"][middle].tolist(),
    }
    late = dataclasses.replace(
        HALF_HOURS, history=HALF_HOURS.history + middle + 1, n_bars=HALF_HOURS.n_bars - middle - 1
    )
    value = float(whole.reserves[middle] @ whole.prices[middle + 1])
    pool = {"type": "reclamm", "rule": None, "initial_value_usd": value, **state}
    rest = bar_by_bar(make_experiment("", 2, late, fees=FEES["fee"], pool=pool, parameters=CALM), {}, PRICES)
    np.testing.assert_allclose(rest.reserves, whole.reserves[middle + 1 :], rtol=1e-12)
    assert "price_ratio" not in {one.human_name for one in reclamm(pool=state).active_parameters}


def test_a_state_far_from_the_market_is_told() -> None:
    price = float(PRICES.prices[HALF_HOURS.history] @ [1.0, 0.0] / PRICES.prices[HALF_HOURS.history, 1])
    near, far = ([1.0, factor * price] for factor in (1.0, 1.2))
    notes = [
        quantsim.simulate(
            reclamm("fee", {"real_balances": real, "virtual_balances": [10.0, 10.0 * real[1]]}), prices=PRICES
        ).notes
        for real in (near, far)
    ]
    told = [[one for one in note.get("cautions", ()) if "where the market is at" in one] for note in notes]
    assert [len(one) for one in told] == [0, 1]


def test_the_state_is_that_of_the_range_and_in_the_frame() -> None:
    experiment = reclamm("fee")
    found = quantsim.simulate(experiment, prices=PRICES)
    real, virtual = found.reserves, found.state["virtual"]
    low, high, price = (found.state[name] for name in ("range_low", "range_high", "pool_price"))
    assert ((low <= price) & (price <= high)).all()
    assert high[0] / low[0] == pytest.approx(1.4, rel=1e-12)
    assert price[0] == pytest.approx(found.prices[0, 0] / found.prices[0, 1], rel=1e-12)
    of_a, of_b = real[:, 0] * virtual[:, 1], real[:, 1] * virtual[:, 0]
    np.testing.assert_allclose(found.state["centeredness"], np.minimum(of_a, of_b) / np.maximum(of_a, of_b), rtol=1e-12)
    expected = {"centeredness", "range_low", "range_high", "pool_price", "virtual_BTC", "virtual_ETH"}
    assert expected <= set(found.frame.columns)
    assert found.to_frame("day")["range_low"].iloc[0] == low[0]
    assert not found.notes.get("cautions")


def test_a_range_that_eats_the_pool_is_told() -> None:
    greedy = {"price_ratio": 1.05, "centeredness_margin": 0.5, "shift_exponent": 20.0}
    found = quantsim.simulate(reclamm("fee", parameters=greedy), prices=PRICES)
    assert any("the range eats the pool" in caution for caution in found.notes["cautions"])
    assert found.value[-1] < 0.9 * found.value[0] * (found.prices[-1] / found.prices[0]).min()


def test_parameters_change_while_the_pool_runs() -> None:
    times = [PRICES.times[HALF_HOURS.history + bar] for bar in (60, 120)]
    quiet, changes = {"centeredness_margin": 0.0}, {"centeredness_margin": 0.9, "shift_exponent": 0.2}
    found = quantsim.simulate(reclamm("fee"), quiet, PRICES, changes={times[0]: changes, times[1]: quiet})
    moved = (np.diff(found.state["virtual"], axis=0) != 0.0).any(axis=1)
    assert not moved[:59].any()
    assert moved[59:119].any()
    assert not moved[119:].any()


@pytest.mark.parametrize("options", OPTIONS)
def test_a_pool_goes_on_with_other_parameters_as_in_a_plain_loop(options: str) -> None:
    """With a constant arc length, the new speed is that with which the new decay would begin at the pool's start."""
    experiment, bar = reclamm("fee", OPTIONS[options]), 60
    prices = PRICES.prices[HALF_HOURS.history : HALF_HOURS.history + HALF_HOURS.n_bars]
    time = PRICES.times[HALF_HOURS.history + bar]
    later = {**CALM, "centeredness_margin": 0.7, "shift_exponent": 0.9}
    found = quantsim.simulate(experiment, CALM, PRICES, changes={time: later})
    real, virtual = reference.centred(experiment.pool.initial_value_usd, prices[0], CALM["price_ratio"])

    def pool(parameters: dict[str, float]) -> reference.Pool:
        return reference.Pool(
            [*real],
            [*virtual],
            parameters["centeredness_margin"],
            parameters["shift_exponent"],
            60.0 * HALF_HOURS.bar_minutes,
            experiment.fees.swap_fee,
            constant_arc_length=experiment.pool.range_shift == "constant_arc_length",
            centeredness_scaling=experiment.pool.centeredness_scaling,
        )

    first, second = pool(CALM), pool(later)
    before, _ = reference.run(first, prices[:bar])
    second.real, second.virtual = first.real, first.virtual  # it goes on from there, at its own speed
    after, _ = reference.run(second, prices[bar:])
    wanted = np.concatenate([before, after])
    np.testing.assert_allclose(found.reserves, wanted[:, :2], rtol=1e-9)
    np.testing.assert_allclose(found.state["virtual"], wanted[:, 2:], rtol=1e-9)
    assert (np.diff(wanted[bar:, 2:], axis=0) != 0.0).any()


def test_a_price_ratio_that_changes_while_the_pool_runs_is_refused() -> None:
    experiment, time = reclamm("fee"), PRICES.times[HALF_HOURS.history + 60]
    with pytest.raises(
        ConfigError, match="price_ratio differs between the parameter sets, but only decides how the pool starts"
    ):
        quantsim.simulate(experiment, {"price_ratio": 1.4}, PRICES, changes={time: {"price_ratio": 1.6}})


def test_costs_follow_series() -> None:
    experiment = reclamm(series={"swap_fee": "fees.csv"})
    fees = np.full(HALF_HOURS.total, 0.003)
    found = bar_by_bar(experiment, {}, PRICES, series={"swap_fee": fees})
    np.testing.assert_allclose(found.value, bar_by_bar(reclamm("fee"), {}, PRICES).value, rtol=1e-12)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({"real_balances": [1.0, 2.0]}, "virtual_balances is missing"),
        ({"virtual_balances": [1.0, 2.0]}, "real_balances is missing"),
        ({"real_balances": [0.0, 0.0], "virtual_balances": [1.0, 2.0]}, "at least one must be positive"),
        ({"real_balances": [1.0, 1.0], "virtual_balances": [0.0, 2.0]}, "virtual_balances"),
        ({"range_shift": "geometric"}, "constant_arc_length"),
        ({"rule": "momentum"}, "rule"),
    ],
)
def test_settings_that_make_no_sense_are_refused(pool: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reclamm(pool=pool)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"price_ratio": 1.0}, "above 1"),
        ({"centeredness_margin": 1.2}, "from 0 to 1"),
        ({"shift_exponent": -1.0}, "at least 0"),
        ({"memory_days": 3.0}, "memory_days"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises((ConfigError, ParameterError), match=message):
        reclamm(parameters=parameters).initial_parameters()
