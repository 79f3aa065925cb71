"""From an experiment to the static properties of its pool."""

from __future__ import annotations

from typing import Any

from quantsim.config import Experiment
from quantsim.config.pools import pool_of
from quantsim.errors import ConfigError
from quantsim.fee_rules import get_fee_rule
from quantsim.pools.base import CostShape, PoolSetup, Subsidiary
from quantsim.pools.settings import PoolView
from quantsim.rules import RuleSettings
from quantsim.scan_mode import ScanMode, backend_scan_mode
from quantsim.volume.model import VolumeShape

__all__ = ["pool_setup"]


def pool_setup(experiment: Experiment, bar_minutes: int, scan_mode: ScanMode | None = None) -> PoolSetup[Any]:
    """Returns the setup of an experiment's pool for bars of a given length.

    Args:
        experiment: experiment with the pool and its subsidiaries.
        bar_minutes: length of a bar, in minutes.
        scan_mode: scan mode; by default, the fastest one on the backend for these pools.

    Raises:
        ConfigError: a chunk or a ramp is not a whole number of bars.
    """
    *subsidiary_views, main = experiment.pools
    varying = experiment.series.costs
    if scan_mode is None:
        views = [*((view, ()) for view in subsidiary_views), (main, varying)]
        passes = [pool_of(view) for view, costs in views if pool_of(view).is_sequential or _costs(view, costs).charges]
        scan_mode = backend_scan_mode(kernels=any(pool.has_kernel for pool in passes))
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
        varying=varying,
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
) -> PoolSetup[Any]:
    update, pool = view.update, pool_of(view)
    where = f"subsidiaries.{view.group}." if view.group else ""
    for key, minutes in (
        ("chunk_minutes", update.chunk_minutes),
        ("interpolation_minutes", view.interpolation_minutes),
    ):
        if minutes % bar_minutes:
            raise ConfigError(
                f"{where}update.{key} = {minutes} must be a multiple of the {bar_minutes}-minute bars of the prices"
            )
    settings = RuleSettings(
        update.chunk_minutes, update.max_memory_days, update.use_alt_lamb, update.pre_exp_scaling, scan_mode
    )
    return PoolSetup(
        pool=pool,
        own=view.pool if pool.static is None else pool.static(view, bar_minutes, settings),
        n_tokens=len(view.tokens),
        bar_minutes=bar_minutes,
        chunk_bars=update.chunk_minutes // bar_minutes,
        initial_value=initial_value,
        do_arb=view.pool.do_arb,
        arb_frequency=view.pool.arb_frequency,
        settings=settings,
        look_ahead=update.published_look_ahead,
        costs=_costs(view, varying, bar_minutes),
        has_trades=has_trades,
        subsidiaries=subsidiaries,
        columns=columns,
    )


def _costs(view: PoolView, varying: tuple[str, ...], bar_minutes: int = 1) -> CostShape:
    fees, volume = view.fees, None
    if fees.volume_model is not None:
        bars = max(1, round(fees.volume_model.volatility_days * 1440 / bar_minutes))
        volume = VolumeShape(bars, fees.volume_quantile)
    has_fee = fees.swap_fee > 0 or fees.rule is not None or view.tunes_fee or "swap_fee" in varying
    return CostShape(
        charges=fees.any or has_fee or bool(varying),
        has_gas=fees.gas_cost_usd > 0 or "gas_cost_usd" in varying,
        has_noise=fees.noise_trader_ratio > 0 and has_fee,
        tunes_fee=view.tunes_fee,
        fee_rule=None if fees.rule is None else get_fee_rule(fees.rule),
        volume=volume,
    )
