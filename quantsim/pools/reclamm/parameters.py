"""The parameters of a reCLAMM pool, and what they are in the contract's terms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.lazy_jax import Array, jax, jnp
from quantsim.parameters import ParameterSpec
from quantsim.parameters.spec import Transform, finite_log2
from quantsim.parameters.transforms import logit, sigmoid

__all__ = [
    "SECONDS_PER_SHIFT",
    "centeredness_margin",
    "check_one_shift",
    "daily_price_shift_base",
    "log_shift",
    "margin",
    "price_ratio",
    "range_width",
    "shift_exponent",
]


SECONDS_PER_SHIFT = 124649.0
"""A shift exponent of 1 moves a price by the factor 2 in a day: ``1 - 1/124649 ≈ 2^(-1/86401)``, as in the contract."""

_LARGEST_LOGIT = 800.0  # a share of exactly 1 or 0, and finite, so that it can be stored


def _finite_logit(share: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(logit(share), -_LARGEST_LOGIT, _LARGEST_LOGIT))


ABOVE_ONE = Transform(
    to_raw=lambda value, _, __: np.log2(value - 1.0),
    to_human=lambda raw, _, __: 1.0 + np.exp2(raw),
    domain="a number above 1",
    admits=lambda value: np.isfinite(value) & (value > 1.0),
)
"""A number above 1 ↔ the binary logarithm of what it exceeds 1 by."""

CLOSED_SHARE = Transform(
    to_raw=lambda value, _, __: _finite_logit(value),
    to_human=lambda raw, _, __: sigmoid(raw),
    domain="from 0 to 1",
    admits=lambda value: (value >= 0.0) & (value <= 1.0),
)
"""A share, 0 and 1 included ↔ its logit."""

EXPONENT = Transform(
    to_raw=lambda value, _, __: finite_log2(value),
    to_human=lambda raw, _, __: np.exp2(raw),
    domain="at least 0 and below 124649",
    admits=lambda value: (value >= 0.0) & (value < SECONDS_PER_SHIFT),
)
"""A shift exponent, 0 included ↔ its binary logarithm."""

SHIFT_BASE = Transform(
    to_raw=lambda value, _, __: finite_log2((1.0 - value) * SECONDS_PER_SHIFT),
    to_human=lambda raw, _, __: 1.0 - np.exp2(raw) / SECONDS_PER_SHIFT,
    domain="above 0 and at most 1",
    admits=lambda value: (value > 0.0) & (value <= 1.0),
)
"""The factor of a virtual balance per second ↔ the binary logarithm of the shift exponent."""

price_ratio = ParameterSpec(
    raw_name="log_price_ratio_excess",
    human_name="price_ratio",
    unit="",
    description="highest over lowest price of the range that the pool starts with",
    transform=ABOVE_ONE,
    default=1.5,
    low=1.05,
    high=8.0,
    log=True,
)

centeredness_margin = ParameterSpec(
    raw_name="logit_centeredness_margin",
    human_name="centeredness_margin",
    unit="",
    description="centeredness below which the range moves",
    transform=CLOSED_SHARE,
    default=0.2,
    low=0.02,
    high=0.9,
)

shift_exponent = ParameterSpec(
    raw_name="log_shift_exponent",
    human_name="shift_exponent",
    unit="doublings per day",
    description="speed of the range: an exponent of 1 moves it by about the factor 2 in a day",
    transform=EXPONENT,
    default=0.5,
    low=0.02,
    high=1.0,
    log=True,
)

daily_price_shift_base = ParameterSpec(
    raw_name="log_price_shift",
    human_name="daily_price_shift_base",
    unit="per second",
    description="the same as a factor per second, 1 - shift_exponent/124649",
    transform=SHIFT_BASE,
    default=1.0 - 0.5 / SECONDS_PER_SHIFT,
    low=1.0 - 1.0 / SECONDS_PER_SHIFT,
    high=1.0 - 0.02 / SECONDS_PER_SHIFT,
    opt_in=True,
)


def check_one_shift(human: Mapping[str, FloatArray]) -> None:
    """Raises ValueError if the exponent and the base are both set and contradict each other."""
    exponent, base = (float(human[spec.human_name][0]) for spec in (shift_exponent, daily_price_shift_base))
    found = (1.0 - base) * SECONDS_PER_SHIFT
    if abs(found - exponent) > 1e-6 * max(exponent, found):
        raise ValueError(
            f"parameters.daily_price_shift_base = {base!r} is a shift_exponent of {found:.9g}, not of {exponent:.9g}: give one "
            "of them"
        )


def range_width(params: Mapping[str, Array]) -> Array:
    """Returns ``Q^(1/4) - 1`` for the price ratio ``Q``, (): what a real balance is of its virtual one at the centre."""
    return jnp.expm1(0.25 * jnp.log1p(jnp.exp2(params[price_ratio.raw_name][0])))


def margin(params: Mapping[str, Array]) -> Array:
    """Returns the centeredness margin, ()."""
    found: Array = jax.nn.sigmoid(params[centeredness_margin.raw_name][0])
    return found


def log_shift(params: Mapping[str, Array]) -> Array:
    """Returns the logarithm of the factor of a virtual balance per second, ()."""
    base, exponent = daily_price_shift_base.raw_name, shift_exponent.raw_name
    raw = params[base if base in params else exponent][0]
    return jnp.log1p(-jnp.exp2(raw) / SECONDS_PER_SHIFT)
