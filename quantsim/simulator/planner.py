"""Plans of windows in the data, and the objective over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from quantsim.config import Experiment
from quantsim.device import device_array
from quantsim.errors import WindowError
from quantsim.metrics import SampleShape, get_metric
from quantsim.objective import OBJECTIVE, ObjectiveShape, objective_shape
from quantsim.pools.base import PoolSetup
from quantsim.prices import Prices
from quantsim.simulator.evaluate import SplitPlans
from quantsim.simulator.plan import Benchmark, Path, Plan, make_plan

__all__ = ["Planner"]


@dataclass(frozen=True, eq=False)
class Planner:
    """Makes plans of windows in an experiment's data. Bars count from the first bar of the prices.

    Attributes:
        experiment: experiment with the objective.
        setup: setup of the pool.
        prices: prices of the data.
        splits: split name → (first bar, number of bars).
        begins: first bar of the series.
        benchmark: makes the pool that metrics compare with.
    """

    experiment: Experiment
    setup: PoolSetup[Any]
    prices: Prices
    splits: dict[str, tuple[int, int]]
    begins: int
    benchmark: Callable[[], Benchmark]

    def objective_shape(self, n_bars: int, *, whole: bool = False) -> ObjectiveShape:
        """Returns the objective over windows of ``n_bars`` bars of training, or with the whole window as its only period."""
        first = self.splits["train"][0]
        return objective_shape(
            self.experiment.objective,
            n_bars,
            seed=self.experiment.seed,
            whole=whole,
            bar_of=lambda moment: self._bar_at(moment) - first,
        )

    def _bar_at(self, moment: datetime) -> int:
        """Returns the first bar at or after a time; may be outside the data."""
        since = np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us") - self.prices.times[0]
        return math.ceil(float(since / np.timedelta64(self.prices.bar_minutes, "m")))

    def plan(
        self,
        starts: ArrayLike,
        n_bars: int,
        metrics: Sequence[str],
        path: Path | str | None = None,
        *,
        objective: ObjectiveShape | None = None,
        details: bool = False,
    ) -> tuple[Plan, Array]:
        """Returns the plan for windows, and their starts as an array.

        Args:
            starts: (W,) first bars.
            n_bars: length of the windows, in bars.
            metrics: names of metrics.
            path: computation path; by default, the cheapest exact one.
            objective: objective to compute, too.
            details: whether to compute its terms for every period.

        Raises:
            WindowError: a window does not fit into the data, or begins before the series.
            ConfigError: there is no such metric, or the path is unsupported.
        """
        firsts = np.atleast_1d(np.asarray(starts))
        if not np.issubdtype(firsts.dtype, np.integer) or firsts.ndim != 1 or not firsts.size:
            raise WindowError(f"starts = {starts!r} must be one or more whole numbers of bars")
        misfits = firsts[(firsts < 0) | (firsts > self.prices.n_bars - n_bars)]
        if n_bars < 1 or misfits.size:
            raise WindowError(
                f"a window of {n_bars} bars from bar {misfits[0] if misfits.size else firsts[0]} does not fit into "
                f"{self.prices.n_bars} bars of prices"
            )
        if firsts.min() < self.begins:
            raise WindowError(
                f"a window from bar {firsts.min()} begins before the series do, at bar {self.begins}: add earlier rows"
            )
        for name in metrics:
            get_metric(name)
        phases = np.unique(firsts % self.setup.chunk_bars)
        phase = int(phases[0]) if phases.size == 1 else None
        shape = SampleShape(n_bars, self.prices.bars_per_day)
        plan = make_plan(
            self.setup,
            shape,
            tuple(metrics),
            phase,
            path,
            objective=objective,
            details=details,
            benchmark=self.benchmark,
        )
        return plan, device_array(firsts)

    def split_plans(self, names: tuple[str, ...], *, details: bool) -> SplitPlans:
        """Returns the plans of all splits for these metrics, which may include "objective"."""
        metrics = tuple(name for name in names if name != OBJECTIVE)
        plans = []
        for split, (first, n_bars) in self.splits.items():
            shape = self.objective_shape(n_bars, whole=split != "train") if OBJECTIVE in names else None
            plan, _ = self.plan(first, n_bars, metrics, objective=shape, details=details)
            plans.append((split, plan, first))
        return tuple(plans)
