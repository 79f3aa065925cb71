"""Builds the optimiser of the gradient driver from the settings of a study."""

from __future__ import annotations

from typing import Any, cast

import jax.numpy as jnp
import optax
from jax import Array

from quantsim.config.driver_sections import Sgd

__all__ = ["learning_rate", "optimiser", "schedule"]

_RULE, _PLATEAU = "rule", "plateau"


def schedule(settings: Sgd) -> optax.ParameterSchedule:
    """Returns the learning rate by number of updates, without plateaus. Decays end at ``final_fraction`` after ``steps``."""
    rate, end = settings.learning_rate, settings.final_fraction
    match settings.schedule:
        case "cosine":
            return optax.cosine_decay_schedule(rate, settings.steps, alpha=end)
        case "warmup_cosine":
            return optax.warmup_cosine_decay_schedule(
                init_value=0.0 if settings.warmup_steps else rate,
                peak_value=rate,
                warmup_steps=settings.warmup_steps,
                decay_steps=settings.steps,
                end_value=end * rate,
            )
        case "exponential":
            return optax.exponential_decay(rate, settings.steps, end)
        case _:
            return optax.constant_schedule(rate)


def optimiser(settings: Sgd) -> optax.GradientTransformationExtraArgs:
    """Returns the update rule for one parameter set. It minimises, so ascent uses negated gradients.

    Its ``update`` takes ``value``, the loss, for the plateau. L-BFGS also needs ``grad`` and ``value_fn`` for its line search.
    """
    if settings.optimiser == "lbfgs":
        return optax.named_chain((_RULE, optax.lbfgs()))
    rates = schedule(settings)
    rules = {
        "adam": lambda: optax.adam(rates),
        "adamw": lambda: optax.adamw(rates, weight_decay=settings.weight_decay),
        "sgd": lambda: optax.sgd(rates, momentum=settings.momentum or None),
        "lion": lambda: optax.lion(rates, weight_decay=settings.weight_decay),
    }
    parts = [(_RULE, rules[settings.optimiser]())]
    if settings.clip_norm is not None:
        parts.insert(0, ("clip", optax.clip_by_global_norm(settings.clip_norm)))
    if settings.schedule == "plateau":
        # The tolerance is absolute: for a negative objective, a relative one would accept a deterioration.
        plateau = optax.contrib.reduce_on_plateau(
            factor=settings.plateau_factor,
            patience=settings.plateau_patience,
            rtol=0.0,
            atol=settings.plateau_tolerance,
            accumulation_size=settings.plateau_steps,
            min_scale=settings.final_fraction,
        )
        parts.append((_PLATEAU, plateau))
    return optax.named_chain(*parts)


def learning_rate(settings: Sgd, before: Any, after: Any) -> Array:
    """Returns the learning rate of an update, (S,).

    The schedule of a set counts its accepted updates, and starts again when the set restarts.

    Args:
        settings: settings of the gradient driver.
        before: state of the optimiser before the update, leading axis ``S``.
        after: state of the optimiser after the update.
    """
    if settings.optimiser == "lbfgs":
        return cast(Array, optax.tree.get(after, "learning_rate"))  # of the line search
    count = before[_RULE][-1].count  # of the schedule, which is last in every rule
    scale = after[_PLATEAU].scale if settings.schedule == "plateau" else jnp.ones(count.shape)
    return jnp.asarray(schedule(settings)(count) * scale)
