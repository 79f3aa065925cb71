"""The parameters of an E-CLP: the range of prices, and the rotation and stretch of the ellipse."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters import ParameterSpec
from quantsim.parameters.spec import LOG2, RawValues, Transform, finite_log2

__all__ = ["alpha", "beta", "check_one_rotation", "lam", "phi", "price_range", "rotation", "stretch", "tan_phi"]


def _above_alpha(value: FloatArray, raw: RawValues, _: float) -> FloatArray:
    low = np.exp2(raw["log_alpha"])
    if not (value > low).all():
        raise ValueError(f"the range of prices is empty: it must be above alpha = {float(low[0]):.12g}")
    return np.asarray(np.log2((value - low) / low))


BETA = Transform(
    to_raw=_above_alpha,
    to_human=lambda excess, raw, _: np.exp2(raw["log_alpha"]) * (1.0 + np.exp2(excess)),
    domain="a positive number",
    admits=LOG2.admits,
)
"""A number above ``α`` ↔ the binary logarithm of ``β/α - 1``."""

ANGLE = Transform(
    to_raw=lambda value, _, __: finite_log2(np.tan(value)),
    to_human=lambda raw, _, __: np.arctan(np.exp2(raw)),
    domain="from 0 to π/2 radians",
    admits=lambda value: (value >= 0.0) & (value <= 0.5 * np.pi),
)
"""An angle of the first quadrant ↔ the binary logarithm of its tangent."""

TANGENT = Transform(
    to_raw=lambda value, _, __: finite_log2(value),
    to_human=lambda raw, _, __: np.exp2(raw),
    domain="a number of at least 0",
    admits=lambda value: np.isfinite(value) & (value >= 0.0),
)
"""A tangent ↔ its binary logarithm."""

STRETCH = Transform(
    to_raw=lambda value, _, __: finite_log2(value - 1.0),
    to_human=lambda raw, _, __: 1.0 + np.exp2(raw),
    domain="a number of at least 1",
    admits=lambda value: np.isfinite(value) & (value >= 1.0),
)
"""A number of at least 1 ↔ the binary logarithm of what it exceeds 1 by."""

alpha = ParameterSpec(
    raw_name="log_alpha",
    human_name="alpha",
    unit="second token per first",
    description="lowest price of the range, of the first token in the second",
    transform=LOG2,
    default=0.2,
    low=0.05,
    high=0.25,
    log=True,
)

beta = ParameterSpec(
    raw_name="log_beta_excess",
    human_name="beta",
    unit="second token per first",
    description="highest price of the range, of the first token in the second",
    transform=BETA,
    default=5.0,
    low=0.6,
    high=20.0,
    log=True,
)

phi = ParameterSpec(
    raw_name="log_tangent",
    human_name="phi",
    unit="radians",
    description="rotation of the ellipse; its liquidity is largest where the price is the tangent",
    transform=ANGLE,
    default=0.25 * np.pi,
    low=0.02,
    high=1.55,
)

tan_phi = ParameterSpec(
    raw_name="log_tan_phi",
    human_name="tan_phi",
    unit="second token per first",
    description="the same as a tangent: the price at which liquidity is largest",
    transform=TANGENT,
    default=1.0,
    low=1e-3,
    high=1e3,
    log=True,
    opt_in=True,
)

lam = ParameterSpec(
    raw_name="log_lam_excess",
    human_name="lam",
    unit="",
    description="stretch of the ellipse: 1 for a circle, large to concentrate liquidity around one price",
    transform=STRETCH,
    default=2.0,
    low=1.0,
    high=1000.0,
    log=True,
)


def check_one_rotation(human: Mapping[str, FloatArray]) -> None:
    """Raises ValueError if the angle and its tangent are both set and contradict each other."""
    angle, tangent = (float(human[spec.human_name][0]) for spec in (phi, tan_phi))
    if abs(np.arctan(tangent) - angle) > 1e-9 * angle:
        raise ValueError(
            f"parameters.tan_phi = {tangent!r} is phi = {np.arctan(tangent):.12g}, not {angle:.12g}: give one of them"
        )


def price_range(params: Mapping[str, Array]) -> tuple[Array, Array]:
    """Returns the ends of the range, ``α`` and ``β``, () each."""
    low = jnp.exp2(params[alpha.raw_name][0])
    return low, low * (1.0 + jnp.exp2(params[beta.raw_name][0]))


def rotation(params: Mapping[str, Array]) -> tuple[Array, Array]:
    """Returns cosine and sine of the rotation, () each."""
    tangent = jnp.exp2(params[tan_phi.raw_name if tan_phi.raw_name in params else phi.raw_name][0])
    cosine = 1.0 / jnp.sqrt(1.0 + tangent * tangent)
    return cosine, tangent * cosine


def stretch(params: Mapping[str, Array]) -> Array:
    """Returns the stretch ``λ``, ()."""
    return 1.0 + jnp.exp2(params[lam.raw_name][0])
