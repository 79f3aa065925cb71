"""Fits a volume model to the history of a pool."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.errors import StatisticsError
from quantsim.volume.draws import drawn_coefficients
from quantsim.volume.file import write_volume_model
from quantsim.volume.history import VolumeHistory, read_history
from quantsim.volume.model import COEFFICIENTS, MOST_DRAWS, REFERENCE_TVL, VolumeModel
from quantsim.volume.regression import Posterior, regress

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PRIORS", "Estimate", "VolumeFit", "fit_volume"]


PRIORS = {"tvl_elasticity": (0.8, 0.5), "fee_elasticity": (1.0, 1.0), "volatility_elasticity": (0.5, 0.5)}
"""Mean and standard deviation of the normal priors; that of the fee is cut at 0, that of value at 0 and 1.5."""

_LEVEL_DEVIATION = 5.0
_LEAST_DAYS, _MOST_DAYS = 30, 365
_IDENTIFIED = 0.5  # of the prior's variance
_SUMMARY_DRAWS = 4096
_LEVEL = 0.9


@dataclass(frozen=True)
class Estimate:
    """One parameter of the model.

    Attributes:
        value: posterior mean; of the volume, the posterior median.
        low: lower end of the 90 % interval.
        high: upper end.
        from_data: share of the prior's variance that the data removes: 0 if only the prior decides, 1 if only the data.
    """

    value: float
    low: float
    high: float
    from_data: float

    @property
    def is_identified(self) -> bool:
        """Whether the data decides more than the prior."""
        return self.from_data > _IDENTIFIED


@dataclass(frozen=True, eq=False)
class VolumeFit:
    """A volume model with what its fit says.

    Attributes:
        model: the model, with its draws: ``fees={"volume": "elastic", "volume_model": fit.model.model_dump()}``.
        estimates: parameter → estimate.
        n_days: days that the fit is from.
        n_zero: days without volume, which lower the level.
        n_missing: days that lack a value.
        n_fees: number of distinct fees.
        correlation: correlation of the errors of two successive days.
        deviation: standard deviation of the errors of log volume.
        coverage: share of days whose log volume is in its leave-one-out 90 % interval.
        notes: what a user must know, as sentences.
    """

    model: VolumeModel
    estimates: dict[str, Estimate]
    n_days: int
    n_zero: int
    n_missing: int
    n_fees: int
    correlation: float
    deviation: float
    coverage: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the model and the fit as JSON values."""
        return {"volume_model": self.model.model_dump(mode="json"), "fit": self._report()}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the file that ``fees.volume_model`` names.

        Raises:
            ConfigError: the file cannot be written.
        """
        write_volume_model(path, self.model, self._report())

    def _report(self) -> dict[str, Any]:
        names = ("n_days", "n_zero", "n_missing", "n_fees", "correlation", "deviation", "coverage")
        estimates = {name: {**vars(one), "is_identified": one.is_identified} for name, one in self.estimates.items()}
        return {"estimates": estimates, **{name: getattr(self, name) for name in names}, "notes": list(self.notes)}


def fit_volume(
    table: str | os.PathLike[str] | pd.DataFrame | VolumeHistory,
    *,
    draws: int = 64,
    seed: int = 0,
    volatility_days: int = 7,
) -> VolumeFit:
    """Fits the expected volume of noise traders to the history of a pool.

    The logarithm of daily volume is regressed on the logarithms of the pool's value and volatility of the days before, and on
    the fee of the day (:mod:`quantsim.volume.regression`). The references are the median fee and the median volatility.

    Args:
        table: the history, as for :func:`quantsim.volume.history.read_history`.
        draws: number of posterior draws in the model.
        seed: seed of the draws.
        volatility_days: days over which volatility is measured.

    Raises:
        PriceError: the table cannot be read, or has wrong values.
        StatisticsError: there are too few days, an option is not valid, or the model contradicts the data.
    """
    _check_options(draws, seed, volatility_days)
    history = table if isinstance(table, VolumeHistory) else read_history(table, volatility_days)
    traded = history.volume > 0
    n_traded, n_zero = int(traded.sum()), int((~traded).sum())
    if n_traded < _LEAST_DAYS:
        raise StatisticsError(
            f"{history.source} has {n_traded} days with volume, the value of the day before, a fee"
            f"{'' if history.volatility is None else ' and volatility'}: a fit needs {_LEAST_DAYS}"
        )
    fee, volatility = _references(history)
    rows, values, days = _rows(history, fee, volatility)[traded], np.log(history.volume[traded]), history.days[traded]
    posterior = _regressed(rows, values, days)
    generator = np.random.default_rng(seed)
    coefficients = drawn_coefficients(posterior, n_zero, max(draws, _SUMMARY_DRAWS), generator)
    estimates = _estimates(coefficients, posterior)
    n_fees = np.unique(history.fee).size
    model = VolumeModel(
        **{name: one.value for name, one in estimates.items()},
        reference_fee=fee,
        reference_volatility=volatility,
        volatility_days=volatility_days,
        hours=history.hours,
        draws=tuple((float(np.exp(a)), float(b), float(c), float(d)) for a, b, c, d in coefficients[:draws]),
        fee_is_identified=estimates["fee_elasticity"].is_identified and n_fees > 1,
    )
    return VolumeFit(
        model=model,
        estimates=estimates,
        n_days=n_traded + n_zero,
        n_zero=n_zero,
        n_missing=history.n_missing,
        n_fees=n_fees,
        correlation=posterior.correlation,
        deviation=posterior.deviation,
        coverage=_coverage(rows, values, days),
        notes=_notes(history, model, estimates, n_fees),
    )


def _check_options(draws: int, seed: int, volatility_days: int) -> None:
    if not 1 <= draws <= MOST_DRAWS:
        raise StatisticsError(f"draws = {draws} must be from 1 to {MOST_DRAWS}")
    if not 0 <= seed < 2**63:
        raise StatisticsError(f"seed = {seed} must be from 0 to 2^63 - 1")
    if not 1 <= volatility_days <= _MOST_DAYS:
        raise StatisticsError(f"volatility_days = {volatility_days} must be from 1 to {_MOST_DAYS}")


def _references(history: VolumeHistory) -> tuple[float, float]:
    """Returns the reference fee and the reference volatility."""
    typical = VolumeModel.model_fields["reference_volatility"].default
    return float(np.median(history.fee)), float(
        typical if history.volatility is None else np.median(history.volatility)
    )


def _rows(history: VolumeHistory, fee: float, volatility: float) -> FloatArray:
    """Returns the regressors, (N, 4)."""
    n = history.days.size
    moved = np.zeros(n) if history.volatility is None else np.log(history.volatility / volatility)
    return np.stack([np.ones(n), np.log(history.tvl / REFERENCE_TVL), history.fee / fee - 1.0, moved], axis=1)


def _regressed(rows: FloatArray, values: FloatArray, days: NDArray[np.int64]) -> Posterior:
    (tvl, tvl_width), (fee, fee_width), (moved, moved_width) = PRIORS.values()
    level = float(np.mean(values - tvl * rows[:, 1]))
    prior = np.array([level, tvl, -fee, moved])
    return regress(rows, values, days, prior, np.array([_LEVEL_DEVIATION, tvl_width, fee_width, moved_width]))


def _estimates(coefficients: FloatArray, posterior: Posterior) -> dict[str, Estimate]:
    found, tail = {}, 0.5 * (1.0 - _LEVEL)
    for column, name in enumerate(COEFFICIENTS):
        values = np.exp(coefficients[:, 0]) if column == 0 else coefficients[:, column]
        centre = np.median(values) if column == 0 else np.mean(values)
        low, high = np.quantile(values, [tail, 1.0 - tail])
        width = _LEVEL_DEVIATION if column == 0 else PRIORS[name][1]
        from_data = float(np.clip(1.0 - posterior.covariance[column, column] / width**2, 0.0, 1.0))
        found[name] = Estimate(float(centre), float(low), float(high), from_data)
    return found


def _coverage(rows: FloatArray, values: FloatArray, days: NDArray[np.int64]) -> float:
    """Returns the share of days in the predictive interval of a fit to all other days."""
    inside = 0
    for left_out in range(values.size):
        others = np.arange(values.size) != left_out
        low, high = _regressed(rows[others], values[others], days[others]).predicted(rows[left_out], _LEVEL)
        inside += bool(low <= values[left_out] <= high)
    return inside / values.size


_WHAT = {
    "tvl_elasticity": "the pool's value",
    "fee_elasticity": "the fee",
    "volatility_elasticity": "volatility",
}


def _notes(history: VolumeHistory, model: VolumeModel, estimates: dict[str, Estimate], n_fees: int) -> tuple[str, ...]:
    notes = []
    for name, what in _WHAT.items():
        mean, width = PRIORS[name]
        if name == "fee_elasticity" and n_fees == 1:
            notes.append(
                f"The fee never changed ({history.fee[0]:g}), so the data does not tell how volume depends on it. The "
                f"elasticity to the fee is the prior, {mean:g} ± {width:g}. A study must not train or search swap_fee with it"
            )
        elif not estimates[name].is_identified:
            more = "" if name != "fee_elasticity" else ". A study must not train or search swap_fee with it"
            notes.append(
                f"The data hardly tells how volume depends on {what}: it takes {100 * estimates[name].from_data:.0f} % off the "
                f"variance of the prior, {mean:g} ± {width:g}{more}"
            )
    if n_fees == 2 and model.fee_is_identified:
        notes.append(
            "The fee has two values: other changes of volume at the same time count as its effect, and the shape of "
            "the dependence is assumed"
        )
    if history.volatility is None:
        notes.append("The table has neither volatility nor price_ratio")
    if not history.without_arbitrage:
        notes.append(
            "The volume includes that of arbitrageurs, whom the simulation has anyway: their fees count twice. Give "
            "arbitrage_volume_usd to subtract it"
        )
    return tuple(notes)
