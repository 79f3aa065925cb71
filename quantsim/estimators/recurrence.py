"""The sequential kernel of all estimators: a first-order linear recurrence with a hand-written adjoint."""

from __future__ import annotations

from quantsim.lazy_jax import Array, custom_vjp, jax, jnp
from quantsim.scan_mode import ScanMode

__all__ = ["linear_recurrence"]


def linear_recurrence(decay: Array, inputs: Array, initial: Array, mode: ScanMode = "sequential") -> Array:
    """``y[t] = decay · y[t-1] + inputs[t]``, with ``y[-1] = initial``.

    The adjoint is the same recurrence run backwards, ``g[t] = ȳ[t] + decay · g[t+1]``, where ``g`` is the cotangent of the
    inputs. So a gradient costs one more pass, and stores only ``y``.

    Args:
        decay: (n,) factor per token, constant over time.
        inputs: (K, n).
        initial: (n,) state before the first input.
        mode: scan mode; static.

    Returns:
        (K, n), the state after each input.
    """
    return _recurrence(decay, inputs, initial, mode)


def _states(decay: Array, inputs: Array, initial: Array, mode: ScanMode) -> Array:
    return _scan(decay, inputs, initial, mode, reverse=False)


def _scan(decay: Array, inputs: Array, initial: Array, mode: ScanMode, *, reverse: bool) -> Array:
    if mode == "associative":
        return _associative(decay, inputs, initial, reverse=reverse)

    def step(state: Array, value: Array) -> tuple[Array, Array]:
        state = decay * state + value
        return state, state

    return jax.lax.scan(step, initial, inputs, reverse=reverse)[1]


def _associative(decay: Array, inputs: Array, initial: Array, *, reverse: bool) -> Array:
    def compose(before: tuple[Array, Array], after: tuple[Array, Array]) -> tuple[Array, Array]:
        return before[0] * after[0], after[0] * before[1] + after[1]

    first = -1 if reverse else 0
    inputs = inputs.at[first].add(decay * initial)
    decays = jnp.broadcast_to(decay, inputs.shape)
    states: Array = jax.lax.associative_scan(compose, (decays, inputs), reverse=reverse)[1]
    return states


def _forward(decay: Array, inputs: Array, initial: Array, mode: ScanMode) -> tuple[Array, tuple[Array, Array, Array]]:
    states = _recurrence(decay, inputs, initial, mode)
    return states, (decay, states, initial)


def _backward(mode: ScanMode, residual: tuple[Array, Array, Array], cotangent: Array) -> tuple[Array, Array, Array]:
    decay, states, initial = residual
    adjoint = _scan(decay, cotangent, jnp.zeros_like(initial), mode, reverse=True)
    before = jnp.concatenate([initial[None], states[:-1]])
    return jnp.sum(adjoint * before, axis=0), adjoint, decay * adjoint[0]


_recurrence = custom_vjp(_states, _forward, _backward, nondiff_argnums=(3,))
