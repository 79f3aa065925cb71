"""The step of the gradient driver on toy objectives: optimisers, schedules, restarts, averages, noise, reversal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import Array
from sgd_support import make_experiment, make_prices, toy

from quantsim.drivers.sgd.optimiser import optimiser
from quantsim.drivers.sgd.training import Training
from quantsim.errors import ConfigError

RATE, N_STEPS = 0.1, 8


def wavy(params: Mapping[str, Array], starts: Array) -> Array:
    """Smooth, of two parameters, another one for every window."""
    return jnp.cos(params["x"][0] - 0.3 * starts) - 0.5 * params["x"][1] ** 2 + 0.1 * params["x"][0] * params["y"][0]


PLAIN = {"x": [[0.5, 2.0], [-1.0, 0.1]], "y": [[0.3], [-0.7]]}


OPTAX: dict[str, tuple[dict[str, Any], optax.GradientTransformation]] = {
    "adam, constant": ({"optimiser": "adam"}, optax.adam(RATE)),
    "adamw, cosine": (
        {"optimiser": "adamw", "weight_decay": 0.2, "schedule": "cosine", "final_fraction": 0.2},
        optax.adamw(optax.cosine_decay_schedule(RATE, N_STEPS, 0.2), weight_decay=0.2),
    ),
    "sgd with momentum, exponential": (
        {"optimiser": "sgd", "momentum": 0.8, "schedule": "exponential", "final_fraction": 0.01},
        optax.sgd(optax.exponential_decay(RATE, N_STEPS, 0.01), momentum=0.8),
    ),
    "lion, warm-up": (
        {
            "optimiser": "lion",
            "weight_decay": 0.1,
            "schedule": "warmup_cosine",
            "warmup_steps": 5,
            "final_fraction": 1.0,
        },
        optax.lion(optax.linear_schedule(0.0, RATE, 5), weight_decay=0.1),
    ),
}


@pytest.mark.optimized  # the learning rate is made in float32, which compilers may round in several ways
@pytest.mark.parametrize("name", OPTAX)
def test_updates_are_those_of_optax_on_the_same_gradients(name: str) -> None:
    settings, reference = OPTAX[name]
    ours = toy(wavy, PLAIN, batch_size=3, learning_rate=RATE, steps=N_STEPS, **settings)

    @jax.jit
    def step(params: Any, state: Any, starts: Array) -> tuple[Any, Any]:
        gradient = jax.grad(lambda p: -jnp.mean(wavy(p, starts)))(params)
        updates, state = reference.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    params = [{name: jnp.asarray(rows[index]) for name, rows in PLAIN.items()} for index in (0, 1)]
    states = [reference.init(each) for each in params]
    for count in range(6):
        starts = ours.program.windows.draw(ours.inputs.key, jnp.asarray(count), 3, "uniform")
        ours.steps()
        for index in (0, 1):
            params[index], states[index] = step(params[index], states[index], starts)
            for key, rows in ours.state.params.items():
                np.testing.assert_allclose(rows[index], params[index][key], rtol=1e-12, err_msg=f"step {count}")


@pytest.mark.parametrize("kind", ["constant", "cosine", "warmup_cosine", "exponential", "plateau"])
def test_the_logged_learning_rate_is_the_one_in_use(kind: str) -> None:
    def linear(params: Mapping[str, Array], starts: Array) -> Array:
        refused = (params["x"][0] > 50.0) & (starts == 2)  # not for the first set
        still = params["x"][0] - jax.lax.stop_gradient(params["x"][0])  # 0, of slope 1
        return jnp.where(refused, jnp.nan, still - 8.0)

    settings = {"optimiser": "sgd", "learning_rate": RATE, "steps": N_STEPS, "schedule": kind, "sampling": "exhaustive"}
    settings |= {"final_fraction": 0.25, "plateau_steps": 1, "plateau_patience": 2} if kind != "constant" else {}
    settings |= {"warmup_steps": 2} if kind == "warmup_cosine" else {}
    ours = toy(linear, {"x": [[0.0], [100.0]]}, batch_size=1, n_starts=3, **settings)
    logged, moved, taken = [], [], []
    for _ in range(N_STEPS + 1):
        before = ours.state.params["x"][:, 0]
        ours.steps()
        logged.append(np.asarray(ours.info.learning_rate))
        moved.append(np.asarray(ours.state.params["x"][:, 0] - before))
        taken.append(~ours.info.rejected)
    logged, moved, taken = np.array(logged), np.array(moved), np.array(taken)
    assert taken[:, 0].all()
    assert (~taken[:, 1]).sum() == 3
    np.testing.assert_allclose(moved[taken], logged[taken], rtol=1e-9, atol=1e-12)
    rates, share = logged[:, 0], np.arange(N_STEPS + 1) / N_STEPS
    warm = np.maximum(share - 0.25, 0.0) / 0.75
    wanted = {
        "constant": np.full(N_STEPS + 1, RATE),
        "cosine": RATE * (0.25 + 0.75 * (1 + np.cos(np.pi * share)) / 2),
        "warmup_cosine": RATE * np.minimum(share / 0.25, 0.25 + 0.75 * (1 + np.cos(np.pi * warm)) / 2),
        "exponential": RATE * 0.25**share,
        "plateau": RATE * np.array([1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]),
    }
    np.testing.assert_allclose(rates, wanted[kind], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(
        logged[taken[:, 1], 1], rates[: taken[:, 1].sum()], err_msg="refused updates do not count"
    )


def test_a_plateau_is_measured_by_an_absolute_tolerance() -> None:
    """Of a negative objective, a relative one would take standing still for an improvement, or ask for ever more."""

    def sloped(params: Mapping[str, Array], starts: Array) -> Array:
        return params["offset"][0] + params["slope"][0] * params["x"][0] + 0.0 * starts

    # Each step gains slope², and each average of two steps 2·slope² over the one before.
    gains = [0.0, 0.2, 0.02, 0.0]
    frozen = {"slope": np.sqrt(np.array(gains)[:, None] / 2), "offset": [[-5.0], [-5.0], [-5.0], [5.0]]}
    settings = {"plateau_steps": 2, "plateau_patience": 2, "plateau_tolerance": 0.1, "plateau_factor": 0.5}
    settings |= {"optimiser": "sgd", "learning_rate": 1.0, "schedule": "plateau", "final_fraction": 0.25, "steps": 30}
    ours = toy(sloped, {"x": np.zeros((4, 1))}, frozen=frozen, **settings)
    rates = np.array([ours.steps().info.learning_rate for _ in range(16)])
    # The first average sets the mark; the next two that miss it lower the rate, with the update that completes the second.
    falls = [1.0] * 5 + [0.5] * 4 + [0.25] * 7
    for column, wanted in enumerate([falls, [1.0] * 16, falls, falls]):
        np.testing.assert_array_equal(rates[:, column], wanted, err_msg=f"gain {gains[column]}")


def test_each_set_is_clipped_by_its_own_norm() -> None:
    def sloped(params: Mapping[str, Array], starts: Array) -> Array:
        return jnp.vdot(params["slope"], params["x"]) + 0.0 * starts

    slopes = np.array([[3.0, 4.0], [300.0, 400.0], [0.3, 0.4]])
    settings = {"optimiser": "sgd", "learning_rate": RATE, "clip_norm": 1.0}
    ours = toy(sloped, {"x": np.zeros((3, 2))}, frozen={"slope": slopes}, **settings).steps()
    np.testing.assert_allclose(ours.info.gradient_norm, [5.0, 500.0, 0.5], err_msg="before clipping")
    np.testing.assert_allclose(ours.state.params["x"], RATE * np.array([[0.6, 0.8], [0.6, 0.8], [0.3, 0.4]]))


def test_lbfgs_takes_fewer_steps_than_adam() -> None:
    def concave(params: Mapping[str, Array], starts: Array) -> Array:
        x = params["x"]
        return 3.0 - jnp.cosh(x[0] - 1.0) - 25.0 * (x[1] + 2.0) ** 2 + 0.0 * starts

    gaps = {}
    for name in ("lbfgs", "adam"):
        start = {"x": [[-1.0, 1.0], [3.0, -4.0]]}
        ours = toy(concave, start, optimiser=name, learning_rate=0.1, n_starts=1).steps(12)
        compiled = ours.compiled()
        gaps[name] = np.abs(np.asarray(ours.state.params["x"]) - [1.0, -2.0]).max()
        assert ours.steps(2).compiled() == compiled, "further steps compile nothing"
        assert np.isfinite(ours.info.learning_rate).all()
    assert gaps["lbfgs"] < 1e-6 < 1e-2 < gaps["adam"]


def test_lbfgs_wants_windows_that_stay() -> None:
    prices = make_prices()
    with pytest.raises(ConfigError, match=r"(?s)'lbfgs' needs the same windows.*bout_offset_days = 0.*batch_size = 11"):
        Training(make_experiment(optimiser="lbfgs"), prices)
    Training(make_experiment(optimiser="lbfgs", sampling="exhaustive", batch_size=11), prices)
    Training(make_experiment(optimiser="lbfgs").override(["objective.bout_offset_days=0"]), prices)


@pytest.mark.parametrize("name", ["sgd", "plateau"])
def test_gradients_that_are_not_finite_never_enter_the_optimiser(name: str) -> None:
    def broken(params: Mapping[str, Array], starts: Array) -> Array:
        x = params["x"]
        # At 0 the value is finite and the gradient is not; below -5 it is the other way round.
        return jnp.where(x[0] < -5.0, jnp.nan, -jnp.sqrt(x[0] ** 2) - x[1] ** 2) + 0.0 * starts

    settings: dict[str, Any] = {"optimiser": name} if name != "plateau" else {"schedule": "plateau", "plateau_steps": 1}
    if name == "sgd":
        settings["momentum"] = 0.9
    start = {"x": [[0.0, 1.0], [-6.0, 1.0], [2.0, 1.0]]}
    ours = toy(broken, start, reinitialise_after=None, **settings).steps(3)
    assert ours.rows.rejected.tolist() == [[True, True, False]] * 3
    assert ours.state.refused.tolist() == [3, 3, 0]
    np.testing.assert_array_equal(ours.state.params["x"][:2], start["x"][:2])
    begun: Any = optimiser(ours.program.settings).init({"x": jnp.zeros(2)})
    for leaf, fresh in zip(jax.tree.leaves(ours.state.optimiser), jax.tree.leaves(begun), strict=True):
        np.testing.assert_array_equal(leaf[:2], np.broadcast_to(fresh, leaf[:2].shape))
    alone = toy(broken, {"x": [[2.0, 1.0]]}, **settings).steps(3)
    np.testing.assert_array_equal(ours.state.params["x"][2], alone.state.params["x"][0], "the others are left alone")


def test_a_set_that_stays_broken_starts_again_from_its_restart_pool() -> None:
    def positive(params: Mapping[str, Array], starts: Array) -> Array:
        return -(jnp.log(params["x"][0]) ** 2) + 0.0 * starts  # nan below zero

    restart_pool = {"x": [[[9.0], [9.0]], [[-2.0], [3.0]], [[-1.0], [-1.5]]]}
    settings = {"optimiser": "adam", "learning_rate": RATE, "reinitialise_after": 3, "average_from_step": 2}
    ours = toy(positive, {"x": [[2.0], [-1.0], [-4.0]]}, restart_pool=restart_pool, **settings)
    path = np.array([ours.steps().state.params["x"][:, 0] for _ in range(10)])
    np.testing.assert_array_equal(path[:2, 1], -1.0)
    np.testing.assert_array_equal(path[2:5, 1], -2.0, "the first of the restart pool after three refusals")
    assert path[5, 1] == 3.0, "then the second, which is sound"
    np.testing.assert_allclose(path[6, 1], 3.0 - RATE, rtol=1e-6, err_msg="Adam's first step: it begins afresh, too")
    np.testing.assert_array_equal(
        path[[2, 5, 8], 2], [-1.0, -1.5, -1.0], "after the last of the restart pool, the first"
    )
    assert ours.state.restarts.tolist() == [0, 2, 3]
    assert ours.state.averaged.tolist() == [9, 5, 2]
    np.testing.assert_allclose(ours.state.average["x"][:, 0], [path[1:, 0].mean(), path[5:, 1].mean(), -1.0])


def test_the_average_is_the_mean_of_the_parameters_while_they_train() -> None:
    ours = toy(wavy, PLAIN, average_from_step=3, batch_size=2)
    xs = []
    for count in range(7):
        if count == 5:
            ours.inputs = ours.inputs._replace(active=jnp.array([True, False]))
        xs.append(ours.steps().state.params["x"])
        if count < 3:
            np.testing.assert_array_equal(ours.state.average["x"], xs[-1], "the parameters themselves up to the first")
    np.testing.assert_array_equal(xs[6][1], xs[4][1], "out of patience: it stays where it is")
    assert (xs[6][0] != xs[4][0]).all()
    np.testing.assert_allclose(ours.state.average["x"][0], np.mean([x[0] for x in xs[2:]], axis=0), rtol=1e-14)
    np.testing.assert_allclose(ours.state.average["x"][1], np.mean([x[1] for x in xs[2:5]], axis=0), rtol=1e-14)


def test_the_average_can_take_in_every_third_step() -> None:
    ours = toy(wavy, PLAIN, average_from_step=2, average_every=3, batch_size=2)
    averages, xs = [], []
    for _ in range(7):
        state = ours.steps().state
        xs.append(state.params["x"])
        averages.append(state.average["x"])
    np.testing.assert_array_equal(averages[2], xs[1], "between, the mean stays what it was")
    np.testing.assert_allclose(averages[6], np.mean([xs[1], xs[4]], axis=0), rtol=1e-14)


def test_every_step_draws_noise_of_its_own() -> None:
    def flat(params: Mapping[str, Array], starts: Array) -> Array:
        return 0.0 * (params["x"][0] + starts)

    drawn = []
    for _ in range(2):
        noisy = toy(flat, {"x": [[0.0]]}, price_noise=0.01)
        drawn.append([float(noisy.steps().info.objective[0]) for _ in range(4)])
    assert len(set(drawn[0])) == 4
    assert np.abs(drawn[0]).max() < 0.04
    assert drawn[0] == drawn[1]
