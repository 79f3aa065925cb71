"""The optimiser of the gradient driver, from the study's settings."""

from __future__ import annotations

import optax

from quantsim.config.sections import Sgd

__all__ = ["learning_rate", "optimiser"]


def learning_rate(settings: Sgd) -> optax.Schedule:
    """Learning rate by step: constant, or a linear warm-up to it and a cosine decay to zero at the last step."""
    if settings.schedule == "constant":
        return optax.constant_schedule(settings.learning_rate)
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0 if settings.warmup_steps else settings.learning_rate,
        peak_value=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        decay_steps=settings.steps,
    )


def optimiser(settings: Sgd) -> optax.GradientTransformation:
    """The update rule for one parameter set; descends, so ascent feeds it negated gradients."""
    schedule = learning_rate(settings)
    rules = {
        "adam": lambda: optax.adam(schedule),
        "adamw": lambda: optax.adamw(schedule, weight_decay=settings.weight_decay),
        "sgd": lambda: optax.sgd(schedule),
    }
    rule = rules[settings.optimiser]()
    if settings.clip_norm is None:
        return rule
    return optax.chain(optax.clip_by_global_norm(settings.clip_norm), rule)
