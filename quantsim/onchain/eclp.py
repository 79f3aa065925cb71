"""What an E-CLP's contract is created with: its parameters, and what is derived of them with 38 decimals.

The contract is Balancer's port of Gyroscope's, ``GyroECLPPool``. Its parameters are integers with 18 decimals. What is derived
of them is computed beforehand, with 38 decimals, from the rounded parameters: the contract corrects for the rounding of the
rotation, as ``c² + s² = dSq`` is not exactly 1. With ``χ`` and ``A`` of docs/mathematics.md,

    (A χ)_x = w/λ + z,    (A χ)_y = λ u + v.

Sources: ``IGyroECLPPool.sol`` and ``GyroECLPMath.sol`` of Balancer v3; Gyroscope, "E-CLP high-precision calculations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from quantsim.config import Experiment
from quantsim.contract.fixed_point import ONE, quotient
from quantsim.onchain.documents import factory_json, problems_json
from quantsim.onchain.settings import Problem, contract_swap_fee
from quantsim.parameters.onchain import fixed_point
from quantsim.parameters.parameter import scoped
from quantsim.pools.eclp import parameters as own

__all__ = ["EclpContract", "eclp_contract", "eclp_document", "eclp_problems"]

Pair = tuple[int, int]

ONE_XP = 10**38
_DIGITS = 120  # of intermediate results: those of the smallest difference of two τ, times λ, and more
_NORM, _NORM_XP = 10**3, 10**23  # how far norms may be from 1
_LARGEST_STRETCH = 10**26
_LARGEST_DENOMINATOR_XP = 10**43
_LEAST_FEE, _LARGEST_FEE = 10**12, ONE - 10**11


@dataclass(frozen=True)
class EclpContract:
    """The integers that create an E-CLP, under the contract's names: 18 decimals, and 38 from ``tau_alpha`` on."""

    alpha: int
    beta: int
    c: int
    s: int
    lam: int
    tau_alpha: Pair
    tau_beta: Pair
    u: int
    v: int
    w: int
    z: int
    d_sq: int

    def to_json(self) -> dict[str, Any]:
        """Returns ``eclpParams`` and ``derivedEclpParams``, in the contract's order; integers as text."""
        parameters = {"alpha": self.alpha, "beta": self.beta, "c": self.c, "s": self.s, "lambda": self.lam}
        points = {"tauAlpha": self.tau_alpha, "tauBeta": self.tau_beta}
        derived = {"u": self.u, "v": self.v, "w": self.w, "z": self.z, "dSq": self.d_sq}
        return {
            "eclpParams": {name: str(value) for name, value in parameters.items()},
            "derivedEclpParams": {
                **{name: {"x": str(x), "y": str(y)} for name, (x, y) in points.items()},
                **{name: str(value) for name, value in derived.items()},
            },
        }


def eclp_contract(alpha: int, beta: int, c: int, s: int, lam: int) -> EclpContract:
    """Returns the contract's integers from its parameters, with 18 decimals.

    Derived ones are truncated, as those of deployed pools are. ``τ`` has one factor ``(c, s)`` that is not of norm 1, and
    ``u, v, w, z`` have three.

    Example:
        >>> eclp_contract(ONE * 9 // 10, ONE * 11 // 10, 8 * ONE // 10, 6 * ONE // 10, 5 * ONE).d_sq == ONE_XP
        True
    """
    with localcontext() as context:
        context.prec = _DIGITS
        cosine, sine, stretch = (Decimal(value) / ONE for value in (c, s, lam))
        square = cosine * cosine + sine * sine

        def tau(price: int) -> tuple[Decimal, Decimal]:
            p = Decimal(price) / ONE
            x, y = p * cosine - sine, (cosine + sine * p) / stretch
            norm = ((x * x + y * y) / square).sqrt()
            return x / norm, y / norm

        low, high = tau(alpha), tau(beta)
        u = sine * cosine * (high[0] - low[0])
        v = sine * sine * high[1] + cosine * cosine * low[1]
        w = sine * cosine * (high[1] - low[1])
        z = cosine * cosine * high[0] + sine * sine * low[0]
        tau_alpha, tau_beta = ((_truncated(x), _truncated(y)) for x, y in (low, high))
        return EclpContract(alpha, beta, c, s, lam, tau_alpha, tau_beta, *map(_truncated, (u, v, w, z, square)))


def _truncated(value: Decimal) -> int:
    return int(value * ONE_XP)


def eclp_problems(contract: EclpContract) -> Iterator[Problem]:
    """Yields what the contract's constructor refuses: its own checks, in its own integers, and what it assumes."""
    checks = {
        f"alpha = {contract.alpha / ONE:.12g} is 0 with 18 decimals": contract.alpha > 0,
        f"alpha = {contract.alpha / ONE:.18g} and beta = {contract.beta / ONE:.18g} are not apart with 18 decimals": (
            contract.alpha < contract.beta
        ),
        f"lam = {contract.lam / ONE:.12g} must be from 1 to 1e8": ONE <= contract.lam <= _LARGEST_STRETCH,
        "the rotation is not of norm 1": abs(_norm((contract.c, contract.s), ONE) - ONE) <= _NORM,
        "τ(α) is not of norm 1, or beyond a right angle": _is_direction(contract.tau_alpha),
        "τ(β) is not of norm 1, or beyond a right angle": _is_direction(contract.tau_beta),
        "τ(α) and τ(β) are not apart with 38 decimals": contract.tau_alpha[0] < contract.tau_beta[0],
        "u, v, w or z is above 1": max(contract.u, contract.v, contract.w, contract.z) <= ONE_XP,
        "dSq is not 1": abs(contract.d_sq - ONE_XP) <= _NORM_XP,
    }
    refused = [text for text, kept in checks.items() if not kept]
    if not refused and not 0 < _denominator(contract) <= _LARGEST_DENOMINATOR_XP:
        refused = ["1/(|A χ|² - 1) is above 1e5: the range is too narrow for lam"]
    for text in refused:
        yield Problem(f"the contract refuses this ellipse: {text}")


def _norm(pair: Pair, one: int) -> int:
    return quotient(pair[0] * pair[0], one) + quotient(pair[1] * pair[1], one)


def _is_direction(tau: Pair) -> bool:
    return tau[1] > 0 and abs(_norm(tau, ONE_XP) - ONE_XP) <= _NORM_XP


def _denominator(contract: EclpContract) -> int:
    """Returns ``1/(|A χ|² - 1)`` with 38 decimals, 0 if it is not positive; exact but for its own rounding."""
    with localcontext() as context:
        context.prec = _DIGITS
        u, v, w, z, d_sq = (Decimal(getattr(contract, name)) / ONE_XP for name in ("u", "v", "w", "z", "d_sq"))
        stretch = Decimal(contract.lam) / ONE
        excess = ((stretch * u + v) ** 2 + (w / stretch + z) ** 2) / d_sq**3 - 1
        return int(ONE_XP / excess) if excess > 0 else 0


def eclp_document(experiment: Experiment, params: Mapping[str, Any] | None = None, group: str = "") -> dict[str, Any]:
    """Returns what to create an E-CLP's contract with, as :func:`quantsim.onchain.contract_document`.

    ``creation`` has the arguments of ``create`` of ``GyroECLPPoolFactory``, in its order, for the tokens in the study's order.
    Vaults register tokens in the order of their addresses: ``creation_reversed`` is for the opposite one, with inverted prices.
    """
    raw = scoped(experiment.initial_parameters(params), group)
    view = next(view for view in experiment.pools if view.group == group)
    arrays = {name: np.asarray(values, np.float64) for name, values in raw.items()}
    tangent = arrays[own.tan_phi.raw_name if own.tan_phi.raw_name in arrays else own.phi.raw_name]
    alpha, beta, lam = (
        float(spec.transform.to_human(arrays[spec.raw_name], arrays, view.update.chunk_minutes)[0])
        for spec in (own.alpha, own.beta, own.lam)
    )
    contracts = [
        eclp_contract(*prices, *turned, int(fixed_point(lam)))
        for prices, turned in _orders(alpha, beta, float(np.exp2(tangent[0])))
    ]
    problems = [problem for contract in contracts for problem in eclp_problems(contract)]
    fee, of_fee = contract_swap_fee(experiment, view, arrays, _LEAST_FEE, _LARGEST_FEE)
    document = problems_json((*dict.fromkeys(problems), *of_fee))
    if document["refused"]:
        return {**document, "creation": None, "creation_reversed": None, "replay": None}
    both = [
        factory_json(tokens, fee, contract.to_json())
        for tokens, contract in zip((view.tokens, view.tokens[::-1]), contracts, strict=True)
    ]
    return {**document, "creation": both[0], "creation_reversed": both[1], "replay": None}


def _orders(alpha: float, beta: float, tangent: float) -> list[tuple[Pair, Pair]]:
    """Returns both orders of the tokens: the ends of the range, and cosine and sine of the rotation, with 18 decimals."""
    with localcontext() as context:
        context.prec = _DIGITS
        low, high, t = Decimal(alpha), Decimal(beta), Decimal(tangent)
        cosine = 1 / (1 + t * t).sqrt()
        c, s = (int((ONE * value).to_integral_value()) for value in (cosine, t * cosine))
        forth, back = (
            (int(fixed_point(one)), int(fixed_point(other))) for one, other in ((low, high), (1 / high, 1 / low))
        )
    return [(forth, (c, s)), (back, (s, c))]
