"""A validation as JSON values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from quantsim.json_values import json_number
from quantsim.metrics.sample import DAYS_PER_YEAR

if TYPE_CHECKING:
    from quantsim.validation.evidence import Evidence
    from quantsim.validation.validation import Validation

__all__ = ["PBO_NOTE", "as_json"]

PBO_NOTE = (
    "can be small on pure noise: it compares with the median trial, and most trials lose to costs on all days; use the "
    "probability of loss"
)

_YEAR, _ROOT_OF_YEAR = DAYS_PER_YEAR, math.sqrt(DAYS_PER_YEAR)
_SCALES = {
    "sharpe": _ROOT_OF_YEAR,
    "excess": _YEAR,
    "information_ratio": _ROOT_OF_YEAR,
    "sharpe_difference": _ROOT_OF_YEAR,
}


def as_json(validation: Validation) -> dict[str, Any]:
    """Returns the figures as JSON values: ratios annualised, returns in logs per year.

    Undefined figures are None. Without evidence, all figures are None.
    """
    trials, checkpoint = validation.trials, validation.checkpoint
    described = {
        "study": validation.study,
        "runs": list(validation.runs),
        "selected": checkpoint.key,
        "method": validation.method,
        "metric": validation.metric,
        "origin": {"kind": validation.origin.kind, "text": validation.origin.text},
        "trials": trials.count,
        "left_out": trials.left_out,
    }
    figures = dict.fromkeys(_FIGURES) if validation.evidence is None else _figures(validation, validation.evidence)
    return {
        **described,
        **figures,
        "pbo_note": PBO_NOTE,
        "warnings": list(validation.warnings),
        "verdict": validation.judgement.verdict,
        "judgement": validation.judgement.text,
    }


_FIGURES = (
    "searched",
    "fitted",
    "days",
    "effective_trials",
    "independent_trials",
    "clusters",
    "information_ratio",
    "expected_best",
    "needed",
    "deflated_sharpe",
    "best",
    "spa_p_value",
    "superior",
    "probability_of_loss",
    "pbo",
    "average_excess",
    "rank_correlation",
    "intervals",
    "distinguishable",
)


def _figures(validation: Validation, evidence: Evidence) -> dict[str, Any]:
    rows = validation.trials.rows
    return {
        "searched": list(evidence.searched),
        "fitted": list(evidence.fitted),
        "days": evidence.n_days,
        "effective_trials": json_number(evidence.effective_trials),
        "independent_trials": json_number(evidence.independent_trials),
        "clusters": validation.clusters,
        "information_ratio": json_number(evidence.ratio * _ROOT_OF_YEAR),
        "expected_best": json_number(evidence.expected_best * _ROOT_OF_YEAR),
        "needed": json_number(evidence.needed * _ROOT_OF_YEAR),
        "deflated_sharpe": json_number(evidence.deflated_sharpe),
        "best": {"trial": rows[evidence.best].key, "deflated_sharpe": json_number(evidence.best_deflated_sharpe)},
        "spa_p_value": {
            "lower": evidence.spa.lower,
            "consistent": evidence.spa.consistent,
            "upper": evidence.spa.upper,
        },
        "superior": [rows[index].key for index in evidence.superior],
        "probability_of_loss": json_number(evidence.overfitting.probability_of_loss),
        "pbo": json_number(evidence.overfitting.pbo),
        "average_excess": {split: found.to_json(_YEAR) for split, found in evidence.average.items()},
        "rank_correlation": {
            f"{one}/{other}": found.interval.to_json() for (one, other), found in evidence.rank_correlation.items()
        },
        "intervals": {
            split: {name: getattr(found, name).to_json(scale) for name, scale in _SCALES.items()}
            for split, found in evidence.intervals.items()
        },
        "distinguishable": evidence.distinguishable,
    }
