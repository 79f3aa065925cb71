"""The outcome of combinatorial purged cross-validation: the distribution of ratios over its paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK
from quantsim.errors import ConfigError
from quantsim.folds import Span
from quantsim.out_of_sample.cross_validation import CrossValidation
from quantsim.out_of_sample.curves import Curve, Resampling, annual_growth, annual_sharpe
from quantsim.out_of_sample.spans import Carrier
from quantsim.out_of_sample.stability import Stability, stability_of
from quantsim.prices import Prices

__all__ = ["PathsOutcome", "paths_outcome"]


@dataclass(frozen=True, eq=False)
class PathsOutcome:
    """The outcome of combinatorial cross-validation.

    A path runs through all ``N`` groups. In each group it follows the parameters of a split that tests on the group; the pool
    goes on from group to group.

    Attributes:
        study: name of the study.
        trainer: name of the trainer.
        groups: the groups, in order.
        paths: the split whose parameters each path follows in each group, (φ, N).
        n_splits: number of splits.
        times: (D,) first bar of each day.
        daily_log_returns: (φ, D-1) of the paths.
        sharpes: (φ,) annualised Sharpe ratios of the paths.
        growths: (φ,) log growth of the paths per year.
        information_ratios: (φ,) annualised information ratios of the paths against constant weights.
        in_sample: (splits,) Sharpe ratios on the training data.
        baselines: name → uninterrupted curve over all groups.
        parameters: stability of the parameters over the splits.
    """

    study: str
    trainer: str
    groups: tuple[Span, ...]
    paths: tuple[tuple[int, ...], ...]
    n_splits: int
    times: NDArray[np.datetime64]
    daily_log_returns: FloatArray
    sharpes: FloatArray
    growths: FloatArray
    information_ratios: FloatArray
    in_sample: FloatArray
    baselines: Mapping[str, Curve]
    parameters: tuple[Stability, ...]

    @staticmethod
    def quantile(values: FloatArray, share: float) -> float:
        """Returns a quantile of the values that are defined; nan if none is."""
        defined = values[~np.isnan(values)]
        return float(np.quantile(defined, share)) if defined.size else float("nan")

    @property
    def efficiency(self) -> float:
        """Median ratio of the paths divided by the mean in-sample ratio; nan if the latter is not positive."""
        trained = float(np.mean(self.in_sample))
        return self.quantile(self.sharpes, 0.5) / trained if trained > 0.0 else float("nan")

    @property
    def judgement(self) -> str:
        """Two sentences on the distribution."""
        from quantsim.out_of_sample.judgement import judge_paths

        return judge_paths(self)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values: ratios annualised, growth in logs a year, undefined figures None."""
        from quantsim.out_of_sample.as_json import paths_as_json

        return paths_as_json(self)


def paths_outcome(validation: CrossValidation, prices: Prices, *, resampling: Resampling | None = None) -> PathsOutcome:
    """Returns the outcome of combinatorial cross-validation.

    Args:
        validation: the results of all splits, in order of position.
        prices: prices that cover all groups and their history.
        resampling: settings of the bootstrap, for the baselines.

    Raises:
        ConfigError: results are missing, or the parameters of this pool cannot change while it runs.
    """
    results, groups, paths = validation.results, validation.groups, validation.paths
    positions = [result.fold.position for result in results]
    if positions != list(range(len(positions))) or not positions:
        raise ConfigError(f"results are of the splits {positions}: give all splits, in order")
    carrier = Carrier.of(validation.experiment, prices, Span(groups[0].start, groups[-1].end), None, None)
    returns = carrier.carried([[results[split].params for split in path] for path in paths], groups)
    baselines = carrier.baselines(resampling or Resampling())
    trained = [annual_sharpe(result.checkpoint.daily_log_returns.get("train", np.empty(0))) for result in results]
    return PathsOutcome(
        study=validation.experiment.name,
        trainer=validation.trainer,
        groups=groups,
        paths=paths,
        n_splits=len(results),
        times=carrier.times,
        daily_log_returns=returns,
        sharpes=annual_sharpe(returns),
        growths=annual_growth(returns),
        information_ratios=annual_sharpe(returns - baselines[BENCHMARK].daily_log_returns),
        in_sample=np.array(trained, dtype=np.float64),
        baselines=baselines,
        parameters=stability_of(validation.experiment, [result.params for result in results]),
    )
