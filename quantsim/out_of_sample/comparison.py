"""Several trainers on the same folds, with paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantsim.errors import ConfigError
from quantsim.out_of_sample.curves import Difference, difference
from quantsim.out_of_sample.outcome import WalkForwardOutcome

__all__ = ["Compared", "Comparison", "compare_outcomes"]


@dataclass(frozen=True, eq=False)
class Compared:
    """The outcome of one trainer, beside that of the first one.

    Attributes:
        outcome: outcome of the trainer.
        to_first: difference of its out-of-sample curve to that of the first trainer; None for the first.
    """

    outcome: WalkForwardOutcome
    to_first: Difference | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Trainers on the same folds, the reference first.

    Attributes:
        rows: one for each trainer.
    """

    rows: tuple[Compared, ...]

    @property
    def judgement(self) -> str:
        """A sentence on significant differences."""
        from quantsim.out_of_sample.judgement import judge_comparison

        return judge_comparison(self)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values: ratios annualised, growth in logs a year, undefined figures None."""
        from quantsim.out_of_sample.as_json import comparison_as_json

        return comparison_as_json(self)


def compare_outcomes(outcomes: Mapping[str, WalkForwardOutcome]) -> Comparison:
    """Returns the comparison of several trainers.

    Args:
        outcomes: trainer → outcome; the first one is the reference.

    Raises:
        ConfigError: there are none, or their folds differ.
    """
    if not outcomes:
        raise ConfigError("there are no outcomes to compare: give at least one")
    first, *others = outcomes.values()
    for outcome in others:
        if [row.fold for row in outcome.folds] != [row.fold for row in first.folds]:
            raise ConfigError(
                f"{outcome.trainer} and {first.trainer} have different folds: train both on the same schedule"
            )
    rows = [
        Compared(outcome, difference(outcome.out_of_sample, first.out_of_sample, first.resampling))
        for outcome in others
    ]
    return Comparison((Compared(first, None), *rows))
