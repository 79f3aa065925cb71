"""The tables of a study file, each with its units and bounds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    field_serializer,
    model_validator,
)

from quantsim.config.base import Section
from quantsim.fee_rules import get_fee_rule
from quantsim.metrics import get_metric
from quantsim.objective.aggregate import Aggregate
from quantsim.objective.shape import OBJECTIVE
from quantsim.parameters.parameter import in_group
from quantsim.rules import Rule, Trading, ensemble_of, get_rule

__all__ = [
    "Data",
    "Fees",
    "Hybrid",
    "Objective",
    "Periods",
    "Pool",
    "PoolRules",
    "Search",
    "Series",
    "Sgd",
    "Subsidiary",
    "Update",
]

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
    get_rule(name)
    return name


def _known_fee_rule(name: str) -> str:
    get_fee_rule(name)
    return name


def _known_metric(name: str) -> str:
    return get_metric(name).name


def _distinct(tokens: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({token for token in tokens if tokens.count(token) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once: name each once")
    return tokens


def pairs(values: Any) -> Any:
    """A table as pairs, which are hashable; leaves anything else to validation."""
    return tuple(values.items()) if isinstance(values, dict) else values


def frozen_parameters(values: Any) -> Any:
    """Turns nested tables of numbers and lists into sorted pairs of dotted names and hashable values.

    Anything else is left to validation.
    """
    return tuple(sorted(flat_table(values).items())) if isinstance(values, dict) else values


def flat_table(table: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted names; lists become tuples, and of two values for one name the later counts."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = in_group(group, str(name))
        if isinstance(value, Mapping):
            flat |= flat_table(value, key)
        else:
            flat[key] = tuple(value) if isinstance(value, list) else value
    return flat


GroupName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]  # a bare key of TOML
Members = tuple[tuple[GroupName, Annotated[str, AfterValidator(_known_rule)]], ...]
Bound = Annotated[float, Field(gt=0.0, lt=1.0)]
UtcTime = Annotated[datetime, AfterValidator(_to_utc)]
MetricName = Annotated[str, AfterValidator(_known_metric)]
Frozen = tuple[tuple[str, float | tuple[float, ...]], ...]
MetricNumbers = tuple[tuple[MetricName, float], ...]


class Data(Section):
    """Which prices: ``source`` is ``"bundled"``, a folder with one file per token, or one file."""

    source: str = "bundled"
    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(_distinct)]
    bar_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    forward_fill_bars: Annotated[int, Field(ge=0)] | None = None


class Periods(Section):
    """Where training, validation and test begin and end; each is half open, and the next one begins where it ends.

    ``holdout_fraction`` takes validation data from the end of the training period instead, in whole days.
    """

    train_start: UtcTime
    train_end: UtcTime
    validation_end: UtcTime | None = None
    test_end: UtcTime | None = None
    holdout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        names = ("train_start", "train_end", "validation_end", "test_end")
        ends = {name: end for name in names if (end := getattr(self, name)) is not None}
        for earlier, later in itertools.pairwise(ends):
            if not ends[earlier] < ends[later]:
                raise ValueError(
                    f"{later} = {ends[later]:%Y-%m-%d %H:%M} must come after {earlier} = {ends[earlier]:%Y-%m-%d %H:%M}"
                )
        if self.holdout_fraction is not None:
            if self.validation_end is not None:
                raise ValueError(
                    f"holdout_fraction = {self.holdout_fraction:g} and validation_end both say what validation data is: "
                    "give one of them"
                )
            if not self.train_start + timedelta(days=1) <= self._training_end < self.train_end:
                raise ValueError(
                    f"holdout_fraction = {self.holdout_fraction:g} of {self.train_end - self.train_start} must leave at "
                    "least a day to training, and take at least one"
                )
        return self

    @property
    def has_validation(self) -> bool:
        """Whether there is validation data."""
        return self.validation_end is not None or self.holdout_fraction is not None

    @property
    def _training_end(self) -> datetime:
        """Where training stops, less what is held out."""
        days = (self.train_end - self.train_start) / timedelta(days=1)
        return self.train_end - timedelta(days=round((self.holdout_fraction or 0.0) * days))

    def splits(self) -> dict[str, tuple[datetime, datetime]]:
        """Split name → (first moment, end), for the splits there are, in time order."""
        found = {"train": (self.train_start, self._training_end)}
        end = self.train_end
        if self.holdout_fraction is not None:
            found["validation"] = (self._training_end, end)
        if self.validation_end is not None:
            found["validation"] = (end, self.validation_end)
            end = self.validation_end
        if self.test_end is not None:
            found["test"] = (end, self.test_end)
        return found


class PoolRules(Section):
    """What decides a pool's weights: a rule or an ensemble of rules, and the bounds of the weights.

    ``minimum_weight`` is ``0.1/n`` unless set; bounds are one number, or one per token. ``arb_frequency`` is in bars.

    ``published_band_trades`` lets the lone arbitrageur of a pool that trades in batches also trade inside the no-trade band,
    where the pool pays the fee: the published implementation does so. Only for reproducing its figures.
    """

    rule: Annotated[str, AfterValidator(_known_rule)] | None = None
    ensemble: Annotated[Members, BeforeValidator(pairs)] = ()
    minimum_weight: Bound | tuple[Bound, ...] | None = None
    maximum_weight: Bound | tuple[Bound, ...] | None = None
    do_arb: bool = True
    arb_frequency: PositiveInt = 1
    arb_quality: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    published_band_trades: bool = False

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        if (self.rule is None) == (not self.ensemble):
            raise ValueError("give either rule, or ensemble (a table of member = rule)")
        if len(self.ensemble) == 1:
            raise ValueError(f"ensemble has one member, {self.ensemble[0][0]!r}: give it as rule")
        if self.ensemble:
            self.strategy()  # raises where the members do not fit together
        if self.arb_quality != 1.0 and self.strategy().trading is not Trading.BATCHES:
            raise ValueError(f"arb_quality = {self.arb_quality} is for pools that trade in batches: set rule = 'cow'")
        if self.published_band_trades and self.strategy().trading is not Trading.BATCHES:
            raise ValueError(
                "published_band_trades is for pools that trade in batches: set rule = 'cow', or leave it out"
            )
        return self

    @field_serializer("ensemble")
    def _ensemble_as_table(self, ensemble: Members) -> dict[str, str]:
        return dict(ensemble)

    def strategy(self) -> Rule:
        """The rule, or the ensemble as one."""
        if self.rule is not None:
            return get_rule(self.rule)
        return ensemble_of(tuple((name, get_rule(rule)) for name, rule in self.ensemble))

    def members(self) -> tuple[tuple[str, Rule], ...]:
        """The rules whose parameters the pool has, each with its group: empty for the only one."""
        if self.rule is not None:
            return (("", get_rule(self.rule)),)
        return tuple((name, get_rule(rule)) for name, rule in self.ensemble)

    @property
    def strategy_name(self) -> str:
        """The rule's name; the members of an ensemble with theirs."""
        return self.rule or "ensemble of " + ", ".join(f"{name} = {rule}" for name, rule in self.ensemble)


class Pool(PoolRules):
    """The pool itself. ``tokens`` are those of ``data`` unless set; subsidiary pools may stand among them."""

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(_distinct)] | None = None
    initial_value_usd: PositiveFloat = 1_000_000.0


class Update(Section):
    """When and how fast the weights move. ``interpolation_minutes`` is the whole chunk unless set.

    ``published_look_ahead`` steers a chunk with the output of its end instead of its beginning, for rules that output
    weights: the published implementation does so, no pool could. Only for reproducing its figures.
    """

    chunk_minutes: PositiveInt = 1440
    interpolation_minutes: PositiveInt | None = None
    interpolation: Literal["linear", "optimal"] = "linear"
    maximum_change_per_minute: PositiveFloat = 3e-4
    max_memory_days: PositiveFloat = 365.0
    use_alt_lamb: bool = False
    pre_exp_scaling: Literal["off", "log2", "logistic"] = "log2"
    published_look_ahead: bool = False

    @model_validator(mode="after")
    def _ramp_fits(self) -> Self:
        ramp = self.interpolation_minutes
        if ramp is not None and ramp > self.chunk_minutes:
            raise ValueError(f"interpolation_minutes = {ramp} must not exceed chunk_minutes = {self.chunk_minutes}")
        return self


class Fees(Section):
    """What trading costs: shares of the trade, but for ``gas_cost_usd``, which is per trade.

    ``rule`` names a fee rule, which sets the swap fee chunk by chunk. ``rebalancing_cost`` is paid by nobody: it is what the
    yardstick of the metric ``rvr`` pays per value traded.
    """

    swap_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    rule: Annotated[str, AfterValidator(_known_fee_rule)] | None = None
    arb_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    gas_cost_usd: Annotated[float, Field(ge=0.0)] = 0.0
    noise_trader_ratio: Annotated[float, Field(ge=0.0)] = 0.0
    protocol_fee_split: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    rebalancing_cost: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0005

    @model_validator(mode="after")
    def _one_swap_fee(self) -> Self:
        if self.rule is not None and self.swap_fee:
            raise ValueError(f"swap_fee = {self.swap_fee} and rule = {self.rule!r} both set the fee: give one of them")
        return self

    @property
    def rates(self) -> tuple[float, ...]:
        """The numbers among the settings, in the order in which the simulator takes them."""
        return (
            self.swap_fee,
            self.arb_fee,
            self.gas_cost_usd,
            self.noise_trader_ratio,
            self.protocol_fee_split,
            self.rebalancing_cost,
        )

    @property
    def any(self) -> bool:
        """Whether trading costs anything."""
        return self.swap_fee > 0 or self.rule is not None or self.arb_fee > 0 or self.gas_cost_usd > 0


class Subsidiary(PoolRules):
    """A pool whose shares another pool holds. It updates as that one does unless it says otherwise, and has its own fees."""

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(_distinct)]
    update: Update | None = None
    fees: Fees = Fees()


class Series(Section):
    """Files (CSV or Parquet) with a series in time each: a column of times, and one of values, held until the next.

    ``oracle`` has a column per token of the pool. ``trades`` lists swaps: when, what comes in, what goes out, and one amount.
    A fee setting that is a series is no number at the same time; zero, the default, counts as none.
    """

    swap_fee: str | None = None
    arb_fee: str | None = None
    gas_cost_usd: str | None = None
    oracle: str | None = None
    trades: str | None = None

    @property
    def costs(self) -> tuple[str, ...]:
        """The fee settings that vary in time."""
        return tuple(name for name in ("swap_fee", "arb_fee", "gas_cost_usd") if getattr(self, name) is not None)


class Objective(Section):
    """What is maximised, over which training windows, and which metrics are stored beside it.

    Training windows are as long as the training period less ``bout_offset_days``, and begin anywhere in the room this
    leaves: at chunk boundaries (one pass of the estimators serves them all) or, with ``window_grid = "bar"``, at any bar.

    The objective of a window is the ``metric`` plus the metrics of ``weights`` times their weights (a weight for ``metric``
    itself replaces its 1), taken over ``n_periods`` equal parts of the window that share ``period_overlap`` of their length,
    and ``n_random_periods`` more of that length, or over ``periods`` by date; aggregated; less a penalty where the window
    breaks ``constraints`` (metric = least value). On validation and test data the whole split is the only period.
    """

    metric: MetricName = "daily_log_sharpe"
    weights: Annotated[MetricNumbers, BeforeValidator(pairs)] = ()
    constraints: Annotated[MetricNumbers, BeforeValidator(pairs)] = ()
    constraint_penalty: PositiveFloat = 10.0
    n_periods: PositiveInt = 1
    period_overlap: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    n_random_periods: Annotated[int, Field(ge=0)] = 0
    periods: tuple[tuple[UtcTime, UtcTime], ...] = ()
    aggregate: Aggregate = "mean"
    softmin_temperature: PositiveFloat = 1.0
    quantile: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25
    bout_offset_days: Annotated[float, Field(ge=0.0)] = 0.0
    window_grid: Literal["chunk", "bar"] = "chunk"
    report: tuple[MetricName, ...] = DEFAULT_REPORT

    @model_validator(mode="after")
    def _periods_one_way(self) -> Self:
        for begin, end in self.periods:
            if not begin < end:
                raise ValueError(f"periods: {end:%Y-%m-%d %H:%M} must come after {begin:%Y-%m-%d %H:%M}")
        if self.periods and (self.n_periods > 1 or self.n_random_periods):
            raise ValueError("give periods by date, or n_periods and n_random_periods, not both")
        if self.periods and self.bout_offset_days:
            raise ValueError(
                f"periods by date need windows that do not move: leave out bout_offset_days = {self.bout_offset_days:g}"
            )
        return self

    @field_serializer("weights", "constraints")
    def _numbers_as_table(self, numbers: MetricNumbers) -> dict[str, float]:
        return dict(numbers)

    @property
    def terms(self) -> MetricNumbers:
        """(metric, weight) of what is summed; the metric first."""
        return tuple({self.metric: 1.0, **dict(self.weights)}.items())

    @property
    def is_plain(self) -> bool:
        """Whether the objective is simply one metric of the window."""
        one_period = self.n_periods == 1 and not self.n_random_periods and not self.periods
        return one_period and self.terms == ((self.metric, 1.0),) and not self.constraints

    @property
    def name(self) -> str:
        """What the maximised number is called among the stored metrics: the metric, or "objective" where it is more."""
        return self.metric if self.is_plain else OBJECTIVE


class Sgd(Section):
    """The gradient driver; docs/training.md explains every key.

    ``initial`` says where parameter sets beside the first start, ``initial_scale`` in which units. ``initial_spread`` is of
    gaussian sets; the others fill the ranges of the parameters' specs.
    """

    steps: PositiveInt = 500
    train: tuple[str, ...] | None = None
    batch_size: PositiveInt = 8
    sampling: Literal["uniform", "stratified", "exhaustive"] = "uniform"
    n_parameter_sets: PositiveInt = 4
    initial: Literal["gaussian", "latin_hypercube", "sobol", "grid"] = "gaussian"
    initial_scale: Literal["human", "raw"] = "human"
    initial_spread: Annotated[float, Field(ge=0.0)] = 0.5
    optimiser: Literal["adam", "adamw", "sgd", "lion", "lbfgs"] = "adam"
    learning_rate: PositiveFloat = 0.05
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    clip_norm: PositiveFloat | None = 10.0
    schedule: Literal["constant", "cosine", "warmup_cosine", "exponential", "plateau"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    plateau_patience: PositiveInt = 5
    plateau_tolerance: PositiveFloat = 1e-3
    plateau_steps: PositiveInt = 10
    average_from_step: PositiveInt | None = None
    price_noise: Annotated[float, Field(ge=0.0)] = 0.0
    time_reversed: bool = False
    straight_through: tuple[Literal["maximum_change", "weight_bounds"], ...] = ()
    hessian_samples: Annotated[int, Field(ge=0)] = 0
    hessian_step: PositiveFloat = 0.01
    hessian_penalty: Annotated[float, Field(ge=0.0)] = 0.0
    reinitialise_after: PositiveInt | None = 20
    report_every: PositiveInt = 25
    early_stopping_reports: PositiveInt | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        decays = ("adamw", "lion")
        if self.weight_decay and self.optimiser not in decays:
            raise ValueError(
                f"weight_decay = {self.weight_decay} needs optimiser = 'adamw' or 'lion', not {self.optimiser!r}"
            )
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(
                f"momentum = {self.momentum} needs optimiser = 'sgd', not {self.optimiser!r}, which has its own"
            )
        if self.warmup_steps and self.schedule != "warmup_cosine":
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} needs schedule = 'warmup_cosine', not {self.schedule!r}"
            )
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps} must be fewer than steps = {self.steps}")
        if self.hessian_penalty and not self.hessian_samples:
            raise ValueError(
                f"hessian_penalty = {self.hessian_penalty} needs hessian_samples of at least 1, the directions tried a step"
            )
        self._check_lbfgs()
        return self

    def _check_lbfgs(self) -> None:
        if self.optimiser != "lbfgs":
            return
        if self.schedule != "constant":
            raise ValueError(
                f"schedule = {self.schedule!r} is not for optimiser = 'lbfgs', whose line search sets the step: leave it out"
            )
        for name in ("price_noise", "hessian_penalty"):
            if value := getattr(self, name):
                raise ValueError(
                    f"{name} = {value} makes the objective random, and optimiser = 'lbfgs' wants it fixed: leave one out"
                )


class Hybrid(Section):
    """Search and gradients in turns; docs/hybrid.md explains every key."""

    rounds: PositiveInt = 3
    trials: PositiveInt = 50
    top: PositiveInt = 4
    steps: PositiveInt = 100
    gradients: Literal["auto", "zero_fee", "with_fees"] = "auto"
    windows: Literal["whole", "study"] = "whole"
    min_gain: Annotated[float, Field(ge=0.0)] = 1e-3
    max_evaluations: PositiveInt | None = None
    max_minutes: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_round_fits(self) -> Self:
        needed = self.trials + self.top * (self.steps + 1)
        if self.max_evaluations is not None and self.max_evaluations < needed:
            raise ValueError(
                f"max_evaluations = {self.max_evaluations} is less than one round takes: {self.trials} trials, and for each of "
                f"{self.top} sets {self.steps} steps and a trial, {needed} in all; raise it, or lower trials, top or steps"
            )
        return self


class Search(Section):
    """The search driver. ``space`` names a file of ranges; unless set, it is the rule's own.

    ``trial_timeout_minutes`` is how long a worker on another machine may give no sign of life before its trial is given to
    others. ``fixed`` takes parameters out of the search: human-readable name = value. ``objectives`` are several metrics of the
    training period instead of the one objective, maximised, or minimised with a minus before the name. Pruned are trials whose
    mean over the first blocks of the training period is worse than that of others. ``patience`` ends a study whose best has
    not improved by more than ``min_gain`` over that many trials.
    """

    trials: PositiveInt = 200
    jobs: PositiveInt = 1
    trial_timeout_minutes: PositiveFloat | None = 10.0
    space: str | None = None
    fixed: Annotated[Frozen, BeforeValidator(frozen_parameters)] = ()
    sampler: Literal["tpe", "cmaes", "nsga2", "nsga3", "random", "qmc", "gp"] = "tpe"
    n_startup_trials: PositiveInt = 20
    multivariate: bool = True
    population_size: Annotated[int, Field(ge=2)] = 20
    objectives: Annotated[tuple[str, ...], AfterValidator(_distinct)] = ()
    overfitting_penalty: Annotated[float, Field(ge=0.0)] = 0.0
    pruner: Literal["none", "median", "percentile", "hyperband"] = "none"
    prune_blocks: Annotated[int, Field(ge=2)] = 4
    patience: PositiveInt | None = None
    min_gain: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _objectives_fit(self) -> Self:
        if not self.objectives:
            return self
        if len(self.objectives) == 1:
            raise ValueError(
                f"objectives = {list(self.objectives)} is one objective: set objective.metric, and leave it out"
            )
        for name, value, off in (
            ("overfitting_penalty", self.overfitting_penalty, 0.0),
            ("patience", self.patience, None),
            ("pruner", self.pruner, "none"),
        ):
            if value != off:
                raise ValueError(
                    f"{name} = {value!r} is for one objective, and there are {len(self.objectives)}: leave it out"
                )
        return self

    @field_serializer("fixed")
    def _fixed_as_table(self, fixed: Frozen) -> dict[str, Any]:
        return dict(fixed)
