"""The evaluation of trials: a pure function of an experiment, its prices and series, and parameter sets."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.checkpoints import Baseline
from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.prices import Prices

if TYPE_CHECKING:
    from quantsim.simulator import Evaluation

__all__ = [
    "Call",
    "Evaluates",
    "MakeEvaluator",
    "Metrics",
    "RawParams",
    "Result",
    "Returns",
    "default_evaluator",
    "run",
]

logger = logging.getLogger(__name__)

RawParams = Mapping[str, FloatArray]
Metrics = Mapping[str, Mapping[str, float]]
Returns = Mapping[str, FloatArray]


class Evaluates(Protocol):
    """The evaluator of a search, such as :class:`quantsim.simulator.Evaluator`. Several threads call it."""

    @property
    def data_id(self) -> str:
        """Identity of the prices and series."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """Notes for readers of the results, as JSON values."""

    @property
    def sets_per_call(self) -> int:
        """Recommended largest number of parameter sets per call; with 1, each is evaluated alone."""

    def evaluate_sets(self, sets: RawParams, /) -> Evaluation:
        """Evaluates sets, raw name → (S, n), on every split."""

    def baselines(self, width: int, /) -> Mapping[str, Baseline]:
        """Returns the baselines by name; ``width`` is the number of sets in a call of ``evaluate_sets``."""

    def evaluate_block(self, params: RawParams, n_blocks: int, block: int, /) -> float:
        """Returns the objective over one of the equal blocks of the training period; only called by searches with a pruner."""


MakeEvaluator = Callable[[Experiment, Prices, Mapping[str, Any] | None], Evaluates]
"""Experiment, prices and in-memory series → evaluator."""


def default_evaluator(experiment: Experiment, prices: Prices, series: Mapping[str, Any] | None = None) -> Evaluates:
    """Makes the evaluator of the simulator, and checks that the objective is defined.

    Raises:
        WindowError: the objective would be nan for every parameter set.
    """
    from quantsim.simulator import Evaluator

    evaluator = Evaluator(experiment, prices, series)
    if not experiment.search.objectives:
        evaluator.check_objective()
    return evaluator


@dataclass(frozen=True)
class Call:
    """Parameter sets that one worker evaluates at once.

    Attributes:
        sets: each raw name → (n,); one set where ``block`` is given.
        width: number of sets that the compiled program takes; missing ones are filled up.
        block: the block of the training period to take the objective over; None for all metrics of all splits.
        n_blocks: blocks of the training period.
    """

    sets: tuple[RawParams, ...]
    width: int = 1
    block: int | None = None
    n_blocks: int = 0


@dataclass(frozen=True)
class Result:
    """The result of one parameter set.

    Attributes:
        metrics: split → metric → value; None for a block, or after an error.
        daily_log_returns: split → (D-1,).
        value: the objective over the block.
        error: why there is neither.
    """

    metrics: Metrics | None = None
    daily_log_returns: Returns = field(default_factory=dict, compare=False)
    value: float = math.nan
    error: str | None = None


def run(evaluator: Evaluates, call: Call) -> tuple[Result, ...]:
    """Evaluates the sets of a call, in order. Errors become results, so a set that fails does not affect the others.

    The lanes of one call do not touch one another, and its width is fixed, so a set has the same metrics to the last bit
    in any call.
    """
    if call.width > 1:
        try:
            return _together(evaluator, call)
        except Exception as error:
            logger.debug("%d sets could not be evaluated in one call: %s", len(call.sets), error)
    return tuple(_alone(evaluator, params, call) for params in call.sets)


def _together(evaluator: Evaluates, call: Call) -> tuple[Result, ...]:
    filled = [*call.sets, *[call.sets[-1]] * (call.width - len(call.sets))]  # one compiled program for any number
    found = evaluator.evaluate_sets({name: np.stack([raw[name] for raw in filled]) for name in filled[0]})
    return tuple(Result(found.metrics_of(lane), found.returns_of(lane)) for lane in range(len(call.sets)))


def _alone(evaluator: Evaluates, params: RawParams, call: Call) -> Result:
    try:
        if call.block is not None:
            return Result(value=float(evaluator.evaluate_block(params, call.n_blocks, call.block)))
        found = evaluator.evaluate_sets({name: values[None] for name, values in params.items()})
        return Result(found.metrics_of(0), found.returns_of(0))
    except Exception as error:
        logger.debug("a parameter set could not be evaluated", exc_info=error)
        return Result(error=redact(f"{type(error).__name__}: {error}"))
