"""The outcome of a walk-forward: the out-of-sample curve of all folds, against baselines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK
from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.checkpoint import SHORT_RUN_ID
from quantsim.errors import ConfigError
from quantsim.folds import Fold, Span
from quantsim.out_of_sample.curves import Curve, Difference, Resampling, annual_sharpe, curve_of, difference, joined
from quantsim.out_of_sample.fold_result import FoldResult
from quantsim.out_of_sample.run import WalkForward
from quantsim.out_of_sample.spans import Carrier
from quantsim.out_of_sample.stability import Stability, stability_of
from quantsim.prices import Prices
from quantsim.simulator.weight_steps import STEPS

__all__ = ["Efficiency", "FoldOutcome", "WalkForwardOutcome", "walk_forward_outcome"]


@dataclass(frozen=True)
class FoldOutcome:
    """The ratios of one fold: annualised, of daily log returns; nan if they are undefined.

    Attributes:
        fold: the fold.
        run_id: id of the run of the fold.
        checkpoint: key of the selected set.
        in_sample: Sharpe ratio on the training data.
        validation: Sharpe ratio on the validation data; nan without any.
        out_of_sample: Sharpe ratio of a new pool on the test data.
        carried: Sharpe ratio of the carried pool, from the first test day to that of the next fold; nan without a carried pool.
        excess_in_sample: information ratio against constant weights on the training data; nan if their returns are not stored.
        excess_out_of_sample: information ratio of a new pool against constant weights on the test data.
    """

    fold: Fold
    run_id: str
    checkpoint: str
    in_sample: float
    validation: float
    out_of_sample: float
    carried: float
    excess_in_sample: float
    excess_out_of_sample: float

    @property
    def efficiency(self) -> float:
        """Out-of-sample Sharpe ratio divided by the in-sample one; nan if the latter is not positive."""
        return _share(self.out_of_sample, self.in_sample)

    @property
    def excess_efficiency(self) -> float:
        """Out-of-sample information ratio divided by the in-sample one; nan if the latter is not positive."""
        return _share(self.excess_out_of_sample, self.excess_in_sample)


def _share(out_of_sample: float, in_sample: float) -> float:
    return out_of_sample / in_sample if in_sample > 0.0 else math.nan


@dataclass(frozen=True)
class Efficiency:
    """The out-of-sample ratio divided by the in-sample ratio; nan where it is undefined.

    Attributes:
        of_curve: ratio of the out-of-sample curve divided by the mean in-sample ratio; nan if the latter is not positive.
        median: median efficiency of the folds where it is defined.
        defined: number of folds with a defined efficiency: those with a positive in-sample ratio.
        folds: number of folds.
    """

    of_curve: float
    median: float
    defined: int
    folds: int

    @classmethod
    def of(cls, curve: float, in_sample: Sequence[float], of_folds: Sequence[float]) -> Efficiency:
        """Returns the efficiency from the ratio of the curve, the ratios in sample, and the efficiencies of the folds."""
        defined = [value for value in of_folds if not math.isnan(value)]
        return cls(
            of_curve=_share(curve, float(np.mean(in_sample))),
            median=float(np.median(defined)) if defined else math.nan,
            defined=len(defined),
            folds=len(of_folds),
        )


@dataclass(frozen=True, eq=False)
class WalkForwardOutcome:
    """The outcome of a walk-forward.

    Attributes:
        study: name of the study.
        trainer: name of the trainer.
        folds: the folds, in order.
        carried: curve of one pool through all folds, whose parameters change at each fold; None if the pool cannot do so.
        restarted: curve of a new pool for each fold. A fold of ``D`` days has ``D-1`` returns.
        note: why there is no carried pool, and that bars are long for weights that move, in sentences; may be empty.
        baselines: name → uninterrupted curve over the same span.
        differences: name of a baseline → difference of :attr:`out_of_sample` to it.
        parameters: stability of the parameters over the folds.
        resampling: settings of the bootstrap.
        method: selection method of the folds.
    """

    study: str
    trainer: str
    folds: tuple[FoldOutcome, ...]
    carried: Curve | None
    restarted: Curve
    note: str
    baselines: Mapping[str, Curve]
    differences: Mapping[str, Difference]
    parameters: tuple[Stability, ...]
    resampling: Resampling
    method: str = ""

    @property
    def out_of_sample(self) -> Curve:
        """The carried curve, or the restarted one if the pool cannot be carried."""
        return self.restarted if self.carried is None else self.carried

    @property
    def efficiency(self) -> Efficiency:
        """Efficiency of the Sharpe ratio."""
        return Efficiency.of(
            self.out_of_sample.sharpe.point,
            [fold.in_sample for fold in self.folds],
            [fold.efficiency for fold in self.folds],
        )

    @property
    def excess_efficiency(self) -> Efficiency:
        """Efficiency of the information ratio against constant weights."""
        return Efficiency.of(
            self.differences[BENCHMARK].information_ratio.point,
            [fold.excess_in_sample for fold in self.folds],
            [fold.excess_efficiency for fold in self.folds],
        )

    @property
    def judgement(self) -> str:
        """One or two sentences on the comparison with baselines."""
        from quantsim.out_of_sample.judgement import judge

        return judge(self)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values: ratios annualised, growth in logs a year, undefined figures None."""
        from quantsim.out_of_sample.as_json import outcome_as_json

        return outcome_as_json(self)


def walk_forward_outcome(
    walk: WalkForward,
    prices: Prices,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    resampling: Resampling | None = None,
) -> WalkForwardOutcome:
    """Returns the outcome of a walk-forward.

    Args:
        walk: the results of its folds, in chronological order.
        prices: prices that cover all folds and their history.
        store: the store of their runs, for the baselines in sample.
        series: series in memory; see :class:`~quantsim.simulator.Evaluator`.
        resampling: settings of the bootstrap.

    Raises:
        ConfigError: there are no results, they are not in chronological order, or daily returns are missing.
    """
    experiment, results = walk.experiment, walk.results
    _check(results)
    how = resampling or Resampling()
    tests = [result.fold.test for result in results]
    carrier = Carrier.of(experiment, prices, Span(tests[0].start, tests[-1].end), results[0].fold.train, series)
    days = [carrier.day_of(test) for test in tests]
    sets = [result.params for result in results]
    carried, reason = None, carrier.cannot_carry(sets)
    if reason is None:
        carried = curve_of("carried", carrier.times, carrier.carried([sets], tests)[0], how)
    returns = [_returns(result, store) for result in results]
    restarted = joined(
        "restarted", carrier.times, [(day, own["test"]) for day, own in zip(days, returns, strict=True)], how
    )
    baselines = carrier.baselines(how)
    own = restarted if carried is None else carried
    return WalkForwardOutcome(
        study=experiment.name,
        trainer=walk.trainer,
        method=walk.method,
        folds=tuple(
            _fold_outcome(result, of_fold, _between(carried, first, end), store)
            for result, of_fold, (first, end) in zip(
                results, returns, itertools.pairwise([*days, carrier.times.size]), strict=True
            )
        ),
        carried=carried,
        restarted=restarted,
        note=" ".join(_sentences(reason, carrier.evaluator.notes.get(STEPS))),
        baselines=baselines,
        differences={name: difference(own, baseline, how) for name, baseline in baselines.items()},
        parameters=stability_of(experiment, sets),
        resampling=how,
    )


def _sentences(no_carried: str | None, steps: str | None) -> Iterator[str]:
    if no_carried is not None:
        yield f"Each fold starts a new pool: {no_carried}."
    if steps is not None:
        yield f"{steps[0].upper()}{steps[1:]}."


def _check(results: Sequence[FoldResult[Fold]]) -> None:
    if not results:
        raise ConfigError("there are no folds: an outcome needs at least one")
    starts = [result.fold.test.start for result in results]
    if starts != sorted(set(starts)):
        raise ConfigError("the folds must be in chronological order of their test data, each later than the one before")


def _returns(result: FoldResult[Fold], store: CheckpointStore) -> Mapping[str, FloatArray]:
    """Returns the daily log returns of the selected set on each split."""
    found = result.checkpoint.daily_log_returns or store.get(result.checkpoint.checkpoint_id).daily_log_returns
    if "test" not in found:
        raise ConfigError(
            f"the selected set of fold {result.fold.position} (run {result.run_id[:SHORT_RUN_ID]}) has no daily returns of its "
            "test data: train the fold again"
        )
    return found


def _between(curve: Curve | None, first: int, end: int) -> FloatArray:
    """Returns the daily log returns of the days from ``first`` to ``end``; none without a curve."""
    return np.empty(0) if curve is None else curve.daily_log_returns[first:end]


def _fold_outcome(
    result: FoldResult[Fold], returns: Mapping[str, FloatArray], carried: FloatArray, store: CheckpointStore
) -> FoldOutcome:
    benchmark = store.baselines(result.run_id).get(BENCHMARK)
    base: Mapping[str, FloatArray] = {} if benchmark is None else benchmark.daily_log_returns

    def ratio(split: str) -> float:
        return float(annual_sharpe(returns[split])) if split in returns else math.nan

    def excess(split: str) -> float:
        return float(annual_sharpe(returns[split] - base[split])) if split in returns and split in base else math.nan

    return FoldOutcome(
        fold=result.fold,
        run_id=result.run_id,
        checkpoint=result.checkpoint.key,
        in_sample=ratio("train"),
        validation=ratio("validation"),
        out_of_sample=ratio("test"),
        carried=float(annual_sharpe(carried)),
        excess_in_sample=excess("train"),
        excess_out_of_sample=excess("test"),
    )
