"""The traced objective: values over windows, noise and reversal of prices, and programs that evaluators share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim import Experiment, Prices
from quantsim.errors import WindowError
from quantsim.objective import OBJECTIVE
from quantsim.pools.market import market, with_noise
from quantsim.simulator import Evaluator, Objective

N_BARS, STARTS = 60, np.array([40, 44, 48])


def make_evaluator(seed: int = 0) -> Evaluator:
    moves = np.random.default_rng(seed).standard_normal((480, 2)) * 0.02
    times = np.datetime64("2023-01-01", "s") + np.arange(480) * np.timedelta64(6 * 3600, "s")
    values = {
        "data": {"tokens": ["A", "B"]},
        "periods": {"train_start": "2023-01-11", "train_end": "2023-04-01", "validation_end": "2023-04-20"},
        "pool": {"rule": "momentum"},
        "update": {"max_memory_days": 10.0},
        "objective": {"weights": {"returns": 1.0, "turnover": 0.1}, "report": []},
    }
    prices = Prices(times, np.exp(np.cumsum(moves, axis=0)), ("A", "B"), 360)
    return Evaluator(Experiment.from_dict(values), prices)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return make_evaluator()


@jax.jit
def values_of(objective: Objective, params: dict[str, jax.Array], starts: jax.Array) -> jax.Array:
    return objective(params, starts)


def params_of(evaluator: Evaluator) -> dict[str, jax.Array]:
    return evaluator.arrays(evaluator.experiment.initial_parameters())


def test_values_are_those_that_the_evaluator_finds(evaluator: Evaluator) -> None:
    raw = evaluator.experiment.initial_parameters()
    first, n_bars = evaluator.splits["train"]
    whole = values_of(evaluator.objective([first], n_bars), params_of(evaluator), jnp.array([first]))
    np.testing.assert_allclose(whole[0], evaluator.evaluate(raw)["train"][OBJECTIVE], rtol=1e-12)
    returns = values_of(evaluator.objective(STARTS, N_BARS, metric="returns"), params_of(evaluator), jnp.array(STARTS))
    np.testing.assert_allclose(returns, evaluator.evaluate_at(raw, STARTS, N_BARS, ["returns"])["returns"], rtol=1e-12)


def test_evaluators_of_equal_plan_share_one_program(evaluator: Evaluator) -> None:
    found = []
    for each in (evaluator, make_evaluator(seed=1)):
        found.append(np.asarray(values_of(each.objective(STARTS, N_BARS), params_of(each), jnp.array(STARTS))))
        compiled = values_of._cache_size()
        other_windows = jnp.array(STARTS[::-1].copy())
        again = values_of(each.objective(STARTS, N_BARS), params_of(each), other_windows)
        np.testing.assert_array_equal(again, found[-1][::-1])
        assert values_of._cache_size() == compiled
    assert (found[0] != found[1]).all(), "prices are no constants of the program"


def test_reversed_prices_are_those_of_training_and_the_value_is_the_mean_of_both(evaluator: Evaluator) -> None:
    params, starts = params_of(evaluator), jnp.array(STARTS)
    both = evaluator.objective(STARTS, N_BARS, time_reversed=True)
    first, n_train = evaluator.splits["train"]
    seen = evaluator.prices.prices[: first + n_train]
    np.testing.assert_array_equal(both.markets[0].prices, seen)
    np.testing.assert_array_equal(both.markets[1].prices, seen[::-1])
    parts = [Objective(both.plan, (each,), both.rates) for each in both.markets]
    mean = np.mean([values_of(part, params, starts) for part in parts], axis=0)
    np.testing.assert_allclose(values_of(both, params, starts), mean, rtol=1e-12)
    forward = values_of(both.forward_in_time(), params, starts)
    np.testing.assert_array_equal(forward, values_of(parts[0], params, starts))


def test_noise_is_on_every_price_by_itself() -> None:
    prices = market(np.exp(np.cumsum(np.random.default_rng(0).standard_normal((500, 2)) * 0.01, axis=0)))
    noisy, again = (with_noise(prices, 0.02, jax.random.key(seed)) for seed in (1, 2))
    noise = np.asarray(noisy.log_prices - prices.log_prices)
    assert noise.std() == pytest.approx(0.02, rel=0.05)
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.15
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.15
    assert abs(np.corrcoef(noise[:, 0], np.asarray(again.log_prices - prices.log_prices)[:, 0])[0, 1]) < 0.15
    np.testing.assert_allclose(np.log(noisy.prices / prices.prices), noise, atol=1e-14)
    np.testing.assert_allclose(np.diff(noisy.summed, axis=0), noisy.log_prices[1:], atol=1e-12)
    none = with_noise(prices, 0.0, jax.random.key(1))
    np.testing.assert_array_equal(none.prices, prices.prices)
    np.testing.assert_array_equal(none.log_prices, prices.log_prices)


def test_noise_differs_between_prices_and_their_reversal(evaluator: Evaluator) -> None:
    both = evaluator.objective(STARTS, N_BARS, time_reversed=True)
    noisy = both.with_price_noise(0.01, jax.random.key(0))
    drawn = [
        np.asarray(after.log_prices - before.log_prices)
        for before, after in zip(both.markets, noisy.markets, strict=True)
    ]
    assert np.std(drawn) == pytest.approx(0.01, rel=0.1)
    assert abs(np.corrcoef(drawn[0][:, 0], drawn[1][:, 0])[0, 1]) < 0.15
    params, starts = params_of(evaluator), jnp.array(STARTS)
    again = values_of(both.with_price_noise(0.01, jax.random.key(0)), params, starts)
    np.testing.assert_array_equal(values_of(noisy, params, starts), again)
    assert (np.asarray(again) != np.asarray(values_of(both, params, starts))).all()


def test_windows_that_do_not_fit_are_refused(evaluator: Evaluator) -> None:
    with pytest.raises(WindowError, match="does not fit into"):
        evaluator.objective([evaluator.prices.n_bars - 10], N_BARS)
