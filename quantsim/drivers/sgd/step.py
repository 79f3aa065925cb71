"""The gradient driver on the device: ``init`` and ``advance`` over an explicit state, with many steps per call."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from quantsim.config.driver_sections import Sgd
from quantsim.drivers.sgd.curvature import value_and_hessian_trace
from quantsim.drivers.sgd.optimiser import learning_rate, optimiser
from quantsim.drivers.windows import TrainingWindows
from quantsim.simulator import Objective

__all__ = ["Inputs", "Program", "StepInfo", "TrainState", "advance", "flatness", "init"]

Params = dict[str, Array]


@dataclass(frozen=True)
class Program:
    """The static part of training.

    Attributes:
        windows: the windows from which batches are drawn.
        settings: settings of the gradient driver.
    """

    windows: TrainingWindows
    settings: Sgd


class Inputs(NamedTuple):
    """Constant arrays of training.

    Attributes:
        objective: the traced objective.
        frozen: raw name → (S, m), parameters that are not trained.
        restart_pool: raw name → (S, B, m), starting points for restarts of sets.
        active: (S,) whether a set still trains; sets that stopped early do not change.
        key: random key; step ``i`` uses ``fold_in(key, i)``, so a resumed run has the same random numbers.
    """

    objective: Objective
    frozen: Params
    restart_pool: Params
    active: Array
    key: Array


class TrainState(NamedTuple):
    """The state of training between steps.

    Attributes:
        params: raw name → (S, m), trained parameters.
        optimiser: state of the optimiser, leading axis ``S``.
        step: () number of completed steps.
        refused: (S,) number of rejected updates since the last accepted one.
        restarts: (S,) number of restarts of a set.
        average: raw name → (S, m), mean of the parameters since ``average_from_step``; empty without averaging.
        averaged: (S,) number of parameters in the mean.
    """

    params: Params
    optimiser: Any
    step: Array
    refused: Array
    restarts: Array
    average: Params
    averaged: Array


class StepInfo(NamedTuple):
    """Information on steps, only for reports. Leading axes: steps, if there are several, and the ``S`` parameter sets.

    Attributes:
        objective: batch mean of the objective, at the parameters before the update.
        gradient_norm: norm of the gradient before clipping.
        update_norm: norm of the update that the optimiser proposed.
        learning_rate: learning rate.
        rejected: whether the update was rejected, because the objective, its gradient or the update was not finite.
    """

    objective: Array
    gradient_norm: Array
    update_norm: Array
    learning_rate: Array
    rejected: Array


@functools.partial(jax.jit, static_argnums=0)
def init(program: Program, params: Params) -> TrainState:
    """Returns the state before the first step; ``params`` maps raw name → (S, m)."""
    settings = program.settings
    zeros = jnp.zeros(_n_sets(params), jnp.int64)
    average = {} if settings.average_from_step is None else params
    state = jax.vmap(optimiser(settings).init)(params)
    # Some optax states start with Python numbers. Their types would change with the first update and cause a recompilation.
    state = jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), state)
    return TrainState(params, state, jnp.zeros((), jnp.int64), zeros, zeros, average, zeros)


@functools.partial(jax.jit, static_argnums=0)
def advance(program: Program, state: TrainState, inputs: Inputs, n_steps: Array) -> tuple[TrainState, StepInfo]:
    """Takes ``n_steps`` steps of gradient ascent, all on the device.

    Each parameter set has its own optimiser; all use the same batch of windows.

    Returns:
        The state, and the info of the steps, (R, S) with ``R = report_every``: step ``i`` is in row ``i % R``. Rows of later
        steps are zero.
    """
    most = program.settings.report_every
    numbers = jnp.zeros((most, _n_sets(state.params)))

    def body(index: Array, carry: tuple[TrainState, StepInfo]) -> tuple[TrainState, StepInfo]:
        after, info = _step(program, carry[0], inputs)
        return after, jax.tree.map(lambda rows, row: rows.at[index % most].set(row), carry[1], info)

    start = (state, StepInfo(numbers, numbers, numbers, numbers, numbers.astype(bool)))
    return cast(tuple[TrainState, StepInfo], jax.lax.fori_loop(0, n_steps, body, start))


@functools.partial(jax.jit, static_argnums=0)
def flatness(program: Program, params: Params, inputs: Inputs) -> Array:
    """Returns the Hessian trace of minus the objective on the first window, (S,): the sharpness of the maximum."""
    settings, starts = program.settings, jnp.asarray([program.windows.first])
    objective = inputs.objective.forward_in_time().for_windows(starts)

    def one(sets: tuple[Params, Params]) -> Array:
        moved, frozen = sets

        def loss(params: Params) -> Array:
            return -jnp.mean(objective({**params, **frozen}, starts))

        key = jax.random.fold_in(inputs.key, 2**32 - 1)  # not used by any step
        samples, step = settings.hessian_samples, settings.hessian_step
        return value_and_hessian_trace(loss, moved, key, n_samples=samples, step=step)[1]

    return cast(Array, objective.map_sets(one, (params, inputs.frozen)))


def _step(program: Program, state: TrainState, inputs: Inputs) -> tuple[TrainState, StepInfo]:
    settings, objective = program.settings, inputs.objective
    key = jax.random.fold_in(inputs.key, state.step)
    starts = program.windows.draw(inputs.key, state.step, settings.batch_size, settings.sampling)
    if settings.price_noise:
        objective = objective.with_price_noise(settings.price_noise, jax.random.fold_in(key, 1))
    objective = objective.for_windows(starts)
    update = optimiser(settings).update

    def one(lane: tuple[Params, Params, Any]) -> tuple[Array, tuple[Array, Array], Params, Any]:
        params, frozen, optimiser_state = lane

        def plain(params: Params) -> Array:
            return -jnp.mean(objective({**params, **frozen}, starts))

        def loss(params: Params) -> Array:
            if not settings.hessian_penalty:
                return plain(params)
            value, trace = value_and_hessian_trace(
                plain,
                params,
                jax.random.fold_in(key, 2),
                n_samples=settings.hessian_samples,
                step=settings.hessian_step,
            )
            return value + settings.hessian_penalty * jnp.maximum(trace, 0.0)  # only a sharp minimum is penalised

        value, gradient = jax.value_and_grad(loss)(params)
        updates, after = update(gradient, optimiser_state, params, value=value, grad=gradient, value_fn=loss)
        lengths = (optax.tree.norm(gradient), optax.tree.norm(updates))
        return value, lengths, optax.apply_updates(params, updates), after

    sets = (state.params, inputs.frozen, state.optimiser)
    losses, (norms, lengths), proposed, optimiser_state = objective.map_sets(one, sets)
    finite = _finite(losses, norms, proposed)
    moves = finite & inputs.active
    params, optimiser_state = _choose(moves, (proposed, optimiser_state), (state.params, state.optimiser))
    rates = learning_rate(settings, state.optimiser, optimiser_state)
    refused = jnp.where(finite | ~inputs.active, 0, state.refused + 1)
    after = state._replace(params=params, optimiser=optimiser_state, refused=refused)
    after = _averaged(settings, _restarted(settings, after, inputs), inputs.active)
    return after._replace(step=state.step + 1), StepInfo(-losses, norms, lengths, rates, ~finite & inputs.active)


def _finite(losses: Array, norms: Array, proposed: Params) -> Array:
    """The policy for non-finite values: a set with a non-finite objective, gradient or update keeps its state.

    So non-finite values never enter the moments of the optimiser. The set tries again with the next batch, and the number of
    rejected updates is reported. The update is checked too, because a line search can fail with a finite gradient.
    """
    sound = jnp.isfinite(losses) & jnp.isfinite(norms)
    for rows in proposed.values():
        sound &= jnp.all(jnp.isfinite(rows), axis=-1)
    return sound


def _restarted(settings: Sgd, state: TrainState, inputs: Inputs) -> TrainState:
    """Restarts sets with too many rejected updates in a row, each from the next point of its restart pool."""
    if settings.reinitialise_after is None:
        return state
    stuck = state.refused >= settings.reinitialise_after

    def drawn(rows: Array) -> Array:
        taken: Array = jax.vmap(lambda pool, index: pool[index % pool.shape[0]])(rows, state.restarts)
        return taken

    fresh = {name: drawn(inputs.restart_pool[name]) for name in state.params}
    begun = jax.vmap(optimiser(settings).init)(fresh)
    params, optimiser_state = _choose(stuck, (fresh, begun), (state.params, state.optimiser))
    return state._replace(
        params=params,
        optimiser=optimiser_state,
        refused=jnp.where(stuck, 0, state.refused),
        restarts=state.restarts + stuck,
        averaged=jnp.where(stuck, 0, state.averaged),
    )


def _averaged(settings: Sgd, state: TrainState, active: Array) -> TrainState:
    """Updates the running mean of the parameters from ``average_from_step`` on, while they train (arXiv:1803.05407).

    It includes the parameters after every ``average_every``-th step.
    """
    if settings.average_from_step is None:
        return state
    since = state.step + 1 - settings.average_from_step
    counts = active & (since >= 0) & (since % settings.average_every == 0)
    averaged = state.averaged + counts
    share = jnp.where(counts, 1.0 / jnp.maximum(averaged, 1), 0.0)[:, None]
    begun = (state.averaged > 0)[:, None]  # before that, the mean is the parameters
    average = {
        name: jnp.where(begun, state.average[name] + share * (rows - state.average[name]), rows)
        for name, rows in state.params.items()
    }
    return state._replace(average=average, averaged=averaged)


def _choose(where: Array, these: Any, those: Any) -> Any:
    """Chooses per set between two trees whose leaves have the leading axis ``S``."""
    return jax.tree.map(
        lambda one, other: jnp.where(where.reshape(-1, *(1,) * (one.ndim - 1)), one, other), these, those
    )


def _n_sets(params: Params) -> int:
    return int(next(iter(params.values())).shape[0])
