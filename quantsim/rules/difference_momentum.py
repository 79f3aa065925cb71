"""Difference momentum: weight flows to the tokens whose short average has risen furthest above their long one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quantsim.estimators import capped_logit, moving_average
from quantsim.lazy_jax import Array
from quantsim.parameters import common
from quantsim.rules.base import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import aggressiveness

__all__ = ["RULE", "difference_momentum_outputs"]


def difference_momentum_outputs(params: Mapping[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """``centre(1 - e2/e1)``, where ``e1`` and ``e2`` are moving averages with the two memories; ``k`` uses the first memory.

    Args:
        params: ``logit_lamb``, ``logit_delta_lamb``, ``log_k``; each (n,).
        observed: prices at the chunk boundaries, (K, n).
        settings: settings of the experiment.

    Returns:
        (K, n) weight changes, rows summing to zero.
    """
    limits = (settings.max_memory_days, settings.chunk_minutes)
    logits = params["logit_lamb"], params["logit_lamb"] + params["logit_delta_lamb"]
    first, second = (
        moving_average(observed.prices, capped_logit(logit, *limits), settings.scan_mode) for logit in logits
    )
    return centre(1.0 - second / first, aggressiveness(params, settings))


RULE = Rule(
    name="difference_momentum",
    description="weight flows to the tokens whose short moving average is above the long one",
    parameters=(
        replace(common.memory_days, description="effective memory of the first moving average"),
        replace(
            common.alt_memory_days,
            description="effective memory of the second moving average, longer for momentum",
            default=30.0,
            setting=None,
        ),
        common.k_per_day,
    ),
    output=Output.CHANGE,
    outputs=difference_momentum_outputs,
    sums_to_zero=True,
)
