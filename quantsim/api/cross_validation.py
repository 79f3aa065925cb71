"""Combinatorial purged cross-validation, with results that have tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantsim.api.display import as_html
from quantsim.checkpoints import CheckpointStore
from quantsim.out_of_sample import CrossValidation, PathsOutcome
from quantsim.prices import Prices

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["CrossValidationResult"]


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidationResult:
    """The result of :func:`quantsim.walk_forward` with ``scheme="cpcv"``.

    Attributes:
        outcome: ratios of the paths, stability of parameters and judgement.
        validation: the selected set and the run of every split.
        prices: the prices.
        store: the checkpoint store.
    """

    outcome: PathsOutcome
    validation: CrossValidation
    prices: Prices
    store: CheckpointStore

    @property
    def metrics(self) -> dict[str, float]:
        """Medians over the paths: Sharpe ratio, log growth per year, and information ratio against constant weights."""
        outcome = self.outcome
        values = {"sharpe": outcome.sharpes, "growth": outcome.growths, "information_ratio": outcome.information_ratios}
        return {name: outcome.quantile(own, 0.5) for name, own in values.items()}

    @property
    def frame(self) -> pd.DataFrame:
        """A row per day, indexed by ``time`` (UTC): the value of each path and of the baselines, 1 at the start."""
        import numpy as np
        import pandas as pd

        outcome = self.outcome
        logs = np.cumsum(np.pad(outcome.daily_log_returns, ((0, 0), (1, 0))), axis=1)
        columns = {f"path_{number}": np.exp(own) for number, own in enumerate(logs)}
        columns |= {name: curve.values for name, curve in outcome.baselines.items()}
        return pd.DataFrame(columns, pd.DatetimeIndex(outcome.times, name="time").tz_localize("UTC"))

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per path: its annualised Sharpe and information ratio, and its log growth per year."""
        import pandas as pd

        outcome = self.outcome
        columns = {
            "sharpe": outcome.sharpes,
            "information_ratio": outcome.information_ratios,
            "growth": outcome.growths,
        }
        return pd.DataFrame(columns).rename_axis("path")

    def plot(self) -> Figure:
        """Returns a figure of all paths beside the baselines. As the last line of a cell it shows itself.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from quantsim.report.walk_forward_plot import paths_figure

        return paths_figure(self.outcome)

    def __repr__(self) -> str:
        outcome = self.outcome
        return (
            f"CrossValidationResult({outcome.study!r}, {outcome.trainer}, {len(outcome.paths)} paths through "
            f"{len(outcome.groups)} groups: median Sharpe ratio {self.metrics['sharpe']:.2f} out of sample)"
        )

    def _repr_html_(self) -> str:
        return as_html(f"{self!r}. {self.outcome.judgement}", self.to_frame())
