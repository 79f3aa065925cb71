"""The gradient driver on the device: ``init`` and ``advance`` over an explicit state, whole runs of steps per call."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from quantsim.config.sections import Sgd
from quantsim.drivers.sgd.optimiser import optimiser
from quantsim.drivers.windows import TrainingWindows
from quantsim.simulator.evaluate import evaluate_windows, lanes
from quantsim.simulator.market import FeeRates, Market
from quantsim.simulator.plan import Plan

__all__ = ["Info", "Inputs", "Program", "State", "advance", "init"]

Params = dict[str, Array]


@dataclass(frozen=True)
class Program:
    """The static part of training.

    Attributes:
        plan: the objective; its first metric is maximised.
        windows: where batches are drawn from.
        settings: of the gradient driver.
    """

    plan: Plan
    windows: TrainingWindows
    settings: Sgd


class Inputs(NamedTuple):
    """Arrays that training reads and never changes.

    Attributes:
        market: prices.
        rates: fees and costs.
        frozen: raw name → (S, n), parameters that gradients do not move.
        key: random key; step ``i`` draws its batch with ``fold_in(key, i)``, so a resumed run draws what it would have.
    """

    market: Market
    rates: FeeRates
    frozen: Params
    key: Array


class State(NamedTuple):
    """What training carries from step to step.

    Attributes:
        params: raw name → (S, n), parameters that gradients move.
        optimiser: state of the optimiser, leading axis ``S``.
        step: () steps done.
    """

    params: Params
    optimiser: Any
    step: Array


class Info(NamedTuple):
    """What is only reported, of the last step.

    Attributes:
        objective: (S,) batch mean of the objective, at the parameters before the update.
        gradient_norm: (S,) before clipping.
        skipped: (S,) updates refused since the start of the call, because the objective or its gradient was not finite.
    """

    objective: Array
    gradient_norm: Array
    skipped: Array


def init(program: Program, params: Params) -> State:
    """The state before the first step; ``params`` maps raw name → (S, n)."""
    return State(params, jax.vmap(optimiser(program.settings).init)(params), jnp.zeros((), jnp.int64))


@functools.partial(jax.jit, static_argnums=0)
def advance(program: Program, state: State, inputs: Inputs, n_steps: Array) -> tuple[State, Info]:
    """Takes ``n_steps`` steps of gradient ascent, all on the device.

    Each parameter set has an optimiser of its own; all see the same batch of windows.
    """
    n_sets = next(iter(state.params.values())).shape[0]
    nothing = jnp.zeros(n_sets)

    def body(_: Array, carry: tuple[State, Info]) -> tuple[State, Info]:
        return _step(program, *carry, inputs)

    start = (state, Info(nothing, nothing, jnp.zeros(n_sets, jnp.int64)))
    return cast(tuple[State, Info], jax.lax.fori_loop(0, n_steps, body, start))


def _step(program: Program, state: State, info: Info, inputs: Inputs) -> tuple[State, Info]:
    plan, settings = program.plan, program.settings
    starts = program.windows.draw(jax.random.fold_in(inputs.key, state.step), settings.batch_size)

    def loss(params: Params, frozen: Params) -> Array:
        values = evaluate_windows(plan, {**params, **frozen}, inputs.market, inputs.rates, starts)
        return -jnp.mean(values[plan.metrics[0]])

    def one(sets: tuple[Params, Params]) -> tuple[Array, Params]:
        return cast(tuple[Array, Params], jax.value_and_grad(loss)(*sets))

    losses, gradients = lanes(one, (state.params, inputs.frozen), sequential=plan.every_bar)
    updates, optimiser_state = jax.vmap(optimiser(settings).update)(gradients, state.optimiser, state.params)
    proposed = (optax.apply_updates(state.params, updates), optimiser_state)
    norms = jax.vmap(optax.tree.norm)(gradients)
    accepted = _accept(losses, norms)
    params, optimiser_state = jax.tree.map(
        lambda new, old: jnp.where(accepted.reshape(-1, *(1,) * (new.ndim - 1)), new, old),
        proposed,
        (state.params, state.optimiser),
    )
    return State(params, optimiser_state, state.step + 1), Info(-losses, norms, info.skipped + ~accepted)


def _accept(losses: Array, norms: Array) -> Array:
    """The non-finite policy: a set whose objective or gradient is not finite keeps parameters and optimiser as they were.

    Nothing non-finite ever enters the optimiser's moments; the next batch gets another chance, and the count is reported.
    """
    return jnp.isfinite(losses) & jnp.isfinite(norms)
