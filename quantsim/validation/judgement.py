"""The judgement: sentences that follow from the evidence by fixed rules.

1. ``undecided``: the selected set trades like constant weights, fewer than 30 days searched, or gradients or a pruner fitted
   the trials to the days that searched. If other days selected among such trials, the tests take these alone.
2. ``skill``: StepM names it at 5 %. ``contradicted`` if, besides, the interval of its mean difference to constant weights on
   days that did not search is below zero.
3. ``another``: StepM names another trial, so some trial beats constant weights.
4. ``noise``: none of these.

Only rule 2 speaks of skill. StepM names any trial without skill with a probability of at most 5 %, so noise passes for skill
at most that often. The deflated Sharpe ratio, which has less power, does not decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.statistics.bootstrap import Interval
from quantsim.validation.evidence import CONFIDENCE, LEVEL, Evidence, SplitIntervals

__all__ = ["Judgement", "Verdict", "judge", "yearly_ratio", "yearly_return"]

Verdict = Literal["noise", "another", "skill", "contradicted", "undecided"]


@dataclass(frozen=True)
class Judgement:
    """A judgement of the evidence.

    Attributes:
        verdict: the rule of this module that applies.
        sentences: the judgement, and one sentence for each out-of-sample split.
    """

    verdict: Verdict
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)


def yearly_ratio(ratio: float) -> float:
    """Annualises a daily ratio."""
    return ratio * math.sqrt(DAYS_PER_YEAR)


def yearly_return(mean: float) -> float:
    """Compounds a mean daily log return to a year: a fraction."""
    return math.expm1(mean * DAYS_PER_YEAR)


def judge(evidence: Evidence | None, names: Sequence[str] = ()) -> Judgement:
    """Returns the judgement of the evidence.

    Args:
        evidence: the evidence; None if there is none, as :class:`~quantsim.validation.Validation` explains.
        names: names of the trials, for those that beat constant weights.
    """
    if evidence is None:
        text = (
            "No judgement is possible: the selected set trades like constant weights, or the search used too few days."
        )
        return Judgement("undecided", (text,))
    seen = (*evidence.searched, *evidence.fitted)
    unseen = {split: one for split, one in evidence.intervals.items() if split not in seen}
    verdict = _verdict(evidence, [one.excess for one in unseen.values()])
    sentences = [_of_searched(verdict, evidence, names)]
    sentences += [_of_unseen(verdict, split, one) for split, one in unseen.items()]
    if not unseen and verdict == "skill":
        sentences.append("There is no out-of-sample data to confirm it.")
    return Judgement(verdict, tuple(sentences))


def _verdict(evidence: Evidence, unseen: Sequence[Interval]) -> Verdict:
    if set(evidence.fitted) & set(evidence.searched):
        return "undecided"
    if evidence.selected in evidence.superior:
        return "contradicted" if any(one.upper < 0.0 for one in unseen) else "skill"
    return "another" if evidence.superior else "noise"


def _of_searched(verdict: Verdict, evidence: Evidence, names: Sequence[str]) -> str:
    named = ", ".join(names[index] for index in evidence.superior[:3]) if verdict == "another" else ""
    first = {
        "noise": "Not distinguishable from noise",
        "another": f"Not distinguishable from noise, although other trials beat constant weights significantly ({named})",
        "skill": "Significant: the selected set is better than constant weights by more than luck explains",
        "contradicted": "Contradicted: the selected set is significantly better than constant weights, but not out of sample",
        "undecided": (
            "No judgement is possible: gradients or a pruner fitted the trials to training data, so the tests do not hold "
            "there. Select by validation data"
        ),
    }
    ratio, luck, needed = map(yearly_ratio, (evidence.ratio, evidence.expected_best, evidence.needed))
    shown = (
        f"{first[verdict]}. On {' and '.join(evidence.searched)} data ({evidence.n_days} daily returns), the selected set has "
        f"an annualised information ratio against constant weights of {ratio:.2f}."
    )
    if verdict == "undecided":
        return shown
    return f"{shown} Luck alone is expected to reach {luck:.2f} in a search of this size; {needed:.2f} or more is significant."


def _of_unseen(verdict: Verdict, split: str, found: SplitIntervals) -> str:
    if found.excess.reason:
        return f"On {split} data there is no interval: {found.excess.reason}."
    point, lower, upper = (
        100.0 * math.expm1(found.n_days * value)
        for value in (found.excess.point, found.excess.lower, found.excess.upper)
    )
    place = "ahead of" if point >= 0.0 else "behind"
    shown = (
        f"Out of sample, on {split} data, it ends {abs(point):.0f} % {place} constant weights after {found.n_days} days "
        f"({100.0 * CONFIDENCE:.0f} % interval {lower:+.0f} % to {upper:+.0f} %)"
    )
    if found.excess.lower > 0.0:
        lucky = f"{100.0 * LEVEL:.0f} of 100 sets without skill do as well"
        return f"{shown}: {'this confirms the result' if verdict == 'skill' else lucky}."
    return f"{shown}: {'this contradicts skill' if found.excess.upper < 0.0 else 'not significant'}."
