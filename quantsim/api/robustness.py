"""Evaluates a parameter set under variations, and returns a result with tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quantsim.api.display import as_html
from quantsim.config import Experiment
from quantsim.prices import PriceData
from quantsim.robustness import KINDS, Kind, Robustness, Variations
from quantsim.robustness import evaluate_robustness as evaluated

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["RobustnessResult", "evaluate_robustness"]


@dataclass(frozen=True, eq=False, repr=False)
class RobustnessResult(Robustness):
    """The result of :func:`evaluate_robustness`: a :class:`~quantsim.robustness.Robustness` with tables and figures.

    Attributes:
        experiment: the experiment.
    """

    experiment: Experiment = field(kw_only=True)

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per metric, split and kind of variations.

        Columns: the value of the set without variations, percentiles of it (``5 %`` …), the value of constant weights,
        percentiles of the difference to it (``ahead 5 %`` …), and the share of variations in which the set is ahead.
        """
        import pandas as pd

        rows = []
        for metric in self.metrics:
            for split in self.point:
                for kind, varied in self.kinds.items():
                    if split in varied.values:
                        rows.append({"metric": metric, "split": split, "kind": kind, **_row(varied, split, metric)})
        return pd.DataFrame(rows).set_index(["metric", "split", "kind"])

    def plot(self, metric: str | None = None) -> Figure:
        """Returns a figure of the percentiles, of the set and of constant weights. As the last line of a cell it shows itself.

        Args:
            metric: one of :attr:`metrics`; default: the first.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from quantsim.report.robustness import robustness_figure

        return robustness_figure(self.experiment, self, metric or self.metrics[0])

    def __repr__(self) -> str:
        kinds = ", ".join(f"{varied.n} {kind}" for kind, varied in self.kinds.items())
        return f"RobustnessResult({self.experiment.name!r}, {kinds}: {self.judgement})"

    def _repr_html_(self) -> str:
        shown = self.to_frame().reset_index("metric")
        metric = self.metrics[0]
        return as_html(f"{metric}. {self.judgement}", shown[shown["metric"] == metric].drop(columns="metric"))


def _row(varied: Any, split: str, metric: str) -> dict[str, float]:
    own, constant = varied.spread(split, metric), varied.constant_spread(split, metric)
    difference = varied.difference(split, metric)
    return {
        "set": own.point,
        **{f"{percent} %": value for percent, value in own.percentiles.items()},
        "constant_weights": constant.point,
        **{f"ahead {percent} %": difference.percentiles[percent] for percent in (5, 95)},
        "share_ahead": varied.share_ahead(split, metric),
    }


def evaluate_robustness(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: PriceData | None = None,
    *,
    variations: Variations | None = None,
    kinds: Sequence[Kind] = KINDS,
    metrics: Sequence[str] | None = None,
    series: Mapping[str, Any] | None = None,
) -> RobustnessResult:
    """Evaluates a parameter set under variations of its parameters, the prices, the start and the costs.

    ``quantsim robust`` does the same. Arguments and errors are those of :func:`quantsim.robustness.evaluate_robustness`.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees")
        >>> report = quantsim.evaluate_robustness(study, {"memory_days": 15.0})  # doctest: +SKIP
        >>> report.to_frame()  # doctest: +SKIP
    """
    found = evaluated(experiment, params, prices, variations=variations, kinds=kinds, metrics=metrics, series=series)
    return RobustnessResult(**vars(found), experiment=experiment)
