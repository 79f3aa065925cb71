"""Channel following: against small slopes, with large ones."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.contract.estimators.vectors import per_token
from quantsim.contract.fixed_point import ONE, div, exp, int256, mul, power
from quantsim.contract.rules.base import (
    ContractRule,
    Rows,
    Update,
    add_centred,
    gradient_state,
    relative_gradient,
    uses_raw_price,
)
from quantsim.contract.rules.valid import not_positive, raw_price_problem, rows_problem, size_problem

__all__ = ["RULE", "channel_following_weights"]

_ROWS = ("kappa", "width", "amplitude", "exponents", "inverseScaling", "preExpScaling", "useRawPrice")
_PI = 3_141592653589793238


def channel_following_weights(update: Update) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the state and the weights of an update: ``_getWeights`` of ``ChannelFollowingUpdateRule``.

    With one ``κ``, the first value of each row applies to all tokens; with one for each, so do the rows.
    """
    kappa, n_tokens = update.parameters[0], len(update.weights)
    state, slope = relative_gradient(update, uses_raw_price(update.parameters, 6))
    rows = [row[:1] if len(kappa) == 1 else row for row in update.parameters[1:6]]
    of_tokens = zip(*(per_token(row, n_tokens, name) for row, name in zip(rows, _ROWS[1:6], strict=True)), strict=True)
    signals = [_signal(each, values) for each, values in zip(slope, of_tokens, strict=True)]
    return state, add_centred(update.weights, signals, kappa)


def _signal(slope: int, values: Sequence[int]) -> int:
    """``-(A/h)·E·(z - z³/6) + (1-E)·sign(s)·|s/(2S)|^β``, with ``E = exp(-s²/(2W²))`` and ``z = πs/(3W)``."""
    width, amplitude, exponent, inverse_scaling, pre_exp_scaling = values
    envelope = exp(-div(mul(slope, slope), mul(mul(width, width), 2 * ONE)))
    z = div(mul(_PI, slope), mul(width, 3 * ONE))
    wave = int256(z - div(mul(mul(z, z), z), 6 * ONE))
    channel = -div(mul(mul(amplitude, envelope), wave), inverse_scaling)
    trend = power(div(abs(slope), mul(pre_exp_scaling, 2 * ONE)), exponent)
    return int256(channel + mul(trend if slope >= 0 else -trend, ONE - envelope))


def _problem(parameters: Rows, n_tokens: int) -> str | None:
    found = rows_problem(parameters, _ROWS) or size_problem(parameters, _ROWS, n_tokens)
    if found is not None:
        return found
    for name, row in zip(_ROWS[:6], parameters[:6], strict=True):
        if len(row) != len(parameters[0]):
            return f"{name} has {len(row)} values and kappa {len(parameters[0])}: all rows are one for all or one per token"
        found = found or not_positive(name, row)
    return found or raw_price_problem(parameters, 6)


RULE = ContractRule(
    name="ChannelFollowing",
    contract="ChannelFollowingUpdateRule",
    rows=_ROWS,
    weights=channel_following_weights,
    observe=gradient_state,
    problem=_problem,
)
