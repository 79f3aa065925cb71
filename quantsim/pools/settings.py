"""The tables of a study that define one pool, and the view of them that a mechanism receives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from quantsim.discovery import short_name
from quantsim.parameters import common
from quantsim.parameters.parameter import in_group
from quantsim.rules import Rule
from quantsim.settings.base import Section
from quantsim.settings.decides import Decides
from quantsim.settings.kinds import Count, Days, FeeRuleName, Minutes, Natural, NotNegative, Positive
from quantsim.volume.model import VolumeModel

__all__ = ["Fees", "PoolSettings", "PoolView", "Update"]


def _known_pool(name: str, info: ValidationInfo) -> str:
    from quantsim.pools.registry import checked_pool_name

    return checked_pool_name(name, info.context)


class PoolSettings(Section, decides=Decides.VALUE):
    """Settings of every pool; the settings of a mechanism derive from this class.

    ``type`` names the mechanism; unless set, ``rule`` decides. ``arb_frequency`` is in bars.
    """

    type: Annotated[str, AfterValidator(_known_pool)] | None = None
    """Mechanism: how the pool trades; by default what the rule stands for, else ``weighted``."""
    do_arb: bool = True
    """Whether arbitrageurs trade with the pool."""
    arb_frequency: Count = 1
    """Bars between the visits of arbitrageurs."""

    @property
    def rule_names(self) -> tuple[str, ...]:
        """Returns the names of the rules that set the pool's weights; empty for a pool without rules."""
        return ()

    def strategy(self) -> Rule | None:
        """Returns the rule that sets the weights, or the ensemble as one rule; None for a pool without rules."""
        return None

    def members(self) -> tuple[tuple[str, Rule], ...]:
        """Returns the rules whose parameters the pool has, each with its group; the group of a single rule is empty."""
        return ()

    @property
    def strategy_name(self) -> str:
        """The name of the pool in tables: that of its rule or, without one, of its mechanism."""
        return short_name(self.type or "pool")

    @property
    def label(self) -> str:
        """The name of the pool for readers: that in tables and, unless its rule implies it, its mechanism."""
        return (
            f"{self.strategy_name} ({short_name(self.type)})" if self.type and self.rule_names else self.strategy_name
        )

    @property
    def called(self) -> str:
        """The name of the pool in messages."""
        return f"{'rule' if self.rule_names else 'pool'} {self.strategy_name!r}"


class Update(Section, decides=Decides.VALUE):
    """When and how fast the weights move. ``interpolation_minutes`` is by default the whole chunk.

    ``interpolation`` is the shape of a ramp: linear, or the one of arXiv:2403.18737, which loses less. ``published_optimal`` is
    that of quantammsim: its last step is too large, and it may exceed the bounds and the speed limit. Only use it to
    reproduce results of quantammsim.

    With ``published_look_ahead`` a chunk uses the rule's output at its end instead of its beginning, for rules that output
    weights, as in quantammsim. No real pool can do so. Only use it to reproduce results of quantammsim.
    """

    chunk_minutes: Minutes = 1440
    """Minutes between two decisions of the rule."""
    interpolation_minutes: Minutes | None = None
    """Minutes over which weights move to their new values; by default the whole chunk."""
    interpolation: Literal["linear", "optimal", "published_optimal"] = "linear"
    """Shape of the move."""
    maximum_change_per_minute: Positive = 3e-4
    """Largest change of a weight per minute."""
    max_memory_days: Days = 365.0
    """Upper limit of all memories, in days, and length of the warm-up of estimators before training."""
    use_alt_lamb: bool = False
    """Whether the divisor of a slope has a memory of its own, ``alt_memory_days``."""
    pre_exp_scaling: Literal["off", "log2", "logistic"] = "log2"
    """Parameter that scales a slope before the power: a positive one, one between bounds, or none."""
    published_look_ahead: bool = False
    """Whether a chunk uses the rule's output at its end; only to reproduce published figures."""

    @model_validator(mode="after")
    def _ramp_fits(self) -> Self:
        ramp = self.interpolation_minutes
        if ramp is not None and ramp > self.chunk_minutes:
            raise ValueError(f"interpolation_minutes = {ramp} must not exceed chunk_minutes = {self.chunk_minutes}")
        return self


class Fees(Section, decides=Decides.VALUE):
    """Trading costs, as shares of the trade's value, except ``gas_cost_usd``, which is in USD per trade.

    ``rule`` names a fee rule, which sets the swap fee for each chunk. ``rebalancing_cost`` is the cost per value traded of the
    benchmark of the metric ``rvr``; the pool does not pay it.

    ``volume = "elastic"`` replaces ``noise_trader_ratio`` by a volume of noise traders that depends on the fee, the pool's
    value, volatility and the hour: ``volume_model`` says how, a table or the file of ``quantsim fit-volume``.
    """

    swap_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Fee of traders, as a share of the amount in."""
    rule: FeeRuleName | None = None
    """Fee rule that sets the swap fee in each chunk, instead of ``swap_fee``."""
    arb_fee: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Own cost of arbitrageurs, as a share of the value traded, half on each leg."""
    gas_cost_usd: NotNegative = 0.0
    """Fixed cost of a trade for arbitrageurs, in USD."""
    noise_trader_ratio: NotNegative = 0.0
    """Volume of noise traders divided by that of arbitrageurs."""
    protocol_fee_split: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the swap fee that leaves the pool."""
    rebalancing_cost: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0005
    """Cost per value traded of the benchmark portfolio of the metric ``rvr``; the pool does not pay it."""

    volume: Literal["proportional", "elastic"] = "proportional"
    """Volume of noise traders: in proportion to that of arbitrageurs, or by ``volume_model``."""
    volume_model: VolumeModel | None = None
    """Model of elastic volume: a table, or a file of ``quantsim fit-volume``."""
    volume_draws: Natural = 0
    """Number of posterior draws of the model that results are over; 0 for its point estimate."""
    volume_quantile: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Quantile over draws of the pool's growth by noise, by default its mean."""
    volume_prior_decides: bool = False
    """Whether a fee may be trained although the data of the model does not tell the elasticity to it."""

    @model_validator(mode="after")
    def _one_volume(self) -> Self:
        if self.volume != "elastic":
            keys = ("volume_model", "volume_draws", "volume_quantile", "volume_prior_decides")
            if given := [key for key in keys if getattr(self, key)]:
                raise ValueError(f"{given[0]} is for volume = 'elastic': set that, or leave {given[0]} out")
            return self
        if self.volume_model is None:
            raise ValueError(
                "volume = 'elastic' needs volume_model: a table with usd_per_day and elasticities, or a file of "
                "`quantsim fit-volume`"
            )
        for key, remedy in (
            ("noise_trader_ratio", "the model says how much noise there is"),
            ("gas_cost_usd", "the model is exact only for costs in proportion to trades"),
        ):
            if value := getattr(self, key):
                raise ValueError(f"{key} = {value:g} does not go with volume = 'elastic', {remedy}: leave {key} out")
        if self.volume_draws > len(self.volume_model.draws):
            raise ValueError(
                f"volume_draws = {self.volume_draws}, but volume_model has {len(self.volume_model.draws)} draws: take fewer, "
                "or fit with more (--draws)"
            )
        if self.volume_quantile is not None and self.volume_draws < 2:
            raise ValueError(f"volume_quantile = {self.volume_quantile:g} needs draws: set volume_draws to 2 or more")
        return self

    @model_validator(mode="after")
    def _one_swap_fee(self) -> Self:
        if self.rule is not None and self.swap_fee:
            raise ValueError(f"swap_fee = {self.swap_fee} and rule = {self.rule!r} both set the fee: give one of them")
        return self

    @property
    def rates(self) -> tuple[float, ...]:
        """The numeric settings, in the order that the simulator expects."""
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


@dataclass(frozen=True)
class PoolView:
    """One pool of an experiment, with all settings that affect its simulation.

    Attributes:
        group: group of its parameters; empty for the experiment's main pool, else the subsidiary's name.
        tokens: its assets, in order: tokens, and shares of subsidiaries.
        pool: settings of the pool.
        update: when decisions are made, and how fast weights move.
        fees: costs of trading with it.
        given: names of the pool's parameters that the experiment sets, without the group.
    """

    group: str
    tokens: tuple[str, ...]
    pool: PoolSettings
    update: Update
    fees: Fees
    given: frozenset[str]

    @property
    def rule(self) -> Rule | None:
        """The rule that sets its weights; None for a pool without rules."""
        return self.pool.strategy()

    @property
    def ignored(self) -> tuple[str, ...]:
        """Raw names, in the pool's group, of parameters that quantammsim's parameter sets contain but do not use."""
        return () if self.rule is None else tuple(in_group(self.group, name) for name in self.rule.ignores)

    @property
    def published(self) -> tuple[str, ...]:
        """The settings that only exist to reproduce results of quantammsim, as ``table.key = value``."""
        where = f"subsidiaries.{self.group}" if self.group else ""
        tables = (where or "pool", self.pool), (in_group(where, "update"), self.update)
        return tuple(
            f"{table}.{key} = {json.dumps(value)}"
            for table, section in tables
            for key, value in section
            if (key.startswith("published") and value) or (key == "interpolation" and value.startswith("published"))
        )

    @property
    def tunes_fee(self) -> bool:
        """Whether the swap fee is a parameter."""
        return bool(self.given & {common.swap_fee.raw_name, common.swap_fee.human_name})

    @property
    def interpolation_minutes(self) -> int:
        """The length of a weight ramp, in minutes: as set, or the length of a chunk."""
        return self.update.interpolation_minutes or self.update.chunk_minutes

    def told(self, key: str) -> str:
        """Formats a key of the pool and its value, for messages."""
        value = getattr(self.pool, key)
        table = f"subsidiaries.{self.group}" if self.group else "pool"
        return f"{table}.{key} = {list(value) if isinstance(value, tuple) else value}"
