"""The static shape of a pool: everything a compiled program is specialised to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quantsim.config import Experiment
from quantsim.config.pools import PoolView
from quantsim.errors import ConfigError
from quantsim.fee_rules import FeeRule, get_fee_rule
from quantsim.rules import Output, Rule, RuleSettings, Trading
from quantsim.scan_mode import ScanMode, backend_scan_mode

__all__ = ["PoolSetup", "Subsidiary", "pool_setup"]


@dataclass(frozen=True)
class PoolSetup:
    """A pool, its rule and its update settings, in bars. Hashable: two experiments of equal setup share one program.

    Attributes:
        rule: the strategy.
        settings: what of the experiment the rule reads.
        n_tokens: number of tokens, ``n``.
        bar_minutes: length of a bar, in minutes.
        chunk_bars: bars between decisions, ``C``.
        ramp_bars: bars over which a decided change is spread, ``I ≤ C``.
        maximum_change: largest weight change per bar.
        minimum_weight: lower guardrail; of the tokens' lower bounds, the lowest.
        bounds: (lower, upper) of each token, where they have bounds of their own; None where the guardrail is all there is.
        tuned_bounds: raw names of the bounds that are parameters.
        interpolation: what the ramp is: ``"linear"``, ``"optimal"`` or ``"published_optimal"``.
        look_ahead: whether a chunk is steered by the output of its end, as in the published implementation.
        initial_value: pool value at the first bar, in the quote currency.
        do_arb: whether arbitrageurs trade at all.
        arb_frequency: bars between their visits.
        arb_quality: of a pool that trades in batches: 1 for perfect competition, 0 for a single arbitrageur.
        published_band_trades: whether that one also trades inside the no-trade band, as in the published implementation.
        charges: whether any fee, gas or arbitrage cost applies.
        has_gas: whether a trade has to earn a fixed cost.
        has_noise: whether noise traders follow the arbitrageurs.
        has_trades: whether exogenous swaps are executed.
        tunes_fee: whether the swap fee is a parameter.
        fee_rule: sets the swap fee chunk by chunk; None for a fee that is set otherwise.
        subsidiaries: the pools whose shares it or another subsidiary holds, each after those that it holds.
        straight_through: limits that a gradient passes as if they were not there: ``"maximum_change"``, ``"weight_bounds"``.
        columns: where the pool's tokens are among those of the data, followed by the subsidiaries.
    """

    rule: Rule
    settings: RuleSettings
    n_tokens: int
    bar_minutes: int
    chunk_bars: int
    ramp_bars: int
    maximum_change: float
    minimum_weight: float
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None
    tuned_bounds: tuple[str, ...]
    interpolation: str
    look_ahead: bool
    initial_value: float
    do_arb: bool
    arb_frequency: int
    arb_quality: float
    published_band_trades: bool
    charges: bool
    has_gas: bool
    has_noise: bool
    has_trades: bool = False
    tunes_fee: bool = False
    fee_rule: FeeRule | None = None
    subsidiaries: tuple[Subsidiary, ...] = ()
    columns: tuple[int, ...] = ()
    straight_through: tuple[str, ...] = ()

    @property
    def scan_mode(self) -> ScanMode:
        """How recursions are run."""
        return self.settings.scan_mode

    @property
    def holds(self) -> bool:
        """Whether the reserves never change."""
        return (not self.do_arb or self.rule.trading is Trading.NONE) and not self.has_trades

    @property
    def batches(self) -> bool:
        """Whether trade is in batches at one price."""
        return self.rule.trading is Trading.BATCHES

    def with_straight_through(self, limits: tuple[str, ...]) -> PoolSetup:
        """The same pool, and its subsidiaries, with gradients that pass limits as if they were not there."""
        subsidiaries = tuple(
            replace(part, setup=part.setup.with_straight_through(limits)) for part in self.subsidiaries
        )
        return replace(self, straight_through=limits, subsidiaries=subsidiaries)

    @property
    def shows_shares(self) -> bool:
        """Whether the pool has no weights of its own, so that its shares of value are shown as weights."""
        return self.rule.trading is Trading.NONE

    @property
    def moves(self) -> bool:
        """Whether the weights ever change."""
        return self.rule.output is not Output.CONSTANT

    @property
    def starts_at_target(self) -> bool:
        """Whether the first chunk is steered, too, and the pool starts at the rule's first output."""
        return self.rule.output is Output.WEIGHTS


@dataclass(frozen=True)
class Subsidiary:
    """A pool whose shares another pool holds.

    Attributes:
        group: of its parameters.
        setup: its own.
        rates: what trading with it costs, in the order of :class:`~quantsim.pools.market.FeeRates`.
    """

    group: str
    setup: PoolSetup
    rates: tuple[float, ...]


def pool_setup(experiment: Experiment, bar_minutes: int, scan_mode: ScanMode | None = None) -> PoolSetup:
    """The setup of an experiment on bars of a given length.

    Args:
        experiment: the pool and its subsidiaries.
        bar_minutes: length of a bar, in minutes.
        scan_mode: how recursions are run; unless given, as suits the backend.

    Raises:
        ConfigError: a chunk or a ramp is not a whole number of bars.
    """
    scan_mode = scan_mode or backend_scan_mode()
    *subsidiary_views, main = experiment.pools
    positions = {token: column for column, token in enumerate(experiment.data.tokens)}
    subsidiaries = []
    for view in subsidiary_views:
        setup = _setup(view, bar_minutes, scan_mode, initial_value=1.0, columns=_columns(view, positions))
        subsidiaries.append(Subsidiary(view.group, setup, view.fees.rates))
        positions[view.group] = len(positions)
    return _setup(
        main,
        bar_minutes,
        scan_mode,
        initial_value=experiment.pool.initial_value_usd,
        columns=_columns(main, positions),
        subsidiaries=tuple(subsidiaries),
        varying=experiment.series.costs,
        has_trades=experiment.series.trades is not None,
    )


def _columns(view: PoolView, positions: dict[str, int]) -> tuple[int, ...]:
    return tuple(positions[token] for token in view.tokens)


def _setup(
    view: PoolView,
    bar_minutes: int,
    scan_mode: ScanMode,
    *,
    initial_value: float,
    columns: tuple[int, ...],
    subsidiaries: tuple[Subsidiary, ...] = (),
    varying: tuple[str, ...] = (),
    has_trades: bool = False,
) -> PoolSetup:
    update, fees = view.update, view.fees
    where = f"subsidiaries.{view.group}." if view.group else ""
    lower, upper = view.bounds()
    has_fee = fees.swap_fee > 0 or fees.rule is not None or view.tunes_fee or "swap_fee" in varying
    return PoolSetup(
        rule=view.rule,
        settings=RuleSettings(
            update.chunk_minutes, update.max_memory_days, update.use_alt_lamb, update.pre_exp_scaling, scan_mode
        ),
        n_tokens=len(view.tokens),
        bar_minutes=bar_minutes,
        chunk_bars=_whole_bars(f"{where}update.chunk_minutes", update.chunk_minutes, bar_minutes),
        ramp_bars=_whole_bars(f"{where}update.interpolation_minutes", view.interpolation_minutes, bar_minutes),
        maximum_change=update.maximum_change_per_minute * bar_minutes,
        minimum_weight=min(lower),
        bounds=(lower, upper) if view.has_token_bounds else None,
        tuned_bounds=tuple(spec.raw_name for spec in view.tuned_bounds),
        interpolation=update.interpolation,
        look_ahead=update.published_look_ahead,
        initial_value=initial_value,
        do_arb=view.pool.do_arb,
        arb_frequency=view.pool.arb_frequency,
        arb_quality=view.pool.arb_quality,
        published_band_trades=view.pool.published_band_trades,
        charges=fees.any or has_fee or bool(varying),
        has_gas=fees.gas_cost_usd > 0 or "gas_cost_usd" in varying,
        has_noise=fees.noise_trader_ratio > 0 and has_fee,
        has_trades=has_trades,
        tunes_fee=view.tunes_fee,
        fee_rule=None if fees.rule is None else get_fee_rule(fees.rule),
        subsidiaries=subsidiaries,
        columns=columns,
    )


def _whole_bars(key: str, minutes: int, bar_minutes: int) -> int:
    if minutes % bar_minutes:
        raise ConfigError(f"{key} = {minutes} must be a multiple of the {bar_minutes}-minute bars of the prices")
    return minutes // bar_minutes
