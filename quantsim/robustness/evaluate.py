"""Evaluates a parameter set, and constant weights, under variations of parameters, prices, start and costs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK
from quantsim.config import Experiment
from quantsim.errors import ConfigError, nearest
from quantsim.metrics import get_metric
from quantsim.precision import in_float64
from quantsim.prices import PriceData
from quantsim.ranking import TIE_METRIC
from quantsim.robustness.costs import charged, cost_names, described, varied_costs
from quantsim.robustness.neighbours import neighbours, raw_bounds
from quantsim.robustness.prices import noisy_prices, resampled_prices
from quantsim.robustness.report import Robustness, Varied
from quantsim.robustness.starts import shifted_starts
from quantsim.robustness.variations import KINDS, Variations
from quantsim.simulator import (
    Evaluator,
    Variation,
    VariedPool,
    baseline_pool,
    evaluate_starts,
    evaluate_variations,
)

__all__ = ["check_request", "evaluate_robustness", "robustness_of"]

Table = dict[str, dict[str, FloatArray]]
Advance = Callable[[str, int, int], None]

_SET = "set"
_NOT_RESAMPLED = ("oracle", "weights", "supply", "trades", "swap_fee", "arb_fee", "gas_cost_usd")


class _LeftOut(Exception):
    """A kind of variations does not apply."""


@dataclass(frozen=True, eq=False)
class _Task:
    """The arguments of all kinds of variations."""

    evaluator: Evaluator
    pools: Mapping[str, VariedPool]
    variations: Variations
    metrics: tuple[str, ...]
    points: Mapping[str, Mapping[str, Mapping[str, float]]]
    advance: Callable[[int], None]

    @property
    def experiment(self) -> Experiment:
        return self.evaluator.experiment

    def under(
        self, draw: Callable[[int], Variation], pools: Mapping[str, VariedPool] | None = None
    ) -> dict[str, Table]:
        """Returns the metrics of pools under the variations."""
        return evaluate_variations(
            self.evaluator, pools or self.pools, draw, self.variations.n, self.metrics, advance=self.advance
        )

    def varied(self, what: str, found: Mapping[str, Table]) -> Varied:
        """Returns the results of one kind."""
        return Varied(what, found[_SET], found[BENCHMARK], self.points[_SET], self.points[BENCHMARK])


def evaluate_robustness(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: PriceData | None = None,
    *,
    variations: Variations | None = None,
    kinds: Sequence[str] = KINDS,
    metrics: Sequence[str] | None = None,
    series: Mapping[str, Any] | None = None,
) -> Robustness:
    """Evaluates a parameter set under variations of its parameters, the prices, the start and the costs.

    Constant weights, with the same costs, are evaluated under the same variations.

    Args:
        experiment: the experiment.
        params: parameters, as for :meth:`Experiment.initial_parameters`; by default, the experiment's own.
        prices: prices for all periods; by default, those that ``experiment.data`` names.
        variations: number and sizes of the variations.
        kinds: some of :data:`~quantsim.robustness.KINDS`. Kinds that do not apply are left out.
        metrics: names of metrics, the one that decides first; by default, the metric of the objective, and ``returns``.
        series: replacements for series, as for :class:`~quantsim.Evaluator`.

    Raises:
        ConfigError: a kind or a metric is unknown.
        ParameterError: a parameter is invalid.
        PriceError: the prices do not cover the periods.

    Example:
        >>> report = evaluate_robustness(experiment, {"memory_days": 15.0})  # doctest: +SKIP
        >>> report.kinds["neighbours"].spread("test", "daily_log_sharpe").percentiles[5]  # doctest: +SKIP
        0.31
    """
    check_request(kinds, metrics)
    raw = experiment.initial_parameters(params)
    evaluator = Evaluator(experiment, prices, series)
    return robustness_of(evaluator, raw, variations=variations, kinds=kinds, metrics=metrics)


@in_float64
def robustness_of(
    evaluator: Evaluator,
    raw: Mapping[str, FloatArray],
    *,
    variations: Variations | None = None,
    kinds: Sequence[str] = KINDS,
    metrics: Sequence[str] | None = None,
    advance: Advance = lambda kind, done, n: None,
) -> Robustness:
    """Evaluates the variations with an evaluator; other arguments as in :func:`evaluate_robustness`.

    Args:
        evaluator: evaluator of the experiment.
        raw: raw name → (m,), complete.
        variations: number and sizes of the variations.
        kinds: kinds of variations.
        metrics: names of metrics.
        advance: called with a kind, the number of its variations done, and their number.
    """
    check_request(kinds, metrics)
    variations = variations or Variations()
    names = tuple(dict.fromkeys(metrics or (evaluator.experiment.objective.metric, TIE_METRIC)))
    pools = _pools(evaluator, raw)
    points = _points(evaluator, pools, names)
    found: dict[str, Varied] = {}
    left_out: dict[str, str] = {}
    for kind in kinds:
        done = functools.partial(_tell, advance, kind, variations.n)
        task = _Task(evaluator, pools, variations, names, points, done)
        try:
            found[kind] = _EVALUATED[kind](task)
        except _LeftOut as reason:
            left_out[kind] = str(reason)
    params = {name: np.asarray(values) for name, values in pools[_SET].params.items()}
    return Robustness(names, params, found, points[_SET], points[BENCHMARK], left_out, dict(evaluator.notes))


def _tell(advance: Advance, kind: str, n: int, done: int) -> None:
    advance(kind, done, n)


def check_request(kinds: Sequence[str], metrics: Sequence[str] | None) -> None:
    """Raises ConfigError if a kind of variations or a metric is unknown."""
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"kind {kind!r} of variations: {nearest(kind, KINDS)}")
    for name in metrics or ():
        get_metric(name)


def _pools(evaluator: Evaluator, raw: Mapping[str, FloatArray]) -> dict[str, VariedPool]:
    """Returns the pool of the parameter set, and the same with constant weights and the set's own costs and initial weights."""
    own = {name: np.asarray(values, np.float64) for name, values in raw.items()}
    evaluator.arrays(own)  # checks names and shapes
    constant = baseline_pool(evaluator, BENCHMARK)
    params = {name: own.get(name, np.asarray(values)) for name, values in constant.params.items()}
    return {_SET: VariedPool(evaluator.setup, own), BENCHMARK: VariedPool(constant.setup, params)}


def _points(
    evaluator: Evaluator, pools: Mapping[str, VariedPool], metrics: tuple[str, ...]
) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the metrics without variations, from the program of the varied prices."""
    prices = np.asarray(evaluator.market.prices)
    found = evaluate_variations(evaluator, pools, lambda _: Variation(prices=prices), 1, metrics)
    return {
        name: {split: {metric: float(values[0]) for metric, values in table.items()} for split, table in tables.items()}
        for name, tables in found.items()
    }


def _of_neighbours(task: _Task) -> Varied:
    variations, experiment = task.variations, task.experiment
    moved = {one.raw_name for one in experiment.layout if one.trainable or one.searchable}
    if not moved:
        raise _LeftOut("the pool has no parameters that training or search moves")
    sets = neighbours(
        task.pools[_SET].params,
        variations.n,
        radius=variations.radius,
        seed=variations.seed,
        moved=moved,
        bounds=raw_bounds(experiment),
    )
    shared = moved & set(task.pools[BENCHMARK].params)
    found = task.under(
        lambda index: Variation(params={name: sets[name][index] for name in sorted(moved)}),
        None if shared else {_SET: task.pools[_SET]},
    )
    if not shared:
        point = task.points[BENCHMARK]
        found[BENCHMARK] = {
            split: {metric: np.full(variations.n, value) for metric, value in values.items()}
            for split, values in point.items()
        }
    return task.varied(f"parameters up to {variations.radius:g} away in raw units", found)


def _of_price_noise(task: _Task) -> Varied:
    variations, prices = task.variations, np.asarray(task.evaluator.market.prices)
    found = task.under(
        lambda index: Variation(prices=noisy_prices(prices, variations.price_noise, variations.seed, index))
    )
    return task.varied(f"independent noise of {100 * variations.price_noise:g} % on every price", found)


def _of_resampled_prices(task: _Task) -> Varied:
    variations, evaluator = task.variations, task.evaluator
    if given := [name for name in _NOT_RESAMPLED if getattr(task.experiment.series, name) is not None]:
        raise _LeftOut(f"series.{given[0]} has values for the dates of the real prices")
    prices = np.asarray(evaluator.market.prices)
    ends = [first + n_bars for first, n_bars in evaluator.splits.values()]
    parts = list(zip([0, *ends[:-1]], [*ends[:-1], prices.shape[0]], strict=True))
    block = variations.mean_block_days * evaluator.prices.bars_per_day
    found = task.under(lambda index: Variation(prices=resampled_prices(prices, parts, block, variations.seed, index)))
    return task.varied(
        f"prices resampled in blocks of {variations.mean_block_days:g} days, each split from itself", found
    )


def _of_shifted_starts(task: _Task) -> Varied:
    variations, evaluator = task.variations, task.evaluator
    shift_bars = int(variations.shift_days * evaluator.prices.bars_per_day)
    found: dict[str, Table] = {name: {} for name in task.pools}
    for split, (first, n_bars) in evaluator.splits.items():
        windows = shifted_starts(first, n_bars, shift_bars, evaluator.chunk_bars, variations.n)
        if windows is None:
            continue
        starts, length = windows
        for name, table in evaluate_starts(evaluator, task.pools, starts, length, task.metrics).items():
            found[name][split] = table
        task.advance(starts.size)
    if not found[_SET]:
        raise _LeftOut("the splits are shorter than four decisions of the pool")
    days = f"up to {variations.shift_days:g} days or a quarter of the split"
    return task.varied(f"starts {days} later, in windows as much shorter", found)


def _of_costs(task: _Task) -> Varied:
    variations, evaluator = task.variations, task.evaluator
    names = cost_names(task.experiment, evaluator.rates, variations)
    if not names:
        raise _LeftOut("the pool has no trading costs that could vary")
    pools = {name: replace(pool, setup=charged(pool.setup, names)) for name, pool in task.pools.items()}
    found = task.under(lambda index: Variation(costs=varied_costs(names, evaluator.rates, variations, index)), pools)
    return task.varied(described(names, evaluator.rates, variations), found)


_EVALUATED: dict[str, Callable[[_Task], Varied]] = {
    "neighbours": _of_neighbours,
    "price_noise": _of_price_noise,
    "resampled_prices": _of_resampled_prices,
    "shifted_starts": _of_shifted_starts,
    "costs": _of_costs,
}
