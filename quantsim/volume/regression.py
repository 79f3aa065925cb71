"""Bayesian linear regression with autocorrelated, heteroscedastic errors.

Errors follow an AR(1) process whose coefficient is estimated (Cochrane-Orcutt, iterated, with gaps). What the process leaves
may still be heteroscedastic or correlated, so the covariance of the coefficients is that of Newey and West on the whitened
regression (prewhitening: Andrews and Monahan 1992; leverage as in HC3, MacKinnon and White 1985), or that of the model where
it is larger (Angrist and Pischke 2009, section 8.1). A normal prior is combined with this normal approximation of the
likelihood (Müller 2013, "Risk of Bayesian inference in misspecified models"); the posterior has the tails of Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray

__all__ = ["Posterior", "regress"]


_ITERATIONS = 4
_LARGEST_CORRELATION = 0.98


@dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of ``p`` coefficients: Student's t.

    Attributes:
        mean: (p,) mode and mean.
        covariance: (p, p) scale of the distribution, its covariance but for the factor of the tails.
        degrees: degrees of freedom.
        correlation: AR(1) coefficient of the errors, from one day to the next.
        deviation: standard deviation of the errors.
        residuals: (N,) errors at the mode.
    """

    mean: FloatArray
    covariance: FloatArray
    degrees: int
    correlation: float
    deviation: float
    residuals: FloatArray

    def interval(self, level: float = 0.9) -> FloatArray:
        """Returns lower and upper ends of the central interval of each coefficient, (2, p)."""
        return self._around(self.mean, np.diag(self.covariance), level)

    def predicted(self, row: FloatArray, level: float = 0.9) -> FloatArray:
        """Returns the ends of the predictive interval of an observation, (2,), by its regressors, (p,)."""
        variance = np.array([row @ self.covariance @ row + self.deviation**2])
        return self._around(np.array([row @ self.mean]), variance, level)[:, 0]

    def _around(self, centre: FloatArray, variance: FloatArray, level: float) -> FloatArray:
        from scipy.stats import t

        width = t.ppf(0.5 + 0.5 * level, self.degrees) * np.sqrt(variance)
        return np.stack([centre - width, centre + width])

    def drawn(self, generator: np.random.Generator, n_draws: int) -> FloatArray:
        """Returns draws, (D, p)."""
        normal = generator.multivariate_normal(np.zeros(self.mean.size), self.covariance, n_draws, method="cholesky")
        scale = np.sqrt(self.degrees / generator.chisquare(self.degrees, n_draws))
        return np.asarray(self.mean + normal * scale[:, None], np.float64)


def regress(
    rows: FloatArray, values: FloatArray, times: NDArray[np.int64], prior_mean: FloatArray, prior_deviation: FloatArray
) -> Posterior:
    """Returns the posterior of a linear regression.

    Args:
        rows: (N, p) regressors.
        values: (N,) observations.
        times: (N,) ascending days of the observations; the correlation of errors is a power of the days between them.
        prior_mean: (p,) mean of the independent normal priors.
        prior_deviation: (p,) their standard deviations.
    """
    precision, (n, p) = np.diag(prior_deviation**-2.0), rows.shape
    degrees, gaps, correlation = max(n - p, 3), np.diff(times), 0.0
    for _ in range(_ITERATIONS):
        white_rows, white = (_whitened(each, gaps, correlation) for each in (rows, values))
        variance = _variance(white_rows, white, degrees)
        information = white_rows.T @ white_rows / variance + precision
        mean = np.asarray(
            np.linalg.solve(information, white_rows.T @ white / variance + precision @ prior_mean), np.float64
        )
        correlation = _correlation(values - rows @ mean, gaps, int(rows.any(axis=0).sum()))
    left = white - white_rows @ mean
    inverse = np.linalg.inv(information)
    leverage = np.einsum("ij,jk,ik->i", white_rows, inverse, white_rows) / variance
    scores = white_rows * (left / np.maximum(1.0 - leverage, 0.1))[:, None] / variance
    robust = inverse @ (_long_run(scores) + precision) @ inverse
    # The robust standard error is too small where few changes of a regressor carry it: not below that of the model.
    raised = np.sqrt(np.maximum(1.0, np.diag(inverse) / np.diag(robust)))
    covariance = robust * np.outer(raised, raised)
    residuals = values - rows @ mean
    deviation = float(np.sqrt(residuals @ residuals / degrees))
    return Posterior(mean, 0.5 * (covariance + covariance.T), degrees, correlation, deviation, residuals)


def _whitened(values: FloatArray, gaps: NDArray[np.int64], correlation: float) -> FloatArray:
    """Returns values, (N,) or (N, p), of which the AR(1) process leaves independent errors of equal variance."""
    kept = (correlation**gaps).reshape(-1, *(1,) * (values.ndim - 1))
    return np.concatenate([values[:1], (values[1:] - kept * values[:-1]) / np.sqrt(1.0 - kept**2)])


def _variance(rows: FloatArray, values: FloatArray, degrees: int) -> float:
    left = values - rows @ np.linalg.lstsq(rows, values, rcond=None)[0]
    return max(float(left @ left) / degrees, 1e-12)


def _correlation(residuals: FloatArray, gaps: NDArray[np.int64], n_regressors: int) -> float:
    """Returns the correlation of the errors of two days, corrected for its bias in short samples.

    The bias is ``-(1+3ρ)/N`` for a mean (Kendall 1954), and ``-(2+4ρ)/N`` for a mean and a trend; each further regressor that
    changes slowly is taken to add as much.
    """
    now, before = residuals[1:][gaps == 1], residuals[:-1][gaps == 1]
    if now.size < 3 or not before.any():
        return 0.0
    found = float(now @ before / np.sqrt((now @ now) * (before @ before)))
    bias = (n_regressors + (n_regressors + 2.0) * found) / now.size
    return float(np.clip(found + bias, 0.0, _LARGEST_CORRELATION))


def _long_run(scores: FloatArray) -> FloatArray:
    """Returns the sum of the scores' autocovariances with Bartlett's weights (Newey and West 1987), (p, p)."""
    n = scores.shape[0]
    found, lags = scores.T @ scores, int(4 * (n / 100) ** (2 / 9))
    for lag in range(1, lags + 1):
        crossed = scores[lag:].T @ scores[:-lag]
        found = found + (1.0 - lag / (lags + 1)) * (crossed + crossed.T)
    return found
