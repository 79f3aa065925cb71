"""The tables of a study file that say what a pool is, each with its units and bounds."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from quantsim.config.identity import Decides
from quantsim.discovery import is_loadable, short_name
from quantsim.rules import Rule, Trading, ensemble_of, get_rule
from quantsim.settings.base import Section
from quantsim.settings.kinds import (
    Bound,
    Count,
    Days,
    FeeRuleName,
    Members,
    Minutes,
    Natural,
    NotNegative,
    Positive,
    RuleName,
    UtcTime,
    distinct,
)

__all__ = ["Data", "Fees", "Periods", "Pool", "PoolRules", "Series", "Subsidiary", "Update"]


class Data(Section, decides=Decides.VALUE):
    """Which prices: ``source`` is ``"bundled"``, a folder with one file per token, or one file.

    ``stamps`` says what the stamps of all files mark, those of ``series`` too: the end of a bar, when its close is known, or
    its start.
    """

    source: Annotated[str, Field(min_length=1), Decides.NOTHING] = "bundled"
    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)]
    bar_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    forward_fill_bars: Natural | None = None
    stamps: Literal["end", "start"] = "end"

    @model_validator(mode="after")
    def _stamps_fit(self) -> Self:
        if self.source == "bundled" and self.stamps == "start":
            raise ValueError(
                "stamps = 'start' is for files of your own: the bundled prices are stamped at the end of their bars; leave it "
                "out, or set source"
            )
        return self


class Periods(Section, decides=Decides.VALUE):
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


class PoolRules(Section, decides=Decides.VALUE):
    """What decides a pool's weights: a rule or an ensemble of rules, and the bounds of the weights.

    ``minimum_weight`` is ``0.1/n`` unless set; bounds are one number, or one per token. ``arb_frequency`` is in bars.

    ``published_band_trades`` lets the lone arbitrageur of a pool that trades in batches also trade inside the no-trade band,
    where the pool pays the fee: the published implementation does so. Only for reproducing its figures.
    """

    rule: RuleName | None = None
    ensemble: Members = ()
    minimum_weight: Bound | tuple[Bound, ...] | None = None
    maximum_weight: Bound | tuple[Bound, ...] | None = None
    do_arb: bool = True
    arb_frequency: Count = 1
    arb_quality: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    published_band_trades: bool = False

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        if (self.rule is None) == (not self.ensemble):
            raise ValueError("give either rule, or ensemble (a table of member = rule)")
        if len(self.ensemble) == 1:
            raise ValueError(f"ensemble has one member, {self.ensemble[0][0]!r}: give it as rule")
        if not all(is_loadable(name) for name in self.rule_names):
            return self  # a stored study that is only read
        if self.ensemble:
            self.strategy()  # raises where the members do not fit together
        if self.arb_quality != 1.0 and self.strategy().trading is not Trading.BATCHES:
            raise ValueError(f"arb_quality = {self.arb_quality} is for pools that trade in batches: set rule = 'cow'")
        if self.published_band_trades and self.strategy().trading is not Trading.BATCHES:
            raise ValueError(
                "published_band_trades is for pools that trade in batches: set rule = 'cow', or leave it out"
            )
        return self

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The names of the rule, or of the ensemble's members."""
        return (self.rule,) if self.rule is not None else tuple(name for _, name in self.ensemble)

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
        """The rule's name, for display; the members of an ensemble with theirs."""
        if self.rule is not None:
            return short_name(self.rule)
        return "ensemble of " + ", ".join(f"{name} = {short_name(rule)}" for name, rule in self.ensemble)


class Pool(PoolRules):
    """The pool itself. ``tokens`` are those of ``data`` unless set; subsidiary pools may stand among them."""

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)] | None = None
    initial_value_usd: Annotated[Positive, Field(ge=1e-6)] = 1_000_000.0


class Update(Section, decides=Decides.VALUE):
    """When and how fast the weights move. ``interpolation_minutes`` is the whole chunk unless set.

    ``interpolation`` is the form of a ramp: linear, or the one of arXiv:2403.18737 that loses less. ``published_optimal`` is
    that of the published implementation, which ends with too large a step and may break bounds and speed limit. Only for
    reproducing its figures.

    ``published_look_ahead`` steers a chunk with the output of its end instead of its beginning, for rules that output
    weights: the published implementation does so, no pool could. Only for reproducing its figures.
    """

    chunk_minutes: Minutes = 1440
    interpolation_minutes: Minutes | None = None
    interpolation: Literal["linear", "optimal", "published_optimal"] = "linear"
    maximum_change_per_minute: Positive = 3e-4
    max_memory_days: Days = 365.0
    use_alt_lamb: bool = False
    pre_exp_scaling: Literal["off", "log2", "logistic"] = "log2"
    published_look_ahead: bool = False

    @model_validator(mode="after")
    def _ramp_fits(self) -> Self:
        ramp = self.interpolation_minutes
        if ramp is not None and ramp > self.chunk_minutes:
            raise ValueError(f"interpolation_minutes = {ramp} must not exceed chunk_minutes = {self.chunk_minutes}")
        return self


class Fees(Section, decides=Decides.VALUE):
    """What trading costs: shares of the trade, but for ``gas_cost_usd``, which is per trade.

    ``rule`` names a fee rule, which sets the swap fee chunk by chunk. ``rebalancing_cost`` is paid by nobody: it is what the
    benchmark of the metric ``rvr`` pays per value traded.
    """

    swap_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    rule: FeeRuleName | None = None
    arb_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    gas_cost_usd: NotNegative = 0.0
    noise_trader_ratio: NotNegative = 0.0
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

    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)]
    update: Update | None = None
    fees: Fees = Fees()


class Series(Section, decides=Decides.VALUE):
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
