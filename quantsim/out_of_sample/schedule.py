"""The folds of a study, and the experiment of each fold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantsim.config import Experiment
from quantsim.errors import ConfigError
from quantsim.folds import Fold, Span, walk_forward

__all__ = ["DEFAULT_FOLDS", "Schedule", "check_causal", "fold_experiment", "name_of_part", "span_of", "with_periods"]

DEFAULT_FOLDS = 4
"""Number of folds if neither a number nor lengths are given."""

_MOST_OF_NAME = 180  # characters


@dataclass(frozen=True)
class Schedule:
    """The lengths of the folds of a study; :func:`quantsim.folds.walk_forward` explains them.

    Attributes:
        scheme: ``"rolling"`` or ``"anchored"``.
        n_folds: number of folds; default without lengths: 4.
        train_days: length of a training window; the first one if anchored.
        test_days: length of a test window.
        step_days: distance of successive folds; default: ``test_days``.
        validation_days: length of a validation window; 0 for none. By default validation has the same share of training and
            validation data as in the study.
    """

    scheme: str = "rolling"
    n_folds: int | None = None
    train_days: float | None = None
    test_days: float | None = None
    step_days: float | None = None
    validation_days: float | None = None

    def folds(self, experiment: Experiment) -> tuple[Fold, ...]:
        """Returns the folds of a study, from the start of its training period to the end of its last period.

        Raises:
            ConfigError: the lengths contradict each other, are not whole chunks, or do not fit into the periods.
        """
        whole = span_of(experiment)
        lengths: dict[str, Any] = {
            "scheme": self.scheme,
            "n_folds": self.n_folds,
            "train_days": self.train_days,
            "test_days": self.test_days,
            "step_days": self.step_days,
            "chunk_minutes": experiment.update.chunk_minutes,
        }
        if all(lengths[name] is None for name in ("n_folds", "train_days", "test_days", "step_days")):
            lengths["n_folds"] = DEFAULT_FOLDS
        validation = self.validation_days
        if validation is None:
            plain = walk_forward(*whole, **lengths)[0].train.days
            validation = _validation_days(experiment, plain, within=self.train_days is None)
        return walk_forward(*whole, validation_days=validation, **lengths)


def span_of(experiment: Experiment) -> Span:
    """Returns the range of all periods of a study."""
    return Span(experiment.periods.train_start, max(end for _, end in experiment.periods.splits().values()))


def _validation_days(experiment: Experiment, days: float, *, within: bool) -> float:
    """Returns the default length of validation, in whole days and chunks, where training has ``days`` days.

    Args:
        experiment: study whose share is taken.
        days: length of training, with validation if that is taken from it.
        within: whether validation is taken from these days, instead of following them.
    """
    splits = {name: Span(*ends).days for name, ends in experiment.periods.splits().items()}
    if "validation" not in splits:
        return 0.0
    rest = splits["train"] + splits["validation"] if within else splits["train"]
    unit = math.lcm(1440, experiment.update.chunk_minutes) // 1440
    return float(max(1, round(days * splits["validation"] / rest / unit)) * unit)


def check_causal(experiment: Experiment) -> None:
    """Checks that nothing of a study looks beyond its folds.

    Raises:
        ConfigError: periods of the objective are dates, or the study looks ahead.
    """
    if experiment.objective.periods:
        raise ConfigError(
            "objective.periods are dates, which do not move with the folds: remove them, or use objective.n_periods"
        )
    if any(view.update.published_look_ahead for view in experiment.pools):
        raise ConfigError(
            "update.published_look_ahead = true reads the bar after a period, so training would see data that comes after it: "
            "remove it"
        )


def fold_experiment(experiment: Experiment, fold: Fold) -> Experiment:
    """Returns the experiment of a fold: that of the study with the periods of the fold."""
    return with_periods(
        experiment,
        name_of_part(experiment, f"fold-{fold.position}"),
        train_start=fold.train.start,
        train_end=fold.train.end,
        validation_end=None if fold.validation is None else fold.validation.end,
        test_end=fold.test.end,
    )


def name_of_part(experiment: Experiment, part: str) -> str:
    """Returns the name of the study of a fold, a split or a span; long names are cut, as names of studies are limited."""
    return f"{experiment.name[:_MOST_OF_NAME]}-{part}"


def with_periods(
    experiment: Experiment, name: str, objective: dict[str, Any] | None = None, **periods: datetime | None
) -> Experiment:
    """Returns the study under another name, with other periods, and with changes of the table ``objective``."""
    values = experiment.model_dump(mode="json")
    changed = {
        "name": name,
        "periods": {key: None if moment is None else moment.isoformat() for key, moment in periods.items()},
        "objective": {**values["objective"], **(objective or {})},
    }
    return Experiment.from_dict({**values, **changed}, f"study {name!r}", own_rules=experiment.own_rules)
