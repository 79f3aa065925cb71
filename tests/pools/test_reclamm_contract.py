"""The reCLAMM pool against the contract's own arithmetic: 18-decimal integers, with its roundings, on random states."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reclamm_contract as contract
from hypothesis import given
from hypothesis import strategies as st

from quantsim.pools.reclamm.range_kernel import kernel_balances
from quantsim.pools.reclamm.range_scan import Shifting, centeredness

ONE = contract.ONE
State = tuple[contract.Pair, contract.Pair]

balances = st.integers(min_value=10**12, max_value=10**26)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Real and virtual balances of any centeredness, in ranges from narrow to wide."""
    real = draw(balances), draw(balances)
    width, tilt = draw(st.floats(0.005, 2.0)), draw(st.floats(0.05, 1.0))
    return real, (int(real[0] / width), int(real[1] / width * tilt))


@given(states(), st.integers(0, 1), st.floats(1e-9, 1.0))
def test_swaps_round_for_the_pool_and_no_round_trip_earns(state: State, into: int, share: float) -> None:
    real, virtual = state
    amount = max(int(share * real[into]), 1)
    try:
        out = contract.out_given_in(real, virtual, into, amount)
    except ValueError:
        return
    held = [one + other for one, other in zip(real, virtual, strict=True)]
    assert 0 <= Fraction(held[1 - into] * amount, held[into] + amount) - out < 1
    after = [*real]
    after[into], after[1 - into] = after[into] + amount, after[1 - into] - out
    assert (after[0] + virtual[0]) * (after[1] + virtual[1]) >= held[0] * held[1]
    if out > 0:
        assert contract.out_given_in((after[0], after[1]), virtual, 1 - into, out) <= amount
        asked = contract.in_given_out(real, virtual, into, out)
        assert asked <= amount
        assert 0 <= asked - Fraction(held[into] * out, held[1 - into] - out) < 1


N_STATES = 300


@pytest.fixture(scope="module")
def drawn() -> list[State]:
    generator = np.random.default_rng(5)
    real = 10.0 ** generator.uniform(1.0, 6.0, (N_STATES, 2))
    width, tilt = 10.0 ** generator.uniform(-1.5, 0.3, N_STATES), 10.0 ** generator.uniform(-1.0, 1.0, N_STATES)
    virtual = real / width[:, None] * np.stack([np.minimum(tilt, 1.0), np.minimum(1.0 / tilt, 1.0)], axis=-1)
    rows = (np.concatenate([real, virtual], axis=1) * 1e9).astype(np.int64).tolist()  # exact as floats
    return [((a * 10**9, b * 10**9), (c * 10**9, d * 10**9)) for a, b, c, d in rows]


def floats(drawn: list[State]) -> np.ndarray:
    return np.array([[*real, *virtual] for real, virtual in drawn], np.float64) / ONE


@jax.jit
@jax.vmap
def visited(state: jax.Array, price: jax.Array, shift: jax.Array, fee: jax.Array) -> jax.Array:
    """The balances after one visit of the pass, (4,)."""
    prices, edge, zero = jnp.stack([price, jnp.ones(())])[None], 1.0 / (1.0 - fee), jnp.zeros(())
    costs = jnp.stack([edge, edge, zero, fee, zero, zero])[None]
    return kernel_balances(state, prices, shift[None], costs, Shifting(False, False, 43200.0))[0][0]


def test_the_trade_of_a_visit_is_a_swap_of_the_contract(drawn: list[State]) -> None:
    generator = np.random.default_rng(6)
    before, fees = floats(drawn), generator.choice([0.0, 0.003, 0.02], N_STATES)
    quotes = (before[:, 1] + before[:, 3]) / (before[:, 0] + before[:, 2])
    moves = generator.choice([0.01, 0.3], N_STATES) * generator.standard_normal(N_STATES)
    after = np.asarray(visited(before, quotes * np.exp(moves), np.zeros((N_STATES, 3)), fees))
    drained = 0
    for (real, virtual), old, new, fee, move in zip(drawn, before, after, fees, moves, strict=True):
        change = new - old
        if not change.any():
            assert abs(move) <= -np.log1p(-fee) + 1e-12
            continue
        into = int(change[1] > 0.0)
        paid = int(change[into] * (1.0 - fee) * ONE)  # less the fee, as the vault passes it to the pool
        rounding = 1e-15 * (old[into] + old[2 + into]), 1e-15 * (old[1 - into] + old[3 - into])
        if new[1 - into] == 0.0:  # at the edge of the range: a swap for all that is left
            drained += 1
            asked = contract.in_given_out(real, virtual, into, real[1 - into])
            np.testing.assert_allclose(paid / ONE, asked / ONE, rtol=1e-13, atol=4 * rounding[0])
            continue
        wanted = contract.out_given_in(real, virtual, into, paid) / ONE
        np.testing.assert_allclose(-change[1 - into], wanted, rtol=1e-13, atol=4 * rounding[1])
    assert 10 < drained < N_STATES // 2


def test_the_range_moves_as_in_the_contract(drawn: list[State]) -> None:
    generator = np.random.default_rng(7)
    before, seconds = floats(drawn), generator.choice([60, 1800, 86400, 40 * 86400], N_STATES)
    bases = [contract.shift_base(int(exponent * ONE)) for exponent in 10.0 ** generator.uniform(-2.0, 0.5, N_STATES)]
    logs = np.minimum(seconds, 30 * 86400) * np.log1p(-np.array([ONE - base for base in bases]) / ONE)
    c, above = (np.asarray(found) for found in centeredness(jnp.asarray(before)))
    quotes = (before[:, 1] + before[:, 3]) / (before[:, 0] + before[:, 2])
    shifts = np.stack([np.ones(N_STATES), logs, np.zeros(N_STATES)], axis=-1)
    after = np.asarray(visited(before, quotes, shifts, np.zeros(N_STATES)))
    at_centre = 0
    for at, (real, virtual) in enumerate(drawn):
        wanted, is_above = contract.centeredness(real, virtual)
        assert bool(above[at]) == is_above
        assert c[at] == pytest.approx(wanted / ONE, rel=1e-12)
        bounds = [contract.moved_range(real, virtual, factor) for factor in contract.decay(bases[at], int(seconds[at]))]
        at_centre += bounds[0] == bounds[1]
        for side in range(2):
            low, high = sorted(bound[side] / ONE for bound in bounds)
            assert low * (1.0 - 1e-10) <= after[at, 2 + side] <= high * (1.0 + 1e-10)
    assert 10 < at_centre < N_STATES - 10, "some shifts end at the centre, and some do not"


def test_the_ends_of_the_range_are_those_of_the_contract(drawn: list[State]) -> None:
    for (real, virtual), (r_a, r_b, v_a, v_b) in zip(drawn, floats(drawn), strict=True):
        low, high = contract.price_range(real, virtual)
        product = (r_a + v_a) * (r_b + v_b)
        assert v_b**2 / product == pytest.approx(low / ONE, rel=1e-12, abs=1e-18)
        assert product / v_a**2 == pytest.approx(high / ONE, rel=1e-12, abs=1e-18)
