"""An exponentially weighted moving average of prices."""

from __future__ import annotations

from quantsim.estimators.recurrence import linear_recurrence
from quantsim.lazy_jax import Array, jnp
from quantsim.parameters.transforms import sigmoid
from quantsim.scan_mode import ScanMode

__all__ = ["moving_average"]


def moving_average(values: Array, logit_lamb: Array, mode: ScanMode = "sequential") -> Array:
    """``e ← e + (1-λ)(x - e)``, relative to the first value: ``e[0] = 1``.

    Args:
        values: (K, n), positive; entry ``j`` of the result uses entries up to ``j`` only.
        logit_lamb: (n,) logit of the decay.
        mode: scan mode of the recursion; ``settings.scan_mode`` in a rule.

    Returns:
        (K, n), in units of the first row.
    """
    relative = (values - values[0]) / values[0]  # in this form, constant values give exactly 1
    rest = jnp.zeros_like(relative[0])
    return 1.0 + linear_recurrence(sigmoid(logit_lamb), sigmoid(-logit_lamb) * relative, rest, mode)
