"""Capped shares: the water filling against repeated redistribution, its gradient, and caps that cannot hold."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.rules.capping import capped_shares, check_caps

ROWS = np.random.default_rng(3).dirichlet(np.full(6, 0.4), 200) + 1e-12
CAPS = np.array([0.3, 0.2, 0.25, 0.5, 0.18, 0.4])
capped = jax.jit(capped_shares)


def redistributed(row: np.ndarray, caps: np.ndarray) -> np.ndarray:
    """The excess over a cap goes to the tokens below theirs, in proportion, again and again until none exceeds its cap."""
    row, high = row / row.sum(), np.zeros(row.size, bool)
    while (row > caps * (1 + 1e-15)).any():
        high |= row > caps * (1 + 1e-15)
        row = np.where(high, caps, row)
        row = np.where(high, caps, row * (1 - caps[high].sum()) / row[~high].sum())
    return row


@pytest.mark.parametrize("caps", [np.full(6, 0.25), np.full(6, 0.18), CAPS], ids=["one", "tight", "each"])
def test_it_is_the_limit_of_redistribution(caps: np.ndarray) -> None:
    found = np.asarray(capped(ROWS, caps))
    np.testing.assert_allclose(found, [redistributed(row, caps) for row in ROWS], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-14)
    assert (found <= caps).all()
    assert len({(row >= caps * (1 - 1e-12)).sum() for row in found}) > 1, "the number of capped tokens must vary"


def test_caps_that_no_share_reaches_change_nothing() -> None:
    rows = ROWS / ROWS.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(capped(rows, np.ones(6)), rows, rtol=1e-14)
    np.testing.assert_allclose(capped(rows, np.full(6, 1 / 6)), np.full_like(rows, 1 / 6), rtol=1e-13)
    np.testing.assert_allclose(capped(rows, np.full(6, 0.1)), np.full_like(rows, 1 / 6), rtol=1e-13)  # as in training


def test_gradients_are_those_of_finite_differences() -> None:
    rows, aim = jnp.asarray(ROWS[:8]), np.random.default_rng(5).standard_normal((8, 6))

    def total(rows: jax.Array, caps: jax.Array) -> jax.Array:
        return jnp.sum(capped_shares(rows, caps) * aim)

    slopes = jax.jit(jax.grad(total, argnums=(0, 1)))(rows, jnp.asarray(CAPS))
    value, step = jax.jit(total), 1e-7
    for at in range(6):
        move = step * np.eye(6)[at]
        for of, (row, cap) in zip(slopes, ((move, 0.0), (0.0, move)), strict=True):
            found = (value(rows + row, CAPS + cap) - value(rows - row, CAPS - cap)) / (2 * step)
            np.testing.assert_allclose(np.sum(np.atleast_2d(of)[:, at]), found, rtol=1e-6, atol=1e-6)


def test_caps_that_sum_to_less_than_one_are_refused() -> None:
    check_caps({"cap": np.full(4, 0.25)})
    check_caps({"memory_days": np.ones(4)})
    with pytest.raises(ValueError, match=r"cap = 0.2 for each of 4 tokens sums to 0.8.*set it to more than 0.25"):
        check_caps({"cap": np.full(4, 0.2)})
