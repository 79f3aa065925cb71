"""The search space: which parameters a search draws, from which ranges, in constrained units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import ParameterError, nearest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Dimension", "Draw", "HumanParams", "SearchSpace"]

HumanParams = dict[str, float | list[float]]
"""Human-readable name → a number for all tokens, or a list of one per token."""

# How far a value may be outside its range, relative to it: on its way to raw form and back it is rounded.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Draw:
    """The range or the choices of one trial parameter.

    Attributes:
        name: name of the trial parameter, such as ``memory_days[BTC]``.
        low: lower end, in constrained units; for choices, the lowest.
        high: upper end; the last value if there is a step.
        log: whether values are drawn uniformly in their logarithm.
        step: distance between the values that can be drawn, from ``low`` on; None if any value can be.
        choices: the possible values; empty for a range.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    choices: tuple[float, ...] = ()

    def distribution(self) -> BaseDistribution:
        """Returns the distribution for Optuna."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        if self.choices:
            return CategoricalDistribution(self.choices)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def describe(self) -> list[Any]:
        """Returns JSON values, which are equal for equal draws."""
        if self.choices:
            return ["choices", *self.choices]
        return [self.low, self.high, self.log] if self.step is None else [self.low, self.high, self.log, self.step]

    def clipped(self, value: float) -> float:
        """Returns the nearest value that can be drawn."""
        if self.choices:
            return min(self.choices, key=lambda choice: abs(choice - value))
        if self.step is not None:
            value = self.low + self.step * round((value - self.low) / self.step)
        return min(max(value, self.low), self.high)

    def checked(self, value: float) -> float:
        """Returns the value, or the nearest one in the range if it is only outside by rounding.

        Raises:
            ParameterError: it is outside the range, or none of the choices.
        """
        nearest_value = self.clipped(value)
        if abs(value - nearest_value) <= _ROUNDING * max(abs(nearest_value), abs(self.low) and _ROUNDING):
            return nearest_value
        if self.choices:
            raise ParameterError(
                f"{self.name} = {value:g} is none of the choices of the search space, {list(self.choices)}; add it there, "
                "or leave the set out"
            )
        if self.step is not None and self.low <= value <= self.high:
            return nearest_value  # Optuna itself takes a value between steps for the nearest
        raise ParameterError(
            f"{self.name} = {value:g} lies outside the search space, [{self.low:g}, {self.high:g}]; widen the range there, or "
            "leave the set out"
        )


@dataclass(frozen=True)
class Dimension:
    """One searched parameter.

    Attributes:
        name: human-readable name, e.g. ``memory_days``.
        labels: the tokens that its values belong to.
        draws: one range for all labels, or one for each.
    """

    name: str
    labels: tuple[str, ...]
    draws: tuple[Draw, ...]

    @property
    def scalar(self) -> bool:
        """Whether all tokens share one value."""
        return len(self.draws) == 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its trial parameters."""
        return tuple(draw.name for draw in self.draws)


@dataclass(frozen=True)
class SearchSpace:
    """The parameters that a search varies, and their ranges: one number per trial parameter, in constrained units.

    A parameter with one value per token has the trial parameters ``memory_days[BTC]``, ``memory_days[ETH]``, …, in the order of
    the tokens; a scalar parameter has one, of its own name. The name of a group comes first, as in ``fast.memory_days[BTC]``.

    Attributes:
        dimensions: the searched parameters, in the order of the experiment's parameters.
        known: human-readable names of all parameters of the experiment.
        fixed: human-readable name → value, of the parameters that the space fixes.
    """

    dimensions: tuple[Dimension, ...]
    known: tuple[str, ...]
    fixed: Mapping[str, float | list[float]] = field(default_factory=dict)

    @property
    def draws(self) -> tuple[Draw, ...]:
        """All trial parameters, in order."""
        return tuple(draw for dimension in self.dimensions for draw in dimension.draws)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Returns trial parameter → Optuna distribution."""
        return {draw.name: draw.distribution() for draw in self.draws}

    def describe(self) -> dict[str, Any]:
        """Returns trial parameter → ``[low, high, log]`` and so on, as JSON values, which are equal for equal spaces."""
        drawn: dict[str, Any] = {draw.name: draw.describe() for draw in self.draws}
        return drawn | {name: ["fixed", value] for name, value in self.fixed.items()}

    def to_params(self, trial_params: Mapping[str, float]) -> HumanParams:
        """Converts trial parameters to human-readable ones, with the fixed ones: a number, or one number per token.

        Raises:
            ParameterError: a trial parameter is missing: the trial is of another search.
        """
        params: HumanParams = dict(self.fixed)
        for dimension in self.dimensions:
            names = dimension.names
            for name in names:
                if name not in trial_params:
                    raise ParameterError(f"the trial has no parameter {name!r}: {nearest(name, trial_params)}")
            values = [float(trial_params[name]) for name in names]
            params[dimension.name] = values[0] if dimension.scalar else values
        return params

    def from_human(self, params: Mapping[str, Any], *, clip: bool = False) -> dict[str, float]:
        """Converts human-readable parameters, such as those of a checkpoint, to trial parameters.

        Args:
            params: human-readable name → number or one number per token; parameters that are not searched are ignored.
            clip: whether values that cannot be drawn are moved to the nearest that can, and values that differ between tokens,
                of a parameter that is searched with one for all, become their geometric mean (their mean, if one is not
                positive). Otherwise such sets are refused.

        Raises:
            ParameterError: a name is unknown, a searched parameter is missing, a value is outside its range, or values differ
                between tokens where the search has one for all.
        """
        for name in params:
            if name not in self.known:
                raise ParameterError(f"unknown parameter {name!r}: {nearest(name, self.known)}")
        drawn: dict[str, float] = {}
        for dimension in self.dimensions:
            if dimension.name not in params:
                raise ParameterError(f"{dimension.name} is missing: a trial needs a value for every searched parameter")
            values = _values(dimension, params[dimension.name], clip=clip)
            for draw, value in zip(dimension.draws, values, strict=True):
                drawn[draw.name] = draw.clipped(value) if clip else draw.checked(value)
        return drawn


def _values(dimension: Dimension, given: Any, *, clip: bool) -> list[float]:
    """Returns one value per draw."""
    try:
        array: NDArray[np.float64] = np.asarray(given, np.float64)
        values = np.broadcast_to(array, (len(dimension.labels),))
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"{dimension.name} = {given!r} must be a number or {len(dimension.labels)} numbers, one for each of "
            f"{', '.join(dimension.labels)}"
        ) from error
    if not dimension.scalar:
        return [float(value) for value in values]
    if np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return [float(values[0])]
    if clip:
        positive = bool((values > 0).all())
        return [float(np.exp(np.log(values).mean()) if positive else values.mean())]
    raise ParameterError(
        f"{dimension.name} = {values.tolist()} differs between tokens, and this search has one value for all; "
        "set scalar = false in the search space"
    )
