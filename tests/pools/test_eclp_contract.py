"""The E-CLP against the contract's own arithmetic: integers with 18 and 38 decimals, on random states."""

from __future__ import annotations

import eclp_contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.contract.fixed_point import ONE
from quantsim.onchain.eclp import eclp_contract as created
from quantsim.pools.eclp.curve import Ellipse, curve_of, held, position, side_of
from quantsim.pools.eclp.trade_kernel import kernel_path

N_STATES = 200


@jax.jit
@jax.vmap
def visited(ellipse: Ellipse, size: jax.Array, quote: jax.Array, price: jax.Array, fee: jax.Array) -> jax.Array:
    """Balances of both tokens before and after one visit of the pass, (4,)."""
    curve = curve_of(ellipse)
    start, edge, zero = position(ellipse, curve[12], quote), 1.0 / (1.0 - fee), jnp.zeros(())
    costs = jnp.stack([edge, edge, zero, fee, zero, zero])[None]
    prices = jnp.stack([price, jnp.ones(())])[None]
    path, _ = kernel_path(jnp.stack([size, start]), prices, ellipse, curve, costs)
    return jnp.concatenate([size * jnp.stack(held(side_of(curve, 0), start)), path[0, 2:]])


def drawn(seed: int) -> tuple[np.ndarray, Ellipse]:
    """The contracts' parameters, (N, 5) integers, and the ellipses with the same values."""
    generator = np.random.default_rng(seed)
    middle, width = np.exp(generator.uniform([-4.0, -3.0], [4.0, 1.0], (N_STATES, 2))).T
    tangent = middle * np.exp(0.5 * width * generator.standard_normal(N_STATES))
    lam = np.exp(generator.uniform(0.0, 6.0, N_STATES))
    cosine = 1.0 / np.hypot(1.0, tangent)
    rows = np.stack([middle / (1.0 + width), middle * (1.0 + width), cosine, cosine * tangent, lam], axis=-1)
    return rows, Ellipse(*(jnp.asarray(rows[:, at]) for at in range(5)))


def test_the_trade_of_a_visit_is_a_swap_of_the_contract() -> None:
    generator = np.random.default_rng(6)
    rows, ellipse = drawn(5)
    fees = generator.choice([0.0, 0.003, 0.02], N_STATES)
    inside = generator.uniform(0.05, 0.95, (2, N_STATES))
    quotes, prices = rows[:, 0] * (rows[:, 1] / rows[:, 0]) ** inside
    sizes = 10.0 ** generator.uniform(3.0, 6.0, N_STATES)
    found = np.asarray(visited(ellipse, sizes, quotes, prices, fees))
    traded = 0
    for row, fee, balances in zip(rows, fees, found, strict=True):
        alpha, beta, cosine, sine, lam = (int(value * ONE) for value in row)
        contract = eclp_contract.Contract(created(alpha, beta, cosine, sine, lam))
        before, change = balances[:2], balances[2:] - balances[:2]
        if (np.abs(change) < 1e-9 * before).all():
            continue
        traded += 1
        into = int(change[1] > 0.0)
        paid = int(change[into] * (1.0 - fee) * ONE)  # less the fee, as the vault passes it to the pool
        wanted = contract.out_given_in((int(before[0] * ONE), int(before[1] * ONE)), into, paid) / ONE
        assert -change[1 - into] == pytest.approx(wanted, rel=1e-10)
    assert traded > N_STATES // 2
