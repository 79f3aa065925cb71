"""Minimum variance: weights in inverse proportion to the variance of returns, as for uncorrelated tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.estimators import capped_logit, return_variance
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import common
from quantsim.parameters.transforms import sigmoid
from quantsim.rules.base import Observed, Output, Rule, RuleSettings

__all__ = ["RULE", "min_variance_persistence", "min_variance_weights"]

_NO_VARIANCE = 1e-30  # stands for a variance of 0: the price never moved


def min_variance_weights(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``(1/σ²_i) / Σ_j (1/σ²_j)``, with ``σ²`` the exponentially weighted variance of returns; equal before the first one.

    Args:
        params: ``logit_lamb``, (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weights, rows summing to one.
    """
    logit = capped_logit(params["logit_lamb"], settings.max_memory_days, settings.chunk_minutes)
    variance = jnp.maximum(return_variance(observed.prices, logit, settings.scan_mode), _NO_VARIANCE)
    share = jnp.min(variance, axis=-1, keepdims=True) / variance
    return share / jnp.sum(share, axis=-1, keepdims=True)


def min_variance_persistence(params: Mapping[str, Array], settings: RuleSettings) -> Array:
    """``Λ``, (n,): the decay of the second memory."""
    shifted = params["logit_lamb"] + params["logit_delta_lamb"]
    persistence: Array = sigmoid(capped_logit(shifted, settings.max_memory_days, settings.chunk_minutes))
    return persistence


RULE = Rule(
    name="min_variance",
    description="weights in inverse proportion to the variance of returns",
    parameters=(
        replace(common.memory_days, description="effective memory of the variance"),
        replace(
            common.alt_memory_days,
            human_name="weight_memory_days",
            description="effective memory of the weights, which move towards their targets",
            setting=None,
        ),
    ),
    output=Output.WEIGHTS,
    outputs=min_variance_weights,
    persistence=min_variance_persistence,
    ignores=("log_k",),
)
