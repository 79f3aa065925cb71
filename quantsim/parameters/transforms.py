"""Closed-form maps between human-readable and raw values.

Every function works on NumPy and on JAX arrays: it uses the namespace of the array. So the host and the compiled simulator
share one formula. All are elementwise, and in a form that neither overflows nor cancels.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "inverse_squareplus",
    "logit",
    "logit_from_memory_days",
    "memory_days_from_logit",
    "sigmoid",
    "squareplus",
]

MINUTES_PER_DAY = 1440.0


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))`` without overflow, with full relative precision in both tails."""
    xp = x.__array_namespace__()
    tail = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0, tail) / (1.0 + tail)


def logit(probability: Any) -> Any:
    """``log(p / (1 - p))``, the inverse of :func:`sigmoid`; minus (plus) infinity at 0 (1)."""
    xp = probability.__array_namespace__()
    return xp.log(probability) - xp.log1p(-probability)


def squareplus(x: Any) -> Any:
    """``(x + sqrt(x² + 4)) / 2``, a smooth positive map (Barron 2021, arXiv:2112.11687).

    Below zero this form subtracts two nearly equal numbers. The conjugate ``2 / (sqrt(x² + 4) - x)`` is used there. It keeps
    full relative precision for small results.
    """
    xp = x.__array_namespace__()
    magnitude = xp.abs(x)
    large = 0.5 * (magnitude + xp.sqrt(magnitude * magnitude + 4.0))
    return xp.where(x >= 0, large, 1.0 / large)


def inverse_squareplus(y: Any) -> Any:
    """``(y² - 1) / y`` for ``y > 0``, the inverse of :func:`squareplus`."""
    return (y - 1.0) * (y + 1.0) / y


def memory_days_from_logit(logit_lamb: Any, chunk_minutes: float) -> Any:
    """Returns the effective memory, in days, of an EWMA whose decay is ``λ = sigmoid(logit_lamb)``.

    ``m = cbrt(6 λ / (1-λ)³) · 2 · chunk_minutes / 1440``, computed as ``cbrt(6 exp(logit) / (1-λ)²)``. ``1-λ`` comes directly
    from the logit, so there is no cancellation when ``λ`` is close to one.

    Args:
        logit_lamb: any shape, dimensionless.
        chunk_minutes: length of a chunk, in minutes.

    Returns:
        Memory in days, same shape. ``-inf`` (``λ = 0``) gives 0.
    """
    xp = logit_lamb.__array_namespace__()
    mu = sigmoid(-logit_lamb)
    return xp.cbrt(6.0 * xp.exp(logit_lamb) / (mu * mu)) * (2.0 * chunk_minutes / MINUTES_PER_DAY)


def logit_from_memory_days(memory_days: Any, chunk_minutes: float) -> Any:
    """Inverts :func:`memory_days_from_logit`; returns the logit of the decay with that memory.

    With ``c = 1440 m / (2 chunk_minutes)`` the definition is the cubic ``μ³ + (6/c³) μ - 6/c³ = 0`` in ``μ = 1-λ``. Its only
    real root is ``2 sqrt(p/3) sinh(asinh(1.5 sqrt(3/p)) / 3)`` with ``p = 6/c³``. It is exact to rounding from minutes to
    years, where the usual inverse loses all digits. Then ``logit λ = 2 log μ + 3 log c - log 6``.

    Args:
        memory_days: any shape, in days, not negative.
        chunk_minutes: length of a chunk, in minutes.

    Returns:
        ``logit λ``, same shape; ``-inf`` for no memory.
    """
    xp = memory_days.__array_namespace__()
    positive = memory_days > 0
    chunks = xp.where(positive, memory_days, 1.0) * (MINUTES_PER_DAY / (2.0 * chunk_minutes))
    p = 6.0 / chunks**3
    mu = 2.0 * xp.sqrt(p / 3.0) * xp.sinh(xp.asinh(1.5 * xp.sqrt(3.0 / p)) / 3.0)
    return xp.where(positive, 2.0 * xp.log(mu) + 3.0 * xp.log(chunks) - math.log(6.0), -xp.inf)
