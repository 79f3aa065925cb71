"""E-CLPs: golden cases, a plain loop with 40 digits, kernel and adjoint, gradients, the edges of the range, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eclp_reference as reference
import jax
import jax.numpy as jnp
import numpy as np
import pytest
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
    prices_of,
    random_prices,
    stacked,
)

import quantsim
from quantsim import Evaluator, Experiment
from quantsim.errors import ConfigError, ParameterError
from quantsim.pools import Path as PoolPath
from quantsim.pools.eclp.curve import Ellipse, curve_of, position
from quantsim.pools.eclp.trade_kernel import kernel_path
from quantsim.pools.eclp.trade_scan import scanned_path

NAMES = ("alpha", "beta", "tan_phi", "lam")

ROUNDED = {"eclp_ETH_SUI_0_f0": 2e-9, "eclp_ETH_SUI_0_f0.003": 1e-5}
"""Cases that were computed with too few digits: this far from what 40 digits give, see the test after the next."""


@pytest.mark.parametrize("case", golden_parameters("eclp"))
def test_golden_case(case: dict[str, Any]) -> None:
    rtol = ROUNDED.get(case["name"], 1e-7 if case["swap_fee"] else 1e-9)
    check_golden_simulation(case, golden_simulation(golden_study(case, *NAMES)), rtol)


@pytest.mark.skipif(not GOLDEN_POOLS.exists(), reason=f"no reference data: {GOLDEN_POOLS}")
def test_a_golden_case_equals_a_plain_loop_with_many_digits() -> None:
    (case,) = golden_pools("eclp", "eclp_ETH_SUI_0_f0.003")
    result = golden_simulation(golden_study(case, *NAMES))
    first = 14400
    balances, fees, _ = reference.run(case["params"], result.prices[:first], case["initial_value"], swap_fee=0.003)
    assert np.count_nonzero(fees) > 1000
    np.testing.assert_allclose(result.reserves[:first], balances, rtol=1e-12)


@pytest.mark.skipif(not GOLDEN_POOLS.exists(), reason=f"no reference data: {GOLDEN_POOLS}")
def test_a_search_and_gradient_training_evaluate_a_golden_case(tmp_path: Path) -> None:
    (case,) = golden_pools("eclp", "eclp_BTC_ETH_1_f0.003")
    ranges = {"alpha": {"low": 10.0, "high": 18.0}, "beta": {"low": 19.0, "high": 30.0}}
    study = golden_study(case, *NAMES, search={"ranges": ranges})
    check_golden_drivers(case, study, {name: case["params"][name] for name in NAMES}, NAMES, tmp_path)


PRICES = random_prices(HALF_HOURS, 2, 5)
QUOTES = PRICES.prices[:, 0] / PRICES.prices[:, 1]
WINDOW = QUOTES[HALF_HOURS.history : HALF_HOURS.history + HALF_HOURS.n_bars]
INSIDE = {
    "alpha": float(WINDOW.min() * 0.98),
    "beta": float(WINDOW.max() * 1.02),
    "tan_phi": float(np.median(WINDOW)),
    "lam": 20.0,
}
"""Around all prices of the window, so that no trade meets an end of the range."""
CROSSED = {**INSIDE, "alpha": float(np.quantile(WINDOW, 0.2)), "beta": float(np.quantile(WINDOW, 0.8))}


def eclp(fees: str = "zero", pool: dict[str, Any] | None = None, **tables: Any) -> Experiment:
    parameters = tables.pop("parameters", INSIDE)
    pool = {"type": "eclp", "rule": None, **(pool or {})}
    return make_experiment("", 2, HALF_HOURS, fees=FEES[fees], pool=pool, parameters=parameters, **tables)


def plain(experiment: Experiment, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same by the plain loop."""
    fees, pool = experiment.fees, experiment.pool
    costs = {
        "swap_fee": fees.swap_fee,
        "arb_fee": fees.arb_fee,
        "gas_cost": fees.gas_cost_usd,
        "noise_trader_ratio": fees.noise_trader_ratio,
        "protocol_fee_split": fees.protocol_fee_split,
    }
    human = experiment.human_parameters(experiment.initial_parameters())
    own = {name: float(human[name][0]) for name in INSIDE}
    return reference.run(own, prices, pool.initial_value_usd, pool.arb_frequency, **costs)


@pytest.mark.parametrize(
    ("fees", "pool", "parameters"),
    [
        *((fees, {}, INSIDE) for fees in ("zero", "gas")),
        ("noise", {"arb_frequency": 3}, INSIDE),
        ("zero", {"arb_frequency": 3}, CROSSED),
        ("protocol", {}, CROSSED),
        ("fee", {}, {**CROSSED, "tan_phi": 3.0 * INSIDE["tan_phi"]}),
        ("fee", {}, {**INSIDE, "lam": 1.0}),
    ],
    ids=str,
)
def test_balances_agree_with_a_plain_loop(fees: str, pool: dict[str, Any], parameters: dict[str, float]) -> None:
    experiment = eclp(fees, pool, parameters=parameters)
    found = bar_by_bar(experiment, {}, PRICES)
    balances, earned, invariants = plain(experiment, found.prices)
    scale = balances.max(axis=0)
    np.testing.assert_allclose(found.reserves / scale, balances / scale, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.value, (balances * found.prices).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.fees, earned, rtol=1e-7, atol=1e-7)
    if fees != "zero":
        assert np.count_nonzero(earned) > 5
        assert invariants[-1] > invariants[0]


@pytest.mark.parametrize(
    "own",
    [
        {"alpha": 0.9985, "beta": 1.0002, "tan_phi": 1.0, "lam": 4000.0},  # as of two stable tokens
        {"alpha": 0.99, "beta": 1.01, "tan_phi": 1.0, "lam": 1e6},
        {"alpha": 0.9, "beta": 1.1, "tan_phi": 1e-3, "lam": 1e4},
    ],
    ids=str,
)
def test_extreme_ellipses_keep_their_digits(own: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "DIGITS", 60)
    quotes = 0.9998 * np.exp(0.0006 * np.sin(0.7 * np.arange(HALF_HOURS.total)))
    prices = prices_of(HALF_HOURS, np.stack([quotes, np.ones_like(quotes)], axis=-1))
    experiment = eclp(parameters=own).replace(fees={"swap_fee": 0.0001})
    found = bar_by_bar(experiment, {}, prices)
    balances, fees, _ = plain(experiment, found.prices)
    assert np.count_nonzero(fees) > 5
    np.testing.assert_allclose(found.value, (balances * found.prices).sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.reserves, balances, rtol=1e-10, atol=1e-10 * balances.max())


def columns(fees: str) -> np.ndarray:
    """The costs of a pass; see quantsim.pools.two_tokens."""
    given = FEES[fees]
    fee, arb_fee, split = (given.get(key, 0.0) for key in ("swap_fee", "arb_fee", "protocol_fee_split"))
    edge = (1 + arb_fee / 2) / (1 - arb_fee / 2) / (1 - fee)
    noise = given.get("noise_trader_ratio", 0.0) * fee * (1 - split) / (1 - fee)
    return np.array([[edge, (1 - fee * split) / (1 - fee), noise, fee, arb_fee, given.get("gas_cost_usd", 0.0)]])


def test_the_kernel_and_its_adjoint_are_those_of_xlas_loop() -> None:
    generator = np.random.default_rng(3)
    prices = jnp.asarray(np.exp(np.cumsum(0.004 * generator.standard_normal((400, 2)), axis=0)) * [3.0, 1.0])
    quotes = prices[:, 0] / prices[:, 1]
    low, high = np.quantile(quotes, [0.1, 0.9])
    shape = jnp.asarray([low, high, 1.2, 30.0])

    def ellipse_of(shape: jax.Array) -> Ellipse:
        return Ellipse(shape[0], shape[1], jnp.cos(shape[2]), jnp.sin(shape[2]), shape[3])

    ellipse = ellipse_of(shape)
    curve = curve_of(ellipse)
    span = curve[12]
    initial = jnp.stack([jnp.asarray(1e6), position(ellipse, span, quotes[0])])
    of_path, of_volume = generator.standard_normal((400, 4)), generator.standard_normal(400)

    def read(passed: Any) -> Any:
        def total(initial: Any, prices: Any, shape: Any, curve: Any, costs: Any) -> Any:
            path, volume = passed(initial, prices, ellipse_of(shape), curve, costs)
            return jnp.sum(path * of_path) + jnp.sum(volume * of_volume), (path, volume)

        return jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2, 3, 4), has_aux=True))

    programs = read(kernel_path), read(scanned_path)
    for fees in FEES:
        costs = columns(fees)
        ((_, kernel), of_kernel), ((_, loop), of_loop) = (
            jax.tree.map(np.asarray, program(initial, prices, shape, curve, costs)) for program in programs
        )
        assert ((loop[0][:, 1] == 0.0).any(), (loop[0][:, 1] == span).any()) == (True, True), "both ends are met"
        scale = np.abs(loop[0]).max(axis=0)
        np.testing.assert_allclose(kernel[0] / scale, loop[0] / scale, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(kernel[1], loop[1], atol=1e-12 * loop[1].max())
        kept = np.array([1, 1, "noise_trader_ratio" in FEES[fees], 1, 1, 1])  # the kernel leaves out what is zero
        for found, wanted in zip(of_kernel, (*of_loop[:4], of_loop[4] * kept), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12 * np.abs(wanted).max())


RAW = ["log_alpha", "log_beta_excess", "log_tan_phi", "log_lam_excess"]


@pytest.mark.parametrize("fees", ["zero", "fee", "noise"])
def test_gradients_in_all_four_parameters_are_those_of_finite_differences(fees: str) -> None:
    tuned = {"swap_fee": 0.003} if fees == "fee" else {}
    evaluator = Evaluator(eclp("zero" if tuned else fees, parameters={**INSIDE, **tuned}), PRICES)
    names = [*RAW, *(f"logit_{name}" for name in tuned)]
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {}), [(name, 0) for name in names], 1e-5)
    assert np.abs(found).min() > 1e-7
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-11)


def test_the_value_without_fees_needs_only_its_own_bar() -> None:
    experiment = eclp(parameters=CROSSED)
    evaluator = Evaluator(experiment, PRICES)
    whole, own = bar_by_bar(experiment, {}, PRICES), experiment.initial_parameters()
    first, n_bars = evaluator.splits["train"]
    wanted = whole.value[-1] / whole.value[0] - 1.0
    for path in (PoolPath.CLOSED_FORM, PoolPath.PER_BAR, PoolPath.FEES):
        found = evaluator.evaluate_at(own, [first], n_bars, ("returns",), path=path)
        assert float(np.asarray(found["returns"]).ravel()[0]) == pytest.approx(wanted, rel=1e-11)


def test_beyond_its_range_a_pool_holds_one_token_exactly() -> None:
    for fees in ("zero", "fee"):
        found = bar_by_bar(eclp(fees, parameters=CROSSED), {}, PRICES)
        quotes, edge = found.prices[:, 0] / found.prices[:, 1], 0.004
        above, below = quotes > CROSSED["beta"] * (1 + edge), quotes < CROSSED["alpha"] * (1 - edge)
        assert min(above.sum(), below.sum()) > 10
        assert (found.reserves[above, 0] == 0.0).all()
        assert (found.reserves[below, 1] == 0.0).all()
        assert (found.reserves >= 0.0).all()
        low, high, price = (found.state[name] for name in ("range_low", "range_high", "pool_price"))
        np.testing.assert_allclose([low, high], [[CROSSED["alpha"]] * 203, [CROSSED["beta"]] * 203], rtol=1e-14)
        np.testing.assert_allclose(price[above], high[above], rtol=1e-12)
        np.testing.assert_allclose(price[below], low[below], rtol=1e-12)


def test_angle_and_tangent_are_the_same_parameter() -> None:
    tangent = {name: value for name, value in INSIDE.items() if name != "tan_phi"}
    angle = {**tangent, "phi": float(np.arctan(INSIDE["tan_phi"]))}
    found = [bar_by_bar(eclp("fee", parameters=one), {}, PRICES).value for one in (INSIDE, angle, {**angle, **INSIDE})]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-12)
    names = {parameter.human_name: parameter.active for parameter in eclp().layout}
    assert names == {"alpha": True, "beta": True, "phi": False, "tan_phi": True, "lam": True}
    with pytest.raises(ConfigError, match=r"tan_phi = 2[.]0 is phi = 1[.]107\d+, not 0[.]5: give one of them"):
        eclp(parameters={**INSIDE, "tan_phi": 2.0, "phi": 0.5})


def test_the_ends_of_the_parameters_ranges_are_exact() -> None:
    circle = eclp("fee", parameters={**tangentless(), "phi": 0.0, "lam": 1.0})
    raw = circle.initial_parameters()
    assert all(np.isfinite(values).all() for values in raw.values())
    assert circle.human_parameters(raw)["lam"] == 1.0
    assert circle.human_parameters(raw)["phi"] == 0.0
    turned = eclp("fee", parameters={**tangentless(), "phi": 0.5 * np.pi, "lam": 1.0})
    found = [bar_by_bar(one, {}, PRICES).value for one in (circle, turned)]
    np.testing.assert_allclose(*found, rtol=1e-11, err_msg="a circle has no direction")


def tangentless() -> dict[str, float]:
    return {name: value for name, value in INSIDE.items() if name != "tan_phi"}


def test_a_range_far_from_the_market_is_told() -> None:
    far = {"alpha": 10.0 * INSIDE["beta"], "beta": 20.0 * INSIDE["beta"], "tan_phi": 15.0 * INSIDE["beta"]}
    notes = [quantsim.simulate(eclp("fee", parameters=one), prices=PRICES).notes for one in (INSIDE, far)]
    told = [[one for one in note.get("cautions", ()) if "outside the range of prices" in one] for note in notes]
    assert [len(one) for one in told] == [0, 1]


def test_costs_follow_series() -> None:
    fees = np.full(HALF_HOURS.total, 0.003)
    found = bar_by_bar(eclp(series={"swap_fee": "fees.csv"}), {}, PRICES, series={"swap_fee": fees})
    np.testing.assert_allclose(found.value, bar_by_bar(eclp("fee"), {}, PRICES).value, rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0.0}, "positive"),
        ({"alpha": 2.0, "beta": 2.0}, r"beta = \[2.0\].*empty: it must be above alpha = 2"),
        ({"phi": 1.6}, "from 0 to π/2"),
        ({"tan_phi": -1.0}, "at least 0"),
        ({"lam": 0.9}, "at least 1"),
        ({"memory_days": 3.0}, "memory_days"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises((ConfigError, ParameterError), match=message):
        eclp(parameters=parameters).initial_parameters()


def test_what_an_eclp_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="two tokens"):
        make_experiment("", 3, HALF_HOURS, pool={"type": "eclp", "rule": None})
    with pytest.raises(ConfigError, match="rule"):
        eclp(pool={"rule": "momentum"})
