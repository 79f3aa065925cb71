"""The tables of a study file, each with its units and bounds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from quantsim.config.base import Section
from quantsim.metrics import get_metric
from quantsim.rules import get_rule

__all__ = ["Data", "Fees", "Objective", "Periods", "Pool", "Search", "Sgd", "Update"]

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


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _known_rule(name: str) -> str:
    return get_rule(name).name


def _known_metric(name: str) -> str:
    return get_metric(name).name


def _distinct(tokens: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({token for token in tokens if tokens.count(token) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once: name each token once")
    return tokens


UtcTime = Annotated[datetime, AfterValidator(_to_utc)]
MetricName = Annotated[str, AfterValidator(_known_metric)]


class Data(Section):
    """Which prices: ``source`` is ``"bundled"``, a folder with one file per token, or one file."""

    source: str = "bundled"
    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(_distinct)]
    bar_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    forward_fill_bars: Annotated[int, Field(ge=0)] | None = None


class Periods(Section):
    """Where training, validation and test begin and end; each is half open, and the next one begins where it ends."""

    train_start: UtcTime
    train_end: UtcTime
    validation_end: UtcTime | None = None
    test_end: UtcTime | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends = {name: end for name in type(self).model_fields if (end := getattr(self, name)) is not None}
        names = list(ends)
        for earlier, later in itertools.pairwise(names):
            if not ends[earlier] < ends[later]:
                raise ValueError(
                    f"{later} = {ends[later]:%Y-%m-%d %H:%M} must come after {earlier} = {ends[earlier]:%Y-%m-%d %H:%M}"
                )
        return self

    def splits(self) -> dict[str, tuple[datetime, datetime]]:
        """Split name → (first moment, end), for the splits there are, in time order."""
        found = {"train": (self.train_start, self.train_end)}
        end = self.train_end
        if self.validation_end is not None:
            found["validation"] = (end, self.validation_end)
            end = self.validation_end
        if self.test_end is not None:
            found["test"] = (end, self.test_end)
        return found


class Pool(Section):
    """The pool itself. ``minimum_weight`` is ``0.1/n`` unless set; ``arb_frequency`` is in bars."""

    rule: Annotated[str, AfterValidator(_known_rule)]
    initial_value_usd: PositiveFloat = 1_000_000.0
    minimum_weight: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    do_arb: bool = True
    arb_frequency: PositiveInt = 1


class Update(Section):
    """When and how fast the weights move. ``interpolation_minutes`` is the whole chunk unless set."""

    chunk_minutes: PositiveInt = 1440
    interpolation_minutes: PositiveInt | None = None
    interpolation: Literal["linear", "optimal"] = "linear"
    maximum_change_per_minute: PositiveFloat = 3e-4
    max_memory_days: PositiveFloat = 365.0
    use_alt_lamb: bool = False

    @model_validator(mode="after")
    def _ramp_fits(self) -> Self:
        ramp = self.interpolation_minutes
        if ramp is not None and ramp > self.chunk_minutes:
            raise ValueError(f"interpolation_minutes = {ramp} must not exceed chunk_minutes = {self.chunk_minutes}")
        return self


class Fees(Section):
    """What trading costs: shares of the trade, but for ``gas_cost_usd``, which is per trade."""

    swap_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    arb_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    gas_cost_usd: Annotated[float, Field(ge=0.0)] = 0.0
    noise_trader_ratio: Annotated[float, Field(ge=0.0)] = 0.0
    protocol_fee_split: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    @property
    def any(self) -> bool:
        """Whether trading costs anything."""
        return self.swap_fee > 0 or self.arb_fee > 0 or self.gas_cost_usd > 0


class Objective(Section):
    """What is maximised, over which training windows, and which metrics are stored beside it.

    Training windows are as long as the training period less ``bout_offset_days``, and begin anywhere in the room this
    leaves: at chunk boundaries (one pass of the estimators serves them all) or, with ``window_grid = "bar"``, at any bar.
    """

    metric: MetricName = "daily_log_sharpe"
    bout_offset_days: Annotated[float, Field(ge=0.0)] = 0.0
    window_grid: Literal["chunk", "bar"] = "chunk"
    report: tuple[MetricName, ...] = DEFAULT_REPORT


class Sgd(Section):
    """The gradient driver."""

    steps: PositiveInt = 500
    batch_size: PositiveInt = 8
    n_parameter_sets: PositiveInt = 4
    initial_spread: Annotated[float, Field(ge=0.0)] = 0.5
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: PositiveFloat = 0.05
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    schedule: Literal["constant", "warmup_cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    clip_norm: PositiveFloat | None = 10.0
    report_every: PositiveInt = 25
    early_stopping_reports: PositiveInt | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.weight_decay and self.optimiser != "adamw":
            raise ValueError(f"weight_decay = {self.weight_decay} needs optimiser = 'adamw', not {self.optimiser!r}")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps} must be fewer than steps = {self.steps}")
        return self


class Search(Section):
    """The search driver. ``space`` names a file of ranges; unless set, it is the rule's own."""

    trials: PositiveInt = 200
    jobs: PositiveInt = 1
    space: str | None = None
    n_startup_trials: PositiveInt = 20
    multivariate: bool = True


def frozen_parameters(values: Any) -> Any:
    """Turns a table of numbers and lists into sorted pairs of hashable values; leaves anything else to validation."""
    if isinstance(values, dict):
        return tuple(sorted((str(name), tuple(v) if isinstance(v, list) else v) for name, v in values.items()))
    return values
