"""The table ``[objective]`` of a study file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantsim.limits import MOST_PERIODS
from quantsim.objective.aggregate import Aggregate
from quantsim.objective.shape import OBJECTIVE
from quantsim.settings.base import Section
from quantsim.settings.decides import Decides
from quantsim.settings.kinds import Count, MetricName, MetricNumbers, Natural, Positive, UtcTime

__all__ = ["Objective"]

_LOOKING = Decides.TRIALS | Decides.STEPS

DEFAULT_REPORT = (
    "daily_log_sharpe",
    "daily_sharpe",
    "daily_sortino",
    "returns",
    "annualised_returns",
    "returns_over_hodl",
    "returns_over_uniform_hodl",
    "turnover",
    "fee_revenue_over_value",
)


class Objective(Section, decides=Decides.OBJECTIVE):
    """The objective, the training windows, and the metrics that are also stored; docs/objectives.md explains every key.

    Training windows are shorter than the training period by ``bout_offset_days``, and start anywhere in it: at chunk
    boundaries, so that all windows share one pass of the estimators, or with ``window_grid = "bar"`` at any bar.

    The objective of a window is a weighted sum: the ``metric`` with weight 1, unless ``weights`` has another weight for it, and
    the metrics of ``weights``. The sum is computed over ``n_periods`` equal periods of the window with ``period_overlap``, and
    ``n_random_periods`` more of the same length, or over ``periods`` by date. The sums are aggregated, and a penalty for
    violated ``constraints`` (metric = smallest value) is subtracted. On validation and test data the whole split is the only
    period.
    """

    metric: MetricName = "daily_log_sharpe"
    """The metric that is maximised."""
    weights: MetricNumbers = ()
    """Further metrics of a weighted sum: metric = weight."""
    constraints: MetricNumbers = ()
    """Smallest allowed values of metrics, over the whole window: metric = value."""
    constraint_penalty: Positive = 10.0
    """Penalty on a violation of 100 %."""
    n_periods: Annotated[Count, Field(le=MOST_PERIODS), Decides.PERIODS] = 1
    """Number of equal periods of a window."""
    period_overlap: Annotated[float, Field(ge=0.0, lt=1.0), Decides.PERIODS] = 0.0
    """Overlap of a period with the next one, as a share of its length."""
    n_random_periods: Annotated[Natural, Field(le=MOST_PERIODS), Decides.PERIODS] = 0
    """Number of further periods of the same length, at random places."""
    periods: Annotated[tuple[tuple[UtcTime, UtcTime], ...], Field(max_length=MOST_PERIODS), Decides.PERIODS] = ()
    """Periods of training by date, ``[start, end]``, instead of the three keys above."""
    aggregate: Aggregate = "mean"
    """How the values of the periods become one number."""
    softmin_temperature: Annotated[Positive, Field(ge=1e-9)] = 1.0
    """Temperature of ``softmin``, in units of the aggregated values."""
    quantile: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25
    """Level of ``quantile``: the share of the periods that is worse."""
    bout_offset_days: Annotated[float, Field(ge=0.0, le=36_525.0), _LOOKING] = 0.0
    """Days by which training windows are shorter than the training period; they start anywhere in it."""
    window_grid: Annotated[Literal["chunk", "bar"], _LOOKING] = "chunk"
    """Where windows may start: at chunk boundaries, or at any bar."""
    report: Annotated[tuple[MetricName, ...], _LOOKING] = DEFAULT_REPORT
    """Metrics that are stored with each parameter set, for each split."""

    @model_validator(mode="after")
    def _periods_one_way(self) -> Self:
        for begin, end in self.periods:
            if not begin < end:
                raise ValueError(f"periods: {end:%Y-%m-%d %H:%M} must come after {begin:%Y-%m-%d %H:%M}")
        if self.periods and (self.n_periods > 1 or self.n_random_periods):
            raise ValueError("give periods by date, or n_periods and n_random_periods, not both")
        if self.periods and self.bout_offset_days:
            raise ValueError(f"periods by date need fixed windows: remove bout_offset_days = {self.bout_offset_days:g}")
        return self

    @property
    def terms(self) -> MetricNumbers:
        """Pairs (metric, weight) of the weighted sum, ``metric`` first."""
        return tuple({self.metric: 1.0, **dict(self.weights)}.items())

    @property
    def is_plain(self) -> bool:
        """Whether the objective is a single metric of the window."""
        one_period = self.n_periods == 1 and not self.n_random_periods and not self.periods
        return one_period and self.terms == ((self.metric, 1.0),) and not self.constraints

    @property
    def name(self) -> str:
        """Name of the objective among the stored metrics: the metric if it is plain, else "objective"."""
        return self.metric if self.is_plain else OBJECTIVE
