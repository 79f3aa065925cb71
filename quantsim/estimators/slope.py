"""The price slope ``1/p · dp/dt``, estimated with an exponentially weighted regression."""

from __future__ import annotations

from quantsim.estimators.recurrence import linear_recurrence
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters.transforms import sigmoid
from quantsim.scan_mode import ScanMode

__all__ = ["proportional_slope"]


def proportional_slope(
    prices: Array, logit_lamb: Array, divisor_logit_lamb: Array | None = None, mode: ScanMode = "sequential"
) -> Array:
    """Exponentially weighted estimate of the proportional price slope, per chunk.

    With ``e ← e + (1-λ)(x - e)`` and ``a ← λ a + (x - e)/(1-λ)`` (with the new ``e``) the slope is ``a (1-λ)³ / (λ e)``,
    starting from ``e = x[0]``, ``a = 0``. As ``x - e_new = λ (x - e_old)``, the sum ``b = a (1-λ) / λ`` obeys
    ``b ← λ b + (x - e_old)`` and the slope is ``b (1-λ)² / e``. This form does not divide by ``λ``, so ``λ = 0`` is valid.
    Prices are relative to the first one, so the averages start at zero and lose no digits.

    Args:
        prices: (K, n) chunk-boundary prices, positive; entry ``j`` of the result uses entries up to ``j`` only.
        logit_lamb: (n,) logit of the decay.
        divisor_logit_lamb: (n,) logit of the decay of a second average that replaces ``e`` as the divisor.
        mode: scan mode of the recursions; ``settings.scan_mode`` in a rule.

    Returns:
        (K, n) slope per chunk; zero at the first boundary.
    """
    relative = (prices - prices[0]) / prices[0]  # in this form, constant prices give exactly 0
    rest = jnp.zeros_like(relative[0])
    lamb, mu = sigmoid(logit_lamb), sigmoid(-logit_lamb)
    average = linear_recurrence(lamb, mu * relative, rest, mode)
    before = jnp.concatenate([rest[None], average[:-1]])
    trend = linear_recurrence(lamb, relative - before, rest, mode)
    if divisor_logit_lamb is not None:
        average = linear_recurrence(sigmoid(divisor_logit_lamb), sigmoid(-divisor_logit_lamb) * relative, rest, mode)
    slope: Array = trend * (mu * mu) / (1.0 + average)
    return slope
