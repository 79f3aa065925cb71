"""Simulates one pool with one parameter set, and returns its state at every bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantsim.config import Experiment
from quantsim.device import device_array
from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.metrics import metric_names
from quantsim.pools.base import ParameterSchedule, PoolSetup
from quantsim.pools.exogenous_swaps import Fills, Outcome
from quantsim.pools.steered.weights import Steering
from quantsim.precision import in_float64
from quantsim.prices import PriceData
from quantsim.prices.instants import Time
from quantsim.simulator.carried import schedule_of
from quantsim.simulator.evaluate import window_path
from quantsim.simulator.evaluator import Evaluator
from quantsim.simulator.measures import results_of
from quantsim.simulator.plan import Path
from quantsim.simulator.weight_steps import STEPS, step_caution

__all__ = ["ExecutedTrades", "Result", "Split", "period_of", "simulate", "simulate_on"]

Split = Literal["train", "validation", "test", "all"]
"""A split of the study, or ``all`` for one uninterrupted simulation of all of them."""

WHOLE = "all"


@dataclass(frozen=True, eq=False)
class ExecutedTrades:
    """Results of ``N`` exogenous swaps, in order; amounts and fees are zero for those that were not executed.

    Attributes:
        times: (N,) times of the swaps, ``datetime64[us]``, UTC.
        token_in: incoming tokens.
        token_out: outgoing tokens.
        amount_in: (N,) incoming amounts in tokens, including the fee.
        amount_out: (N,) outgoing amounts in tokens.
        fee: (N,) fees that stay in the pool, in the quote currency at the swap's bar.
        protocol_fee: (N,) fees that go to the protocol, likewise.
        outcome: outcome of each swap; ``outcome.reason`` is its description.
        supply: (N,) shares of the pool at each swap; amounts and fees are of the whole pool, and these per share.
    """

    times: NDArray[np.datetime64]
    token_in: tuple[str, ...]
    token_out: tuple[str, ...]
    amount_in: NDArray[np.float64]
    amount_out: NDArray[np.float64]
    fee: NDArray[np.float64]
    protocol_fee: NDArray[np.float64]
    outcome: tuple[Outcome, ...]
    supply: NDArray[np.float64]

    def count(self) -> dict[str, int]:
        """Returns outcome → number of swaps, for the outcomes that occur."""
        return {outcome.name.lower(): self.outcome.count(outcome) for outcome in Outcome if outcome in self.outcome}


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a simulation over one period of ``T`` bars.

    Attributes:
        times: (T,) timestamps, ``datetime64[s]``, UTC.
        value: (T,) pool value, in the quote currency.
        reserves: (T, n) token amounts in the pool.
        weights: (T, n) weights on the simplex; shares of value for a pool without its own weights.
        prices: (T, n) prices of the pool's assets, in the quote currency.
        metrics: name → value, for all metrics; nan if the period is too short for one.
        fee_revenue: fees that stay in the pool over the period, in the quote currency.
        tokens: column names of ``reserves``, ``weights`` and ``prices``.
        params: raw parameters, name → (m,).
        split: name of the simulated period.
        notes: notes for readers: warm-up, filled gaps, prices in memory, number of executed exogenous swaps.
        trades: results of exogenous swaps; None if there are none.
        data_id: identity of the prices and series, as runs store it.
        fees: (T,) fees that stay in the pool at each bar, in the quote currency; None if a user's pool does not say.
        noise_fees: (T,) part of ``fees`` that noise traders of elastic volume pay; None without elastic volume.
        swap_fee: swap fee, as a share of the amount in; (T,) if it varies.
        gas_cost: gas of a trade, in the quote currency; (T,) if a series sets it.
        state: what else describes a pool of this type: name → (T,), or (T, n) for a series of each token, such as
            ``centeredness`` and ``virtual`` of a reCLAMM pool.
        supply: (T,) shares at the end of each bar, with joins and exits, relative to those at the start; everything else is of
            one share, the one that was there at the start. None if the supply does not change.
    """

    times: NDArray[np.datetime64]
    value: NDArray[np.float64]
    reserves: NDArray[np.float64]
    weights: NDArray[np.float64]
    prices: NDArray[np.float64]
    metrics: dict[str, float]
    fee_revenue: float
    tokens: tuple[str, ...]
    params: dict[str, NDArray[np.float64]]
    split: str
    notes: dict[str, Any]
    trades: ExecutedTrades | None = None
    data_id: str = ""
    fees: NDArray[np.float64] | None = None
    noise_fees: NDArray[np.float64] | None = None
    swap_fee: float | NDArray[np.float64] = 0.0
    gas_cost: float | NDArray[np.float64] = 0.0
    state: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    supply: NDArray[np.float64] | None = None

    @property
    def pool_value(self) -> NDArray[np.float64]:
        """Value of all shares, (T,), in the quote currency; ``value`` unless LPs join or exit."""
        return self.value if self.supply is None else self.value * self.supply

    @property
    def daily_log_returns(self) -> NDArray[np.float64]:
        """Daily log returns of the pool's value at the first bar of each of ``D`` days, (D-1,)."""
        bars_per_day = int(np.timedelta64(1, "D") / (self.times[1] - self.times[0])) if len(self.times) > 1 else 1
        with np.errstate(divide="ignore", invalid="ignore"):  # after a total loss
            return np.diff(np.log(self.value[::bars_per_day]))


@in_float64
def simulate(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: PriceData | None = None,
    *,
    split: Split = "train",
    path: Path | str | None = None,
    series: Mapping[str, Any] | None = None,
    changes: Mapping[Time, Mapping[str, Any]] | None = None,
) -> Result:
    """Simulates an experiment's pool with one parameter set.

    Args:
        experiment: the experiment.
        params: parameters by raw name (``logit_lamb``, ``log_k``, …) or human-readable name (``memory_days``, …), each a
            number or one per token; by default, the experiment's own.
        prices: prices for the periods and any history before them; by default, those that ``experiment.data`` names.
        split: ``train``, ``validation``, ``test``, or ``all`` for one uninterrupted run from the start of training to the
            end of the last split.
        path: ``auto``, ``per_bar``, ``fees`` or ``hold``.
        series: replacements for files that ``experiment.series`` names; see :class:`~quantsim.simulator.Evaluator`.
        changes: time → parameters that apply from then on instead of ``params``, while reserves and weights go on; see
            :mod:`quantsim.simulator.carried`.

    Raises:
        ParameterError: a parameter is unknown, or has a wrong shape or value.
        PriceError: the prices do not cover the period, or a series is wrong.
        WindowError: a change is not inside the period, after its first bar.
        ConfigError: there is no such split or path, the path does not support the pool, or its parameters cannot change.

    Example:
        >>> result = simulate(experiment, {"memory_days": 20.0, "k_per_day": 5.0})  # doctest: +SKIP
        >>> result.metrics["returns_over_hodl"]  # doctest: +SKIP
    """
    return simulate_on(Evaluator(experiment, prices, series), params, split=split, path=path, changes=changes)


@in_float64
def simulate_on(
    evaluator: Evaluator,
    params: Mapping[str, Any] | None = None,
    *,
    split: Split = "train",
    path: Path | str | None = None,
    changes: Mapping[Time, Mapping[str, Any]] | None = None,
    weights: ArrayLike | None = None,
) -> Result:
    """Simulates one parameter set on the prices of an evaluator. Arguments and errors as for :func:`simulate`.

    Args:
        evaluator: evaluator of the experiment, with its prices.
        params: parameters.
        split: period.
        path: computation path.
        changes: parameters that apply later.
        weights: (T, n) positive weights at every bar of the period, instead of those that the rule decides; for weighted pools.
    """
    experiment = evaluator.experiment
    raw = experiment.initial_parameters(params)
    first, n_bars = period_of(evaluator, split)
    planner, given = evaluator.planner, None
    if weights is not None:
        given = np.full((evaluator.prices.n_bars, len(experiment.tokens)), np.nan)
        given[first : first + n_bars] = _checked_weights(weights, n_bars, experiment.tokens)
        planner = replace(planner, setup=_given_setup(evaluator.setup))
    plan, _ = planner.plan(first, n_bars, metric_names(), path)
    seen = evaluator.market_of([plan])
    if given is not None:
        seen = seen._replace(weights=device_array(given))
    schedule = _schedule(evaluator, raw, changes, first, n_bars) if changes else None
    run, samples = _simulate(plan, evaluator.arrays(raw), seen, evaluator.rates, np.int64(first), schedule)
    metrics, _ = results_of(plan, samples)
    trades = _executed(evaluator, run.fills)
    supply, bars = None, slice(first, first + n_bars)
    if evaluator.series.supply is not None:
        supply = evaluator.series.supply.after(evaluator.prices.grid.times_us()[bars], np.asarray(run.value))
    reserves, prices_of_bars = np.asarray(run.reserves), np.asarray(run.prices)
    state = {name: np.asarray(values) for name, values in (run.state or {}).items()}
    notes = {name: value for name, value in evaluator.notes.items() if name != STEPS}
    if trades is not None:
        notes["trades"] = trades.count()
    if supply is not None:
        notes["supply"] = float(supply[-1])
    if remarks := evaluator.setup.pool.remarks(evaluator.setup, reserves, prices_of_bars, state):
        notes["cautions"] = [*notes.get("cautions", ()), *remarks]
    weights_of_bars = np.asarray(run.weights)
    if (caution := step_caution(evaluator.setup, weights_of_bars)) is not None:
        notes["cautions"] = [*notes.get("cautions", ()), caution]
    return Result(
        times=evaluator.prices.times[bars],
        value=np.asarray(run.value),
        reserves=reserves,
        weights=weights_of_bars,
        prices=prices_of_bars,
        metrics={name: float(metrics[name]) for name in metric_names()},
        fee_revenue=float(np.asarray(run.fee_revenue)[0]),
        tokens=experiment.tokens,
        params=raw,
        split=split,
        notes=notes,
        trades=trades,
        data_id=evaluator.data_id,
        fees=None if run.fees is None else np.asarray(run.fees),
        noise_fees=None if run.noise is None else np.asarray(run.noise),
        swap_fee=_scalar_or_array(run.swap_fee),
        gas_cost=_gas_cost(evaluator, first, n_bars),
        state=state,
        supply=supply,
    )


def _schedule(
    evaluator: Evaluator,
    raw: Mapping[str, NDArray[np.float64]],
    changes: Mapping[Time, Mapping[str, Any]],
    first: int,
    n_bars: int,
) -> ParameterSchedule:
    """Returns the schedule of the parameters and their changes, in chronological order."""
    later = sorted((evaluator.prices.index_of(time), params) for time, params in changes.items())
    sets = [raw, *(evaluator.experiment.initial_parameters(params) for _, params in later)]
    stacked = {name: np.stack([each[name] for each in sets]) for name in raw}
    return schedule_of(evaluator, stacked, [first, *(bar for bar, _ in later)], n_bars)


def _given_setup(setup: PoolSetup[Any]) -> PoolSetup[Any]:
    if not isinstance(setup.own, Steering):
        raise ConfigError(f"weights are given, but a pool of type {setup.pool.name!r} has none: set type = 'weighted'")
    return replace(setup, own=replace(setup.own, given=True))


def _checked_weights(weights: ArrayLike, n_bars: int, tokens: tuple[str, ...]) -> NDArray[np.float64]:
    """Returns weights that sum to 1 at every bar, from positive ones whose sums are close to it."""
    found = np.asarray(weights, np.float64)
    if found.shape != (n_bars, len(tokens)):
        raise ParameterError(
            f"weights have shape {found.shape}, but must have a row per bar and a column per token: "
            f"{(n_bars, len(tokens))}"
        )
    sums = found.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero(~(found > 0.0).all(axis=1) | ~(np.abs(sums[:, 0] - 1.0) < 1e-6))
    if wrong.size:
        raise ParameterError(
            f"weights at bar {wrong[0]} are {found[wrong[0]].tolist()}, but must be positive and sum to 1"
        )
    return np.asarray(found / sums)


_simulate = jax.jit(window_path, static_argnums=0)


def _gas_cost(evaluator: Evaluator, first: int, n_bars: int) -> float | NDArray[np.float64]:
    cost = np.asarray(evaluator.rates.gas_cost)
    return _scalar_or_array(cost[first : first + n_bars] if cost.ndim else cost)


def _scalar_or_array(values: ArrayLike | None) -> float | NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    return found if found.ndim else float(found)


def _executed(evaluator: Evaluator, fills: Fills | None) -> ExecutedTrades | None:
    """Returns the results of exogenous swaps with the whole pool, not with one share."""
    trades = evaluator.series.trades
    if trades is None or fills is None:
        return None
    of_share, size = evaluator.supply_of_sizes(), np.ones(trades.size)
    if of_share is not None:
        size = of_share[trades.bars(evaluator.prices.grid.times_us())]
        amounts = {name: getattr(fills, name) * size for name in ("amount_in", "amount_out", "fee", "protocol_fee")}
        fills = fills._replace(**amounts)
    return ExecutedTrades(
        times=trades.times,
        token_in=trades.token_in,
        token_out=trades.token_out,
        amount_in=np.asarray(fills.amount_in),
        amount_out=np.asarray(fills.amount_out),
        fee=np.asarray(fills.fee),
        protocol_fee=np.asarray(fills.protocol_fee),
        outcome=tuple(Outcome(int(code)) for code in np.asarray(fills.outcome)),
        supply=size,
    )


def period_of(evaluator: Evaluator, split: str) -> tuple[int, int]:
    """Returns the first bar and the number of bars of a split, or of all splits.

    Raises:
        ConfigError: there is no such split.
    """
    if split == WHOLE:
        first = evaluator.splits["train"][0]
        return first, evaluator.prices.n_bars - first
    if split not in evaluator.splits:
        known = [*evaluator.splits, WHOLE]
        raise ConfigError(f"split = {split!r}: {nearest(split, known)} (there are {', '.join(known)})")
    return evaluator.splits[split]
