"""Returns over value at risk: the block raroc and rovar, kept for comparability, and the sound annual raroc.

The block forms are those of quantammsim. They divide an annual return by ``var·sqrt(y/d)``, where ``var`` is the 5 % value at
risk of blocks of ``d`` days and ``y = 365/D``. This divisor shrinks with the length ``D`` of the sample in days, so the
metrics grow with it: compare them only between samples of equal length. They are also plain quotients, which are negative if
both the return and the value at risk are gains. The annual forms have neither problem.

The gradient of the value at risk depends only on the few returns next to the percentile.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from quantsim.lazy_jax import Array
from quantsim.metrics.returns import annualised_returns
from quantsim.metrics.sample import DAYS_PER_YEAR, RATIO_BOUND, Least, Metric, Need, Sample, SampleShape
from quantsim.metrics.series import annualised, blocks, namespace, percentile, period_return, ratio, simple_returns
from quantsim.metrics.value_at_risk import between_blocks, inside_blocks, value_at_risk, value_at_risk_trad

__all__ = ["METRICS", "annual_raroc", "annual_raroc_trad", "raroc", "rovar"]

RISK_PERCENT = 5.0  # every metric here uses the 95 % value at risk

RAROC_BOUND, ROVAR_BOUND = 4_000.0, 2_000_000.0  # twenty times the largest value in the reference vectors

ValueAtRisk = Callable[..., Array]


def raroc(sample: Sample, shape: SampleShape, *, block_days: int) -> Array:
    """``-((V[-1]/V[0])^y - 1) / (var·sqrt(y/d))``; at ``var = 0``: 0 if the return is 0, else ± infinity with its sign.

    Undefined if the value at risk is undefined.
    """
    return ratio(period_return(sample, shape), _block_risk(sample, shape, block_days, value_at_risk))


def rovar(sample: Sample, shape: SampleShape, *, block_days: int, var: ValueAtRisk) -> Array:
    """Minus the mean over blocks of ``(last/first)^(365/d) - 1``, over ``var·sqrt(y/d)``.

    ``var`` is ``value_at_risk`` or ``value_at_risk_trad``. At ``var = 0``: 0 if the mean is 0, else ± infinity with its sign.
    Undefined without a complete block, or if ``var`` is undefined.
    """
    values = blocks(sample.bars, shape, block_days)
    block_returns = annualised(values[..., -1] / values[..., 0], DAYS_PER_YEAR / block_days)
    return ratio(block_returns.mean(axis=-1), _block_risk(sample, shape, block_days, var))


def annual_raroc(sample: Sample, shape: SampleShape) -> Array:
    """``annualised_returns / (-var·sqrt(365·B))``, with ``var`` the 5th percentile of all per-bar returns.

    If ``var >= 0`` there is no risk: 0 if the return is 0, else ± infinity with its sign. Undefined for a single bar.
    """
    return _annual_raroc(sample, shape, sample.bars, shape.bars_per_year)


def annual_raroc_trad(sample: Sample, shape: SampleShape) -> Array:
    """``annualised_returns / (-var·sqrt(365))``, with ``var`` the 5th percentile of the daily returns.

    If ``var >= 0`` there is no risk: 0 if the return is 0, else ± infinity with its sign. Undefined for a single day.
    """
    return _annual_raroc(sample, shape, sample.daily_values, DAYS_PER_YEAR)


def _block_risk(sample: Sample, shape: SampleShape, block_days: int, var: ValueAtRisk) -> Array:
    """``-var·sqrt(y/d)``."""
    scale = math.sqrt(shape.samples_per_year / block_days)
    return -var(sample, shape, block_days=block_days, percent=RISK_PERCENT) * scale


def _annual_raroc(sample: Sample, shape: SampleShape, values: Array, periods_per_year: float) -> Array:
    var = percentile(simple_returns(values), RISK_PERCENT)
    return ratio(annualised_returns(sample, shape), namespace(var).maximum(-var, 0.0) * math.sqrt(periods_per_year))


def _raroc_entry(label: str, block_days: int) -> Metric:
    return Metric(
        f"{label}_raroc",
        functools.partial(raroc, block_days=block_days),
        Need.ENDS | Need.BARS,
        True,
        "ratio, grows with the sample",
        f"Annual return over the value at risk of {block_days}-day blocks; compare only samples of equal length.",
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
        "compare only samples of equal length.",
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
