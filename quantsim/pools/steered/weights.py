"""From rule outputs to the pool's weights at chunk boundaries: guardrails, bounds of each token, and the speed limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from quantsim.lazy_jax import Array, jax, jnp
from quantsim.parameters import common
from quantsim.parameters.transforms import sigmoid
from quantsim.pools.steered.clip_maps import run_maps, speed_limited
from quantsim.rules import Output, Rule, RuleSettings

__all__ = ["Bounds", "Ramps", "Steering", "chunk_ramps", "guardrail", "token_bounds", "within_bounds"]


@dataclass(frozen=True)
class Steering:
    """The static properties that determine weights; durations are in bars.

    Attributes:
        rule: rule that moves the weights; None for constant weights.
        settings: settings of the experiment that the rule reads.
        n_tokens: number of tokens, ``n``.
        chunk_bars: bars between decisions, ``C``.
        ramp_bars: bars of the ramp to the new weights, ``I ≤ C``.
        maximum_change: largest weight change per bar.
        minimum_weight: lower guardrail; the lowest of the tokens' lower bounds.
        bounds: (lower, upper) bounds of each token; None if the guardrail is the only bound.
        tuned_bounds: raw names of the bounds that are parameters.
        interpolation: shape of a ramp: ``"linear"``, ``"optimal"`` or ``"published_optimal"``.
        straight_through: limits that gradients ignore: ``"maximum_change"``, ``"weight_bounds"``.
        given: whether the weights are given at every bar, instead of those that the rule decides.
        trading_bars: bars from the start of each chunk in which the pool trades; 0 if it always does.
    """

    rule: Rule | None
    settings: RuleSettings
    n_tokens: int
    chunk_bars: int
    ramp_bars: int
    maximum_change: float
    minimum_weight: float
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None
    tuned_bounds: tuple[str, ...]
    interpolation: str
    straight_through: tuple[str, ...] = ()
    given: bool = False
    trading_bars: int = 0

    @property
    def moves(self) -> bool:
        """Whether the weights change."""
        return self.given or (self.rule is not None and self.rule.output is not Output.CONSTANT)

    @property
    def starts_at_target(self) -> bool:
        """Whether the pool starts at the rule's first output, and its weights move in the first chunk, too."""
        return self.rule is not None and self.rule.output is Output.WEIGHTS


class Ramps(NamedTuple):
    """The weights of a window, as a linear ramp per chunk: ``start + min(j, I)·step`` at bar ``j`` of a chunk.

    Attributes:
        start: (M, n) weights at the first bar of each chunk.
        step: (M, n) change per bar during the ramp; rows sum to zero.
        upper: (n,) or (M, n) upper bounds of each token for a curved ramp; None if there are only lower bounds.
    """

    start: Array
    step: Array
    upper: Array | None = None


class Bounds(NamedTuple):
    """Bounds of each weight.

    Attributes:
        lower: (n,) lower bounds; (M, n) if they change from chunk to chunk.
        upper: upper bounds, likewise.
    """

    lower: Array
    upper: Array


def guardrail(weights: Array, minimum: float) -> Array:
    """Normalises weights, clips them to ``[minimum, 1 - (n-1) minimum]`` and rescales the free ones so that the sum is 1.

    With four or more tokens, rescaling can push a token from just above the minimum below it. Such tokens are pinned and
    the others are rescaled again. ``n - 2`` passes are always enough, so the result is within the bounds.

    Args:
        weights: (n,) finite weights; their sum is 1 up to rounding.
        minimum: lower bound, dimensionless.

    Returns:
        (n,) weights on the simplex, none below ``minimum``.
    """
    n_tokens = weights.shape[-1]
    total = jnp.sum(weights)
    # It is 1 but for rounding, which for a target of 1e18 can be anything; then its clipped parts still say where to go.
    sound = jnp.abs(total - 1.0) < 0.5
    clipped = jnp.clip(weights / jnp.where(sound, total, 1.0), minimum, 1.0 - (n_tokens - 1) * minimum)
    bounded = jax.lax.stop_gradient(clipped)
    pinned = bounded <= minimum
    for _ in range(n_tokens - 3):
        bounded = _share_rest(bounded, pinned, minimum)
        pinned = bounded <= minimum
    return _share_rest(clipped, pinned, minimum)


_NEXT_TO_NOTHING = 1e-9  # relative to weights of about 1, in place of targets that are not positive


def within_bounds(weights: Array, lower: Array, upper: Array) -> Array:
    """Scales weights by one factor, clipped to bounds of each token, so that the sum is 1: ``clip(c·w, lower, upper)``.

    The sum increases with ``c`` and is linear between the points ``lower/w`` and ``upper/w`` of all tokens. Its values there
    determine which tokens end at a bound; the others share the rest.

    Args:
        weights: (n,) weights; one that is not positive counts as almost zero: it ends at its lower bound, unless the upper
            bounds of the others sum to too little.
        lower: (n,) positive lower bounds, with a sum of at most 1.
        upper: (n,) upper bounds, at least ``lower``, with a sum of at least 1.

    Returns:
        (n,) weights on the simplex, within their bounds.
    """
    weights = jnp.maximum(weights, _NEXT_TO_NOTHING)
    points = jax.lax.stop_gradient(jnp.concatenate([lower / weights, upper / weights]))
    sums = jnp.sum(jnp.clip(points[:, None] * weights, lower, upper), axis=-1)
    below = jnp.max(jnp.where(sums <= 1.0, points, 0.0))
    above = jnp.min(jnp.where(sums > 1.0, points, jnp.inf))
    factor = jnp.where(jnp.isfinite(above), 0.5 * (below + above), below)
    low, high = factor * weights <= lower, factor * weights >= upper
    return _share_rest(weights, low | high, jnp.where(low, lower, upper))


def _share_rest(weights: Array, pinned: Array, bounds: Array | float) -> Array:
    """Sets pinned tokens to their bounds and scales the others by one factor, so that the sum is 1.

    Args:
        weights: (n,) positive weights.
        pinned: (n,) tokens that end at a bound.
        bounds: (n,) that bound; one number for all.
    """
    rest = 1.0 - jnp.sum(jnp.where(pinned, bounds, 0.0))
    total = jnp.sum(jnp.where(pinned, 0.0, weights))  # zero, where all are pinned
    return jnp.where(pinned, bounds, weights * (rest / jnp.where(total > 0.0, total, 1.0)))


def token_bounds(params: Mapping[str, Array], steering: Steering) -> Bounds | None:
    """Returns the bounds of each token, fixed or from the parameters; None if the guardrail is the only bound.

    Parameters may contradict each other. Lower bounds with a sum above 1 are scaled down to a sum of 1. Upper bounds are raised
    to the lower ones; if their sum is still below 1, each moves towards 1 by the same share of its distance to 1.
    """
    if steering.bounds is None:
        return None
    lower, upper = (jnp.asarray(bound) for bound in steering.bounds)
    if common.minimum_weights.raw_name in steering.tuned_bounds:
        lower = sigmoid(params[common.minimum_weights.raw_name])
    if common.maximum_weights.raw_name in steering.tuned_bounds:
        upper = sigmoid(params[common.maximum_weights.raw_name])
    if steering.tuned_bounds:
        lower = lower / jnp.maximum(jnp.sum(lower), 1.0)
        upper = jnp.maximum(upper, lower)
        lack = jnp.maximum(1.0 - jnp.sum(upper), 0.0)
        room = jnp.sum(1.0 - upper)
        upper = upper + (1.0 - upper) * (lack / jnp.where(room > 0.0, room, 1.0))
    return Bounds(lower, upper)


def chunk_ramps(
    outputs: Array | None,
    initial: Array,
    n_chunks: int,
    steering: Steering,
    bounds: Bounds | None = None,
    persistence: Array | None = None,
) -> Ramps:
    """Computes the ramps of a window; each starts at the weights that the previous one reached.

    With a rule that outputs changes, the first chunk keeps the initial weights. Every later one moves towards ``w + output``
    within the guardrail or the tokens' bounds, in ``I`` equal steps. One factor scales down all steps if the largest would
    exceed ``maximum_change``. With a rule that outputs weights, the pool starts at the first output, and every chunk moves
    towards ``Λ w + (1-Λ) output``.

    Args:
        outputs: (M, n) rule outputs at the chunk boundaries of the window; None for a rule without outputs.
        initial: (n,) weights at the first bar, for a rule that does not set them; they have no gradient.
        n_chunks: number of chunks in the window, ``M``.
        steering: steering of the pool.
        bounds: bounds of each token; the guardrail by default.
        persistence: (n,) share ``Λ`` of the weights reached, for a rule that outputs weights; (M, n) if it changes from chunk
            to chunk; zero by default.
    """
    initial = jax.lax.stop_gradient(initial)
    if outputs is None:
        start = jnp.broadcast_to(initial, (n_chunks, *initial.shape))
        return Ramps(start, jnp.zeros_like(start))

    limits, form = jax.tree.flatten((bounds, persistence))
    varying = [each if each.ndim == 2 else None for each in limits]

    def limit(weights: Array, bounds: Bounds | None) -> Array:
        if bounds is None:
            return guardrail(weights, steering.minimum_weight)
        return within_bounds(weights, *bounds)

    @jax.checkpoint  # a decision costs less than storing what its adjoint reads
    def decide(weights: Array, chunk: tuple[Array, list[Array | None]]) -> tuple[Array, Ramps]:
        output, of_chunk = chunk
        bounds, persistence = jax.tree.unflatten(form, _now(limits, of_chunk))
        target = weights + output
        if steering.starts_at_target:
            target = output if persistence is None else persistence * weights + (1.0 - persistence) * output
        wanted = (_passing(limit(target, bounds), target, "weight_bounds", steering) - weights) / steering.ramp_bars
        step = _passing(_speed_limit(wanted, steering), wanted, "maximum_change", steering)
        return weights + steering.ramp_bars * step, Ramps(weights, step)

    upper = None if bounds is None else bounds.upper
    first, _ = jax.tree.unflatten(form, [each if each.ndim == 1 else each[0] for each in limits])
    if steering.starts_at_target:
        found: Ramps = jax.lax.scan(decide, limit(outputs[0], first), (outputs[:n_chunks], varying))[1]
        return found._replace(upper=upper)
    initial = initial if bounds is None else limit(initial, first)
    constant = all(each is None for each in varying)
    if steering.settings.scan_mode == "associative" and _has_clip_maps(steering) and constant:
        later = _two_token_ramps(outputs[1:n_chunks], initial, steering, bounds)
    else:
        later = jax.lax.scan(decide, initial, (outputs[1:n_chunks], jax.tree.map(lambda each: each[1:], varying)))[1]
    rest = jnp.zeros_like(initial)[None]
    return Ramps(jnp.concatenate([initial[None], later.start]), jnp.concatenate([rest, later.step]), upper)


def _now(constant: list[Array], varying: list[Array | None]) -> list[Array]:
    """Returns the values of one chunk: those that vary, and the others as they are."""
    return [each if now is None else now for each, now in zip(constant, varying, strict=True)]


def _passing(limited: Array, free: Array, limit: str, steering: Steering) -> Array:
    """Returns the limited value; for a straight-through limit, with the gradient of the free value (arXiv:1308.3432)."""
    if limit not in steering.straight_through:
        return limited
    # The other way round, free + (limited - free), a target far away would leave nothing of the limited value but rounding.
    return jax.lax.stop_gradient(limited) + (free - jax.lax.stop_gradient(free))


def _has_clip_maps(steering: Steering) -> bool:
    """Whether decisions are clip maps: two tokens, and changes that sum to zero, so that one weight determines the other."""
    sums_to_zero = steering.rule is not None and steering.rule.sums_to_zero
    return steering.n_tokens == 2 and not steering.straight_through and sums_to_zero


def _two_token_ramps(outputs: Array, initial: Array, steering: Steering, bounds: Bounds | None) -> Ramps:
    """Computes :func:`chunk_ramps` for changes of two tokens, as an associative scan; ``outputs`` is (M-1, 2)."""
    low, high = jnp.asarray(steering.minimum_weight), jnp.asarray(1.0 - steering.minimum_weight)
    if bounds is not None:
        low = jnp.maximum(bounds.lower[0], 1.0 - bounds.upper[1])
        high = jnp.minimum(bounds.upper[0], 1.0 - bounds.lower[1])
    limit = steering.ramp_bars * steering.maximum_change
    reached = run_maps(speed_limited(outputs[:, 0], initial[0], low, high, limit), initial[0])
    before = jnp.concatenate([initial[:1], reached[:-1]])
    step = (reached - before) / steering.ramp_bars
    return Ramps(jnp.stack([before, 1.0 - before], axis=-1), jnp.stack([step, -step], axis=-1))


def _speed_limit(step: Array, steering: Steering) -> Array:
    largest = jnp.max(jnp.abs(step))
    too_fast = largest > steering.maximum_change
    return step * jnp.where(too_fast, steering.maximum_change / jnp.where(too_fast, largest, 1.0), 1.0)
