"""The evaluator: computes metrics and gradients of an experiment on its prices, with programs that are compiled once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK, Baseline
from quantsim.config import Experiment
from quantsim.device import device_array
from quantsim.discovery import naming_users_files
from quantsim.environment import release_freed_memory
from quantsim.errors import WindowError
from quantsim.metrics import metric_names
from quantsim.objective import OBJECTIVE, SHORT, check_defined, short_periods, short_split
from quantsim.pools.market import FeeRates, Market, market, with_sums
from quantsim.precision import in_float64
from quantsim.prices import PriceData
from quantsim.ranking import TIE_METRIC
from quantsim.scan_mode import ScanMode
from quantsim.simulator.baselines import baseline_pool, evaluate_baselines
from quantsim.simulator.calls import call_width, check_resources, cut, run_calls
from quantsim.simulator.evaluate import SplitPlans, sample_splits, sample_windows
from quantsim.simulator.evaluation import Evaluation
from quantsim.simulator.inputs import program_inputs, supply_of_sizes
from quantsim.simulator.layout import columns_of, data_notes, lay_out
from quantsim.simulator.measures import results_of
from quantsim.simulator.objective import Objective, value_and_grad
from quantsim.simulator.own_pools import check_own_pools
from quantsim.simulator.own_rules import check_own_rules
from quantsim.simulator.parameter_sets import checked_sets
from quantsim.simulator.plan import Benchmark, Path, Plan
from quantsim.simulator.planner import Planner
from quantsim.simulator.setup import pool_setup
from quantsim.simulator.varying import Varying, load_varying
from quantsim.simulator.weight_steps import step_note

__all__ = ["Evaluator"]

Params = Mapping[str, ArrayLike]

_LARGE_PRICES = 2**26  # bytes


class Evaluator:
    """Computes metrics of parameter sets over windows of prices, and their gradients.

    Prices are cut to the bars that the experiment uses: from ``max_memory_days`` before the training period (or the first bar
    of the data) to the end of the last split. All windows count bars from the first bar of the cut. Series are cut in the same
    way.

    Args:
        experiment: the experiment, with its ``series``.
        prices: prices for all its periods; by default, those that ``experiment.data`` names.
        series: setting → replacement for the file that ``experiment.series`` names: a value for every bar of
            ``prices``, (T,), or (T, n) for the oracle, or :class:`~quantsim.prices.Trades`.
        scan_mode: ``"kernel"``, ``"sequential"`` or ``"associative"``, see :mod:`quantsim.scan_mode`; by default, the fastest
            one on the backend.

    Attributes:
        experiment: the experiment.
        prices: the cut prices, with columns in the order of ``experiment.data.tokens``.
        splits: split name → (first bar, number of bars).
        notes: notes for readers of the results: warm-up, filled gaps, prices or series in memory. JSON-able.
        setup: static properties of the pool.
        series: series of the experiment.

    Raises:
        PriceError: tokens are missing, the prices do not cover a period, or a series is wrong or begins too late.
        ConfigError: the chunk is not a whole number of bars, ``series`` has a name that the experiment does not have, a rule
            or pool in a user's file fails, returns a wrong type, or looks ahead, or ``QUANTSIM_THREADS`` or
            ``QUANTSIM_MEMORY`` is not valid.
    """

    @in_float64
    def __init__(
        self,
        experiment: Experiment,
        prices: PriceData | None = None,
        series: Mapping[str, Any] | None = None,
        *,
        scan_mode: ScanMode | None = None,
    ) -> None:
        check_resources()
        self.experiment = experiment
        prices = experiment.prices(prices, given_series=series or ())
        self.setup = pool_setup(experiment, prices.bar_minutes, scan_mode)
        begin, splits = lay_out(experiment, prices)
        end = max(first + n_bars for first, n_bars in splits.values())
        self.prices = columns_of(prices, experiment.data.tokens).slice(begin, end)
        self.splits = {name: (first - begin, n_bars) for name, (first, n_bars) in splits.items()}
        self.series: Varying = load_varying(experiment, prices, begin, end, self.splits["train"][0], series)
        self.notes = data_notes(experiment, self.prices, self.splits["train"][0], series or {})
        self.notes |= self._short() | step_note(self.setup)
        self.rates: FeeRates
        self.rates, self._market = program_inputs(experiment, self.setup, self.prices, self.series, prices, end)
        self._baselines: dict[str, Baseline] | None = None
        self._plans: dict[tuple[str, ...] | None, SplitPlans] = {}
        has_oracle = self._market.oracle is not None
        check_own_pools(experiment, self.setup, self.rates)
        if said := check_own_rules(experiment, self.setup, self.prices.prices, has_oracle=has_oracle):
            self.notes["cautions"] = [*self.notes.get("cautions", ()), *said]
        if self.prices.prices.nbytes > _LARGE_PRICES:
            release_freed_memory()

    @property
    def planner(self) -> Planner:
        """Makes plans of windows. Not kept: it refers to the evaluator, whose memory would wait for the garbage collector."""
        return Planner(
            self.experiment, self.setup, self.prices, self.splits, self.series.begins, lambda: self._benchmark
        )

    @functools.cached_property
    @in_float64
    def market(self) -> Market:
        """Prices and other series, as arguments of compiled programs."""
        return with_sums(self._market)

    def market_of(self, plans: Iterable[Plan]) -> Market:
        """Returns the market for a program; without prefix sums of log prices if none of its plans reads them."""
        return self.market if any(plan.reads_sums for plan in plans) else self._market

    def supply_of_sizes(self) -> FloatArray | None:
        """Returns the supply that divides gas and exogenous swaps at each bar, (T,); None if neither depends on it."""
        return supply_of_sizes(self.setup, self.prices, self.series)

    def check_objective(self, n_bars: int | None = None) -> None:
        """Checks that the objective is defined over windows of ``n_bars`` bars; by default, over the training period.

        Raises:
            WindowError: it would be nan for every parameter set, or its periods do not fit.
        """
        shape = self.planner.objective_shape(self.splits["train"][1] if n_bars is None else n_bars)
        check_defined(self.experiment.objective, shape, self.prices.bars_per_day)

    def _short(self) -> dict[str, str]:
        """Returns warnings about periods or splits that are too short for the objective."""
        objective, bars_per_day = self.experiment.objective, self.prices.bars_per_day
        found = []
        with contextlib.suppress(WindowError):  # periods that do not fit are refused where the objective is asked for
            found = [short_periods(objective, self.planner.objective_shape(self.splits["train"][1]), bars_per_day)]
        found += [short_split(objective, split, n_bars, bars_per_day) for split, (_, n_bars) in self.splits.items()]
        text = "; ".join(each for each in found if each is not None)
        return {SHORT: text} if text else {}

    @functools.cached_property
    def data_id(self) -> str:
        """Identity of the prices and of the series."""
        return self.series.data_id(self.prices)

    @property
    def chunk_bars(self) -> int:
        """Bars between decisions."""
        return self.setup.chunk_bars

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The objective, then its metric, the metrics of constraints and search objectives, and those reported.

        The last one is the metric that breaks ties.
        """
        experiment = self.experiment
        objective, known = experiment.objective, set(metric_names())
        searched = (name.removeprefix("-") for name in experiment.search.objectives)
        wanted = (*dict(objective.constraints), *(name for name in searched if name in known))
        return tuple(dict.fromkeys((objective.name, objective.metric, *wanted, *objective.report, TIE_METRIC)))

    def evaluate(self, params: Params, metrics: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
        """Returns metrics of one parameter set on every split; each split starts with a new pool.

        Args:
            params: raw name → (m,), complete.
            metrics: names of metrics, or "objective" for the objective. By default, those of the experiment, and for an
                objective over several periods the values of its terms: "sharpe.period_1", "sharpe.mean", "sharpe.std" and
                "sharpe.worst".

        Returns:
            split → metric → value.
        """
        one = self.evaluate_sets({name: np.asarray(value)[None] for name, value in params.items()}, metrics)
        return one.metrics_of(0)

    @functools.cached_property
    def sets_per_call(self) -> int:
        """The number of parameter sets that one call of the compiled program takes at most.

        It depends only on the experiment and its prices, not on the machine, so results are equal bit for bit.
        """
        return call_width(plan for _, plan, _ in self._split_plans(None))

    @in_float64
    def evaluate_many(
        self, sets: Params, metrics: Sequence[str] | None = None, *, splits: Sequence[str] | None = None
    ) -> dict[str, dict[str, FloatArray]]:
        """Returns metrics of any number of parameter sets; arguments as in :meth:`evaluate_sets`.

        Returns:
            split → metric → (S,).
        """
        n_sets, parts = self._calls(sets, metrics, splits)
        tables = Evaluation.joined([replace(part, daily_log_returns={}) for part in parts], n_sets).metrics
        return {split: dict(table) for split, table in tables.items()}

    @in_float64
    def evaluate_sets(
        self, sets: Params, metrics: Sequence[str] | None = None, *, splits: Sequence[str] | None = None
    ) -> Evaluation:
        """Returns metrics and daily log returns of any number of parameter sets.

        More than :attr:`sets_per_call` sets are cut into calls of that many, which share one compiled program. They run at the
        same time, on :func:`~quantsim.threads.thread_count` threads, or fewer if they would exceed
        :func:`~quantsim.memory.memory_budget`. Neither changes a bit of the results. Several threads may call this method at
        the same time.

        Args:
            sets: raw name → (S, m), complete.
            metrics: as in :meth:`evaluate`.
            splits: names of splits; by default, all.

        Raises:
            ParameterError: a parameter is unknown, missing or of the wrong shape.
            KeyboardInterrupt: calls that run are waited for; others are dropped.
        """
        n_sets, parts = self._calls(sets, metrics, splits)
        return Evaluation.joined(list(parts), n_sets)

    def _calls(
        self, sets: Params, metrics: Sequence[str] | None, splits: Sequence[str] | None
    ) -> tuple[int, Iterator[Evaluation]]:
        """Returns the number of sets, and the evaluations of all calls in order; the last ones may be of filled-up sets."""
        windows = self._split_plans(None if metrics is None else tuple(metrics))
        if splits is not None:
            windows = tuple(window for window in windows if window[0] in splits)
        rows = checked_sets(self.experiment.layout, sets, 2)
        n_sets = len(next(iter(rows.values())))
        calls = cut(n_sets, call_width(plan for _, plan, _ in windows))
        seen = self.market_of(plan for _, plan, _ in windows)

        def arguments(number: int) -> tuple[Any, ...]:
            return windows, {name: values[calls[number]] for name, values in rows.items()}, seen, self.rates

        finish = functools.partial(Evaluation.of, windows)
        return n_sets, run_calls(sample_splits, arguments, len(calls), finish)

    def _split_plans(self, metrics: tuple[str, ...] | None) -> SplitPlans:
        """Returns the plans of all splits for these metrics, or for those of the experiment; made once."""
        if metrics not in self._plans:
            names = self.metric_names if metrics is None else metrics
            self._plans[metrics] = self.planner.split_plans(names, details=metrics is None)
        return self._plans[metrics]

    @in_float64
    def baselines(self, width: int = 1) -> dict[str, Baseline]:
        """Returns the baselines of the experiment by name, with the metrics of :attr:`metric_names`; computed once.

        :func:`~quantsim.config.baselines.baseline_experiment` defines them.

        Args:
            width: number of parameter sets in other calls of :meth:`evaluate_sets`, so that all share one compiled program. The
                result does not depend on it.
        """
        if self._baselines is None:
            self._baselines = evaluate_baselines(self, width)
        return self._baselines

    @functools.cached_property
    def _benchmark(self) -> Benchmark:
        """The pool with constant weights, for metrics that compare with it."""
        pool = baseline_pool(self, BENCHMARK)
        return Benchmark(pool.setup, tuple((name, tuple(values.tolist())) for name, values in pool.params.items()))

    @in_float64
    def evaluate_block(self, params: Params, n_blocks: int, block: int) -> float:
        """Returns the objective over one of the equal blocks of the training period, with a new pool.

        Blocks are whole chunks, so that all of them share one compiled program; a remainder at the end is in no block.

        Args:
            params: raw name → (m,), complete.
            n_blocks: number of blocks.
            block: index of the block, from 0.

        Raises:
            WindowError: a block would be shorter than a chunk.
        """
        first, n_bars = self.splits["train"]
        length = n_bars // n_blocks // self.setup.chunk_bars * self.setup.chunk_bars
        if not length:
            raise WindowError(
                f"{n_blocks} blocks (search.prune_blocks) leave less than a chunk of the training period to each: take fewer"
            )
        shape = self.planner.objective_shape(length, whole=True)
        plan, starts = self.planner.plan(first + block * length, length, (), objective=shape)
        found = sample_windows(plan, self.arrays(params, 1), self.market_of([plan]), self.rates, starts)
        return float(results_of(plan, found)[0][OBJECTIVE][0])

    @in_float64
    def evaluate_at(
        self, params: Params, starts: ArrayLike, n_bars: int, metrics: Sequence[str], *, path: Path | str | None = None
    ) -> dict[str, FloatArray]:
        """Returns metrics of one parameter set over given windows.

        Args:
            params: raw name → (m,), complete.
            starts: (W,) first bar of each window.
            n_bars: length of the windows, in bars.
            metrics: names of metrics.
            path: computation path; by default, the cheapest exact one.

        Returns:
            metric → (W,).

        Raises:
            WindowError: a window does not fit into the data.
        """
        plan, firsts = self.planner.plan(starts, n_bars, metrics, path)
        arrays, rows = self.arrays(params, 1), np.asarray(firsts)
        calls = cut(rows.size, call_width([plan]))

        def arguments(number: int) -> tuple[Any, ...]:
            return plan, arrays, self.market_of([plan]), self.rates, rows[calls[number]]

        parts = list(run_calls(sample_windows, arguments, len(calls), lambda found: results_of(plan, found)[0]))
        return {name: np.concatenate([part[name] for part in parts])[: rows.size] for name in plan.metrics}

    @in_float64
    @naming_users_files()
    def value_and_grad(
        self, sets: Params, starts: ArrayLike, n_bars: int, metric: str, *, path: Path | str | None = None
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Returns the mean of a metric over windows, and its gradient, for many parameter sets at once.

        Unlike in an objective, ratios are not bounded.

        Args:
            sets: raw name → (S, m), complete.
            starts: (W,) first bar of each window.
            n_bars: length of the windows, in bars.
            metric: name of the metric.
            path: computation path; by default, the cheapest exact one.

        Returns:
            The means, (S,), and raw name → gradient (S, m).
        """
        objective = self.objective(starts, n_bars, metric=metric, path=path)
        values, gradients = value_and_grad(objective, self.arrays(sets, 2), device_array(np.atleast_1d(starts)))
        return np.asarray(values), {name: np.asarray(gradient) for name, gradient in gradients.items()}

    @in_float64
    def objective(
        self,
        starts: ArrayLike,
        n_bars: int,
        *,
        metric: str | None = None,
        path: Path | str | None = None,
        time_reversed: bool = False,
        straight_through: tuple[str, ...] = (),
    ) -> Objective:
        """Returns the traced function that drivers maximise, ``objective(params, starts) -> (W,)``.

        Args:
            starts: (W,) first bars of all windows that it will be called with.
            n_bars: length of the windows, in bars.
            metric: name of a metric; by default, the objective of the experiment.
            path: computation path; by default, the cheapest exact one.
            time_reversed: whether the value is the mean over the prices up to the end of training and the same prices
                reversed in time. Windows keep their positions: the bars after them now warm up the estimators.
            straight_through: limits that gradients ignore: "maximum_change", "weight_bounds".

        Raises:
            WindowError: a window does not fit into the data, or the objective is undefined over windows so short.
        """
        shape = None
        if metric is None:
            self.check_objective(n_bars)
            shape = self.planner.objective_shape(n_bars)
        plan, _ = self.planner.plan(starts, n_bars, () if metric is None else (metric,), path, objective=shape)
        if straight_through:
            plan = replace(plan, setup=plan.setup.with_straight_through(straight_through))
        if not time_reversed:
            return Objective(plan, (self.market_of([plan]),), self.rates)
        first, n_train = self.splits["train"]
        seen = self.prices.prices[: first + n_train]
        markets = (market(each, sums=plan.reads_sums) for each in (seen, seen[::-1].copy()))
        return Objective(plan, tuple(markets), self.rates)

    def arrays(self, params: Params, n_axes: int = 1) -> dict[str, Array]:
        """Checks parameters, and returns them as arguments of the compiled program: (m,) each, or (S, m) if ``n_axes = 2``."""
        checked = checked_sets(self.experiment.layout, params, n_axes)
        return {name: device_array(values) for name, values in checked.items()}
