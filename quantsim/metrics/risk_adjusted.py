"""Returns over value at risk: the block raroc and rovar, kept for comparability, and the annual raroc, the sound one.

The block forms, as in quantammsim, set an annual return against ``var·sqrt(y/d)``, where ``var`` is the 5 % value at
risk of blocks of ``d`` days and ``y = 365/D``. That scale shrinks as the sample of ``D`` days gets longer, so they grow
with its length: compare them between samples of one length only. They are also plain quotients, and turn negative for a
gain whose value at risk is a gain too. The annual forms have neither fault.

Gradients reach the value at risk through the few returns beside the percentile, and the numerator in full.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from quantsim.metrics.returns import annualised_returns
from quantsim.metrics.sample import DAYS_PER_YEAR, RATIO_BOUND, Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import annualised, blocks, period_return, ratio, simple_returns
from quantsim.metrics.value_at_risk import between_blocks, inside_blocks, value_at_risk, value_at_risk_trad

__all__ = ["METRICS", "annual_raroc", "annual_raroc_trad", "raroc", "rovar"]

RISK_PERCENT = 5.0  # every metric here uses the 95 % value at risk

RAROC_BOUND, ROVAR_BOUND = 4_000.0, 2_000_000.0  # also twenty times the largest of the reference vectors

ValueAtRisk = Callable[..., Array]


def raroc(sample: Sample, shape: SampleShape, *, block_days: int) -> Array:
    """``-((V[-1]/V[0])^y - 1) / (var·sqrt(y/d))``; at ``var = 0``, 0 or ± infinity with the sign of the return.

    Undefined where the value at risk is.
    """
    return ratio(period_return(sample, shape), _block_risk(sample, shape, block_days, value_at_risk))


def rovar(sample: Sample, shape: SampleShape, *, block_days: int, var: ValueAtRisk) -> Array:
    """Minus the mean over blocks of ``(last/first)^(365/d) - 1``, over ``var·sqrt(y/d)``.

    At ``var = 0``, 0 or ± infinity with the sign of that mean; undefined without a complete block, or where ``var``, one of
    ``value_at_risk`` and ``value_at_risk_trad``, is undefined.
    """
    values = blocks(sample.bars, shape, block_days)
    block_returns = annualised(values[:, -1] / values[:, 0], DAYS_PER_YEAR / block_days)
    return ratio(jnp.mean(block_returns), _block_risk(sample, shape, block_days, var))


def annual_raroc(sample: Sample, shape: SampleShape) -> Array:
    """``annualised_returns / (-var·sqrt(365·B))``, ``var`` the 5th percentile of all per-bar returns.

    Where ``var >= 0`` nothing is at risk: 0 or ± infinity with the sign of the return. Undefined for a single bar.
    """
    return _annual_raroc(sample, shape, sample.bars, shape.bars_per_year)


def annual_raroc_trad(sample: Sample, shape: SampleShape) -> Array:
    """``annualised_returns / (-var·sqrt(365))``, ``var`` the 5th percentile of the daily returns.

    Where ``var >= 0`` nothing is at risk: 0 or ± infinity with the sign of the return. Undefined for a single day.
    """
    return _annual_raroc(sample, shape, sample.daily_values, DAYS_PER_YEAR)


def _block_risk(sample: Sample, shape: SampleShape, block_days: int, var: ValueAtRisk) -> Array:
    """``-var·sqrt(y/d)``."""
    scale = math.sqrt(shape.samples_per_year / block_days)
    return -var(sample, shape, block_days=block_days, percent=RISK_PERCENT) * scale


def _annual_raroc(sample: Sample, shape: SampleShape, values: Array, periods_per_year: float) -> Array:
    var = jnp.percentile(simple_returns(values), RISK_PERCENT)
    return ratio(annualised_returns(sample, shape), jnp.maximum(-var, 0.0) * math.sqrt(periods_per_year))


def _raroc_entry(label: str, block_days: int) -> Metric:
    return Metric(
        f"{label}_raroc",
        functools.partial(raroc, block_days=block_days),
        Need.ENDS | Need.BARS,
        True,
        "ratio, grows with the sample",
        f"Annual return over the value at risk of {block_days}-day blocks; compare samples of one length only.",
        f"-((V[-1]/V[0])^y - 1) / ({label}_var_95%·sqrt(y/{block_days}))",
        inside_blocks(block_days),
        RAROC_BOUND,
    )


def _rovar_entry(label: str, block_days: int, suffix: str, var: ValueAtRisk) -> Metric:
    return Metric(
        f"{label}_rovar{suffix}",
        functools.partial(rovar, block_days=block_days, var=var),
        Need.BARS,
        True,
        "ratio, grows with the sample",
        f"Annualised {block_days}-day return over value at risk{' between blocks' if suffix else ''}; "
        "compare samples of one length only.",
        f"-mean over {block_days}-day blocks of ((last/first)^(365/{block_days}) - 1), "
        f"over {label}_var_95%{suffix}·sqrt(y/{block_days})",
        between_blocks(block_days) if suffix else inside_blocks(block_days),
        ROVAR_BOUND,
    )


METRICS = (
    _raroc_entry("daily", 1),
    _raroc_entry("weekly", 7),
    _rovar_entry("daily", 1, "", value_at_risk),
    _rovar_entry("weekly", 7, "", value_at_risk),
    _rovar_entry("monthly", 30, "", value_at_risk),
    _rovar_entry("daily", 1, "_trad", value_at_risk_trad),
    _rovar_entry("weekly", 7, "_trad", value_at_risk_trad),
    _rovar_entry("monthly", 30, "_trad", value_at_risk_trad),
    Metric(
        "annual_raroc", annual_raroc, Need.ENDS | Need.BARS, True, "ratio, annualised",
        "Annual return over the annualised value at risk of a bar.",
        "annualised_returns / (-var·sqrt(365·B)), var the 5th percentile of per-bar returns",
        Least(bars=2), RATIO_BOUND,
    ),
    Metric(
        "annual_raroc_trad", annual_raroc_trad, Need.ENDS | Need.DAILY, True, "ratio, annualised",
        "Annual return over the annualised value at risk of a day.",
        "annualised_returns / (-var·sqrt(365)), var the 5th percentile of daily returns",
        Least(daily_values=2), RATIO_BOUND,
    ),
)  # fmt: skip
