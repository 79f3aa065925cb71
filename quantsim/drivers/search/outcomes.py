"""Evaluates the trials of a batch: in calls of several, block by block with a pruner, or alone after a crash."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.drivers.search.asking import Asking
from quantsim.drivers.search.engines import Engine
from quantsim.drivers.search.evaluation import Call, RawParams, Result, Returns
from quantsim.drivers.search.pruner import gives_up
from quantsim.drivers.search.telling import Outcome, parameters_of
from quantsim.optuna_private import trial_id
from quantsim.search_space import SearchSpace

__all__ = ["MOST_ATTEMPTS", "Outcomes"]

MOST_ATTEMPTS = 2
"""Number of times that a trial is evaluated alone after it ended its process; then it fails."""

_ATTEMPTS = "attempts"  # user attribute of such a trial

Told = list[tuple[FrozenTrial, Outcome]]


@dataclass(frozen=True)
class Outcomes:
    """Evaluates batches of a study.

    Attributes:
        experiment: the experiment.
        space: the search space.
        study: the Optuna study.
        asking: what draws the trials.
        pruner: the pruner; None without one.
        engine: what maps evaluations.
        width: number of parameter sets in one call.
    """

    experiment: Experiment
    space: SearchSpace
    study: Study
    asking: Asking
    pruner: BasePruner | None
    engine: Engine
    width: int

    def of(self, asked: Iterable[FrozenTrial], *, suspect: bool = False) -> Generator[Told, None, None]:
        """Yields trials with their outcomes, in order, as soon as they are known.

        Args:
            asked: running trials. An iterator may ask the sampler for each trial when it is taken.
            suspect: whether an earlier process ended while it evaluated these trials, so that one of them may crash a process
                or exhaust its memory. Each is then evaluated alone, and fails if that has ended the process
                :data:`MOST_ATTEMPTS` times.
        """
        if not suspect:
            yield from self._batch(asked)
            return
        for trial in asked:
            attempts = trial.user_attrs.get(_ATTEMPTS, 0)
            if attempts >= MOST_ATTEMPTS:
                error = f"its evaluation ended the process {attempts} times, by a signal or because memory ran out"
                yield [(trial, Outcome(error=error))]
                continue
            Trial(self.study, trial_id(trial)).set_user_attr(_ATTEMPTS, attempts + 1)
            yield from self._batch([trial])

    def returns_of(self, trials: Sequence[FrozenTrial]) -> dict[int, Returns]:
        """Evaluates completed trials again, and returns number → daily log returns, without those that fail."""
        sets = {trial.number: parameters_of(trial, self.experiment, self.space) for trial in trials}
        numbers = list(sets)
        chunks = [numbers[first : first + self.width] for first in range(0, len(numbers), self.width)]
        results = self.engine.map([Call(tuple(sets[number] for number in chunk), self.width) for chunk in chunks])
        found = {
            number: result
            for chunk, of_chunk in zip(chunks, results, strict=True)
            for number, result in zip(chunk, of_chunk, strict=True)
        }
        return {number: result.daily_log_returns for number, result in found.items() if result.error is None}

    def _batch(self, asked: Iterable[FrozenTrial]) -> Iterator[Told]:
        """Yields trials with their outcomes. Without a pruner, a trial is asked for while earlier ones are evaluated."""
        known: dict[int, Outcome] = {}
        params: dict[int, RawParams] = {}
        left: list[FrozenTrial] = []
        chunks: deque[list[FrozenTrial]] = deque()
        fit = self._fit(asked, left, params, known)
        kept: dict[int, Outcome] = {}
        if self.pruner is not None:
            kept = self._pruned(list(fit), params, known)
            fit = iter([trial for trial in left if trial.number not in known])

        def calls() -> Iterator[Call]:
            while chunk := list(itertools.islice(fit, self.width)):
                chunks.append(chunk)
                yield Call(tuple(params[trial.number] for trial in chunk), self.width)

        for results in self.engine.map(calls()):
            for trial, result in zip(chunks.popleft(), results, strict=True):
                looked = kept.get(trial.number, Outcome())
                known[trial.number] = Outcome(
                    result.metrics, result.daily_log_returns, result.error, looked.reports, looked.pruner_attrs
                )
            ready = list(itertools.takewhile(lambda trial: trial.number in known, left))
            del left[: len(ready)]
            yield [(trial, known[trial.number]) for trial in ready]
        if left:
            yield [(trial, known[trial.number]) for trial in left]

    def _fit(
        self,
        asked: Iterable[FrozenTrial],
        left: list[FrozenTrial],
        params: dict[int, RawParams],
        known: dict[int, Outcome],
    ) -> Iterator[FrozenTrial]:
        """Yields the trials that can be evaluated, and adds the parameters of each to ``params``.

        All trials are added to ``left``, and the outcomes of the others to ``known``.
        """
        for trial in asked:
            left.append(trial)
            try:
                params[trial.number] = parameters_of(trial, self.experiment, self.space)
            except Exception as error:
                known[trial.number] = Outcome(error=redact(f"{type(error).__name__}: {error}"))
            else:
                yield trial

    def _pruned(
        self, trials: Sequence[FrozenTrial], params: dict[int, RawParams], known: dict[int, Outcome]
    ) -> dict[int, Outcome]:
        """Evaluates all trials on block after block of the training period, until they are pruned.

        The outcomes of trials that are pruned or fail are added to ``known``. Returns the reports of the others.
        """
        kept: dict[int, Outcome] = {}
        if self.pruner is None:
            return kept
        n_blocks = self.experiment.search.prune_blocks
        totals = {trial.number: 0.0 for trial in trials}
        going = list(trials)
        for block in range(n_blocks):
            calls = [Call((params[trial.number],), 1, block, n_blocks) for trial in going]
            results = [result for (result,) in self.engine.map(calls)]
            going = [
                trial
                for trial, result in zip(going, results, strict=True)
                if self._goes_on(trial, result, block, totals, kept, known)
            ]
        return kept

    def _goes_on(
        self,
        trial: FrozenTrial,
        result: Result,
        block: int,
        totals: dict[int, float],
        kept: dict[int, Outcome],
        known: dict[int, Outcome],
    ) -> bool:
        """Whether a trial is evaluated on the next block: not if it fails, is pruned, or has the value nan."""
        number = trial.number
        if result.error is not None:
            known[number] = Outcome(error=result.error)
            return False
        totals[number] += result.value
        if math.isnan(totals[number]) or self.pruner is None:
            return False
        reports = (*kept.get(number, Outcome()).reports, totals[number] / (block + 1))
        is_over, notes = gives_up(self.pruner, self.study, self.asking.earlier(trial), trial, reports)
        found = Outcome(reports=reports, pruner_attrs=notes)
        if is_over:
            known[number] = found
        kept[number] = found
        return not is_over
