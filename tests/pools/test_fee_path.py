"""The hand-written adjoints of the fee recursion, XLA's and the kernel's: against automatic and finite differences."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import FEES, Layout, make_experiment, ramps_of, random_params, random_prices

from quantsim.pools import PoolSetup
from quantsim.pools.market import FeeRates, Market, at_bars, fee_rates, market
from quantsim.pools.steered.interpolation import bar_weights
from quantsim.pools.steered.weights import Steering
from quantsim.pools.weighted.fee_kernels import kernel_pass
from quantsim.pools.weighted.fee_path import autodiff_log_reserves, bar_pools, fee_log_reserves
from quantsim.pools.weighted.fee_run import volume_in
from quantsim.simulator.setup import pool_setup

LAYOUT = Layout(30, 240, 150, history=61, n_bars=121, max_memory_days=1.0, volatility=0.006)
VARIANTS: dict[str, dict[str, float]] = {
    **{name: rates for name, rates in FEES.items() if name != "zero"},
    "arb_fee": {"swap_fee": 0.002, "arb_fee": 0.004},
    "arb_fee_alone": {"arb_fee": 0.004},
    "protocol_all": {"swap_fee": 0.004, "protocol_fee_split": 1.0},
    "noise_gas_protocol": {
        "swap_fee": 0.003, "arb_fee": 0.001, "gas_cost_usd": 4.0, "noise_trader_ratio": 2.0, "protocol_fee_split": 0.25
    },
    "high_fee": {"swap_fee": 0.3},
}  # fmt: skip
Arguments = tuple[jax.Array, jax.Array, jax.Array, FeeRates]


@functools.partial(jax.jit, static_argnums=0)
def bars_of(setup: PoolSetup[Steering], raw: dict[str, jax.Array], data: Market) -> jax.Array:
    """Weights of the layout's window at every bar."""
    return bar_weights(ramps_of(setup, raw, data, LAYOUT.history, LAYOUT.n_bars), LAYOUT.n_bars, setup.own)


@functools.cache
def case(
    rule: str, n_tokens: int, variant: str, seed: int = 0, *, varying: bool = False, every: int = 1
) -> tuple[PoolSetup[Steering], Arguments]:
    """A pool as the evaluator would run it, on the bars that are visited; with costs that differ from bar to bar if asked."""
    experiment = make_experiment(rule, n_tokens, LAYOUT, fees=VARIANTS[variant], pool={"arb_frequency": every})
    setup = pool_setup(experiment, LAYOUT.bar_minutes)
    free = pool_setup(make_experiment(rule, n_tokens, LAYOUT), LAYOUT.bar_minutes)  # its weights are those of any fees
    layout = dataclasses.replace(LAYOUT, volatility=0.1) if variant == "high_fee" else LAYOUT
    data = market(random_prices(layout, n_tokens, seed).prices)
    raw = experiment.initial_parameters(random_params(rule, LAYOUT, n_tokens, seed))
    weights = np.asarray(bars_of(free, raw, data))
    log_prices = np.asarray(data.log_prices)[LAYOUT.history :]
    # Not quite in balance at the first bar, so that the first trade is one, too.
    uneven = 0.01 * np.arange(n_tokens)
    initial = np.log(setup.initial_value * weights[0]) - log_prices[0] + uneven
    rates = fee_rates(experiment.fees)
    if varying:
        # Steps; zeros among those of costs that stay nowhere, but a bar without a swap fee ends on the edge (see below).
        factors = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 1.5], (3, LAYOUT.n_bars)).repeat(3, axis=1)
        factors[0] = np.maximum(factors[0], 0.2)
        swap_fee, arb_fee, gas_cost = factors[:, : LAYOUT.n_bars]
        rates = rates._replace(
            swap_fee=rates.swap_fee * swap_fee, arb_fee=rates.arb_fee * arb_fee, gas_cost=rates.gas_cost * gas_cost
        )
    visited = slice(None, None, every)
    arguments = (initial, log_prices[visited], weights[visited], at_bars(rates, visited))
    return setup, jax.tree.map(jnp.asarray, arguments)


def with_volume(run: Any, setup: PoolSetup[Steering], *arguments: Any) -> tuple[jax.Array, jax.Array]:
    """The log reserves, and the value of the arbitrageurs' input at every bar."""
    path, rates = run(setup, *arguments), at_bars(arguments[3], slice(1, None))
    volume = sum(volume_in(pool, rates, setup) for pool in bar_pools(path, *arguments[1:], setup))
    return path, jnp.concatenate([jnp.zeros(1), volume])


def in_kernel(setup: PoolSetup[Steering], initial: Any, log_prices: Any, weights: Any, rates: Any) -> Any:
    return kernel_pass(initial, log_prices, weights if setup.own.moves else weights[:1], rates)


RUNS = (
    functools.partial(with_volume, fee_log_reserves),
    functools.partial(with_volume, autodiff_log_reserves),
    in_kernel,
)


@functools.partial(jax.jit, static_argnums=0)
def pullbacks(
    setup: PoolSetup[Steering], arguments: Arguments, cotangents: tuple[jax.Array, jax.Array]
) -> list[tuple[tuple[jax.Array, jax.Array], Arguments]]:
    """Results and cotangents: written, automatic, and the kernel's."""
    found = []
    for function in RUNS:
        results, pull = jax.vjp(functools.partial(function, setup), *arguments)
        found.append((results, pull(cotangents)))
    return found


def check_kernel(setup: PoolSetup[Steering], arguments: Arguments, xla: Any, kernel: Any) -> None:
    """Compares the kernel with XLA's loop: results and cotangents."""
    (path, volume), cotangents = xla
    (own_path, own_volume), own = kernel
    np.testing.assert_allclose(own_path, path, rtol=0, atol=1e-12)
    np.testing.assert_allclose(own_volume, volume, rtol=0, atol=1e-11 * float(volume.max()) + 1e-9)
    weights = [np.asarray(found[2]) for found in (own, cotangents)]
    assert_close("weights", *(by_runs(part, np.asarray(arguments[2])) for part in weights), rtol=1e-12)
    for name, mine, wanted in zip(("initial", "log_prices"), own, cotangents, strict=False):
        assert_close(name, mine, wanted, rtol=1e-12)
    for name in FeeRates._fields:
        if name != "noise_trader_ratio" or setup.costs.has_noise:
            assert_close(name, getattr(own[3], name), getattr(cotangents[3], name), rtol=1e-11)  # sums that cancel


# Where no fee stays in the pool, a trade leaves it exactly on the edge of the band. A second event at the same weights then
# sits on a kink, where rounding decides which of the two events a cotangent goes to; only their sum means anything.
ON_THE_EDGE = ("arb_fee_alone", "protocol_all")
# Few programs: noise traders and gas with two tokens, or with weights that stay, are checked below, where costs vary.
CASES = [
    *(("momentum", variant, 3) for variant in VARIANTS if variant not in ("gas", "noise", "noise_gas_protocol")),
    ("momentum", "noise_gas_protocol", 5),
    *(("momentum", variant, 2) for variant in ("fee", "high_fee", *ON_THE_EDGE)),
    *(("balancer", variant, 3) for variant in ("high_fee", "arb_fee_alone")),
    ("balancer", "fee", 2),
]


@pytest.mark.parametrize(("rule", "variant", "n_tokens"), CASES)
def test_the_adjoint_equals_autodiff(rule: str, variant: str, n_tokens: int) -> None:
    for seed in range(2):
        setup, arguments = case(rule, n_tokens, variant, seed)
        cotangent, of_volume = drawn_cotangents(arguments, seed)
        last = np.arange(LAYOUT.n_bars) == LAYOUT.n_bars - 1
        for of in ((cotangent, of_volume), (cotangent * last[:, None], of_volume * last)):
            xla, (plain, automatic), kernel = pullbacks(setup, arguments, of)
            (path, _), written = xla
            np.testing.assert_array_equal(path, plain[0])
            if variant not in ON_THE_EDGE:
                check_kernel(setup, arguments, xla, kernel)
            weights = [np.asarray(found[2]) for found in (written, automatic)]
            if on_the_edge := variant in ON_THE_EDGE and setup.own.moves:
                weights = [by_runs(part, np.asarray(arguments[2])) for part in weights]
            assert_close("initial", written[0], automatic[0])
            assert_close("log_prices", written[1], automatic[1])
            assert_close("weights", *weights)
            for name in FeeRates._fields if not on_the_edge else ():
                if name != "noise_trader_ratio" or setup.costs.has_noise:
                    assert_close(name, getattr(written[3], name), getattr(automatic[3], name))


@pytest.mark.parametrize(
    ("rule", "variant", "n_tokens", "every"),
    [
        ("momentum", "arb_fee", 3, 1),
        ("momentum", "noise_gas_protocol", 2, 1),
        ("balancer", "noise_gas_protocol", 3, 4),
    ],
)
def test_the_adjoint_equals_autodiff_where_costs_vary(rule: str, variant: str, n_tokens: int, every: int) -> None:
    """The cotangents of costs, too, bar by bar: those of a fee that a rule sets reach its parameters through them."""
    setup, arguments = case(rule, n_tokens, variant, 1, varying=True, every=every)
    assert arguments[3].swap_fee.shape == arguments[1].shape[:1]
    xla, (plain, automatic), kernel = pullbacks(setup, arguments, drawn_cotangents(arguments, 2))
    (path, _), written = xla
    np.testing.assert_array_equal(path, plain[0])
    check_kernel(setup, arguments, xla, kernel)
    for name, mine, wanted in zip(("initial", "log_prices", "weights"), written[:3], automatic[:3], strict=True):
        assert_close(name, mine, wanted)
    for name in FeeRates._fields:
        if name != "noise_trader_ratio" or setup.costs.has_noise:
            assert_close(name, getattr(written[3], name), getattr(automatic[3], name))
    assert np.count_nonzero(written[3].swap_fee) > 3


def drawn_cotangents(arguments: Arguments, seed: int) -> tuple[jax.Array, jax.Array]:
    generator, (n_bars, n_tokens) = np.random.default_rng(seed), arguments[1].shape
    return jnp.asarray(generator.standard_normal((n_bars, n_tokens))), jnp.asarray(
        1e-4 * generator.standard_normal(n_bars)
    )


def by_runs(cotangent: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums over runs of bars with equal weights."""
    starts = np.flatnonzero(np.r_[True, (np.diff(weights, axis=0) != 0).any(axis=1)])
    return np.add.reduceat(cotangent, starts, axis=0)


def assert_close(name: str, mine: Any, wanted: Any, rtol: float = 1e-10) -> None:
    """Compares arrays relative to the largest element."""
    assert np.isfinite(mine).all(), name
    np.testing.assert_allclose(mine, wanted, rtol=0, atol=rtol * max(np.abs(wanted).max(), 1e-3), err_msg=name)


@functools.partial(jax.jit, static_argnums=0)
def scalar_and_gradient(setup: PoolSetup[Steering], arguments: Arguments, mix: jax.Array) -> Any:
    def objective(*of: Any) -> jax.Array:
        return jnp.sum(mix * fee_log_reserves(setup, *of))

    return jax.value_and_grad(objective, argnums=(0, 1, 2, 3))(*arguments)


@functools.partial(jax.jit, static_argnums=0)
def trading(setup: PoolSetup[Steering], arguments: Arguments) -> jax.Array:
    """Which tokens move, and which way, at every event: constant between two kinks."""
    path = fee_log_reserves(setup, *arguments)
    pools = bar_pools(path, arguments[1], arguments[2], arguments[3], setup)
    after = [pool.log_reserves for pool in pools[1:]] + [path[1:]]
    return jnp.stack([jnp.sign(then - pool.log_reserves) for pool, then in zip(pools, after, strict=True)])


@pytest.mark.parametrize(("variant", "n_tokens"), [("arb_fee", 2), ("noise_gas_protocol", 3)])
def test_the_adjoint_equals_finite_differences(variant: str, n_tokens: int) -> None:
    """Along random directions in each argument, between kinks: where the same tokens trade on either side."""
    setup, arguments = case("momentum", n_tokens, variant, 1)
    generator = np.random.default_rng(5)
    mix = jnp.asarray(generator.standard_normal(arguments[1].shape))
    _, gradient = scalar_and_gradient(setup, arguments, mix)
    usable = 0
    for part in range(4):
        for _ in range(3):
            direction = jax.tree.map(jnp.zeros_like, arguments)
            moved = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape)), arguments[part])
            if part == 3:  # a direction of the rates that stays inside their bounds, in their own units
                moved = FeeRates(*(0.3 * rate * float(step) for rate, step in zip(arguments[3], moved, strict=True)))
            direction = (*direction[:part], moved, *direction[part + 1 :])
            step = 1e-7
            ends = [jax.tree.map(lambda a, d, h=h: a + h * d, arguments, direction) for h in (step, -step)]
            if not np.array_equal(trading(setup, ends[0]), trading(setup, ends[1])):
                continue
            usable += 1
            up, down = (float(scalar_and_gradient(setup, end, mix)[0]) for end in ends)
            wanted = sum(jax.tree.leaves(jax.tree.map(lambda g, d: float(jnp.sum(g * d)), gradient, direction)))
            assert (up - down) / (2 * step) == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert usable >= 6


def test_no_trade_at_all() -> None:
    """Constant prices and weights: the reserves stay, and the adjoint is the sum of the cotangents."""
    setup, (_, log_prices, weights, rates) = case("momentum", 5, "noise_gas_protocol")
    still, even = jnp.zeros_like(log_prices), jnp.full_like(weights, 1 / 5)
    initial = jnp.log(setup.initial_value * even[0])
    cotangents = jnp.ones_like(still), jnp.ones_like(still[:, 0])
    xla, _, kernel = pullbacks(setup, (initial, still, even, rates), cotangents)
    for (path, volume), written in (xla, kernel):
        np.testing.assert_array_equal(path, jnp.broadcast_to(initial, path.shape))
        np.testing.assert_array_equal(written[0], np.full(5, LAYOUT.n_bars))
        assert not any(np.asarray(part).any() for part in jax.tree.leaves((volume, written[1:])))


def test_the_kernel_does_not_trade_what_rounding_puts_outside_the_band() -> None:
    # Without a fee that stays in the pool, every trade ends on the edge of the band, and weights hold after their ramps. The
    # width of the band decides how rounding goes, so there are many.
    setup, (initial, log_prices, weights, rates) = case("momentum", 3, "arb_fee_alone")
    fees = jnp.linspace(0.0005, 0.005, 40)

    @jax.jit
    def paths(fees: jax.Array) -> list[jax.Array]:
        costs = jax.vmap(lambda fee: rates._replace(arb_fee=fee))(fees)
        return [
            jax.vmap(lambda cost, run=run: run(initial, log_prices, weights, cost))(costs)
            for run in (functools.partial(fee_log_reserves, setup), lambda *given: kernel_pass(*given)[0])
        ]

    wanted, found = paths(fees)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", ["fee", "noise_gas_protocol"])
@pytest.mark.parametrize("n_tokens", [2, 3])
def test_the_kernel_does_not_take_what_is_not_a_number_for_no_trade(n_tokens: int, variant: str) -> None:
    _, (initial, log_prices, weights, rates) = case("momentum", n_tokens, variant)
    costs = rates._replace(swap_fee=jnp.full(LAYOUT.n_bars, rates.swap_fee))
    for broken in (
        (log_prices.at[60, 1].set(jnp.nan), weights, costs),
        (log_prices, weights.at[60, 0].set(jnp.nan), costs),
        (log_prices, weights, costs._replace(swap_fee=costs.swap_fee.at[60].set(jnp.nan))),
    ):
        path, _ = kernel_pass(initial, *broken)
        np.testing.assert_array_equal(np.isnan(path).any(axis=1), np.arange(LAYOUT.n_bars) >= 60)
