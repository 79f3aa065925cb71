"""The function of parameters and windows that drivers maximise, passed into compiled code as an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array

from quantsim.objective import OBJECTIVE
from quantsim.pools.market import FeeRates, Market, with_noise
from quantsim.simulator.calls import gradient_width
from quantsim.simulator.evaluate import BenchmarkValues, benchmark_values, evaluate_windows, lanes
from quantsim.simulator.plan import Plan

__all__ = ["Objective", "value_and_grad"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Objective:
    """The objective of one parameter set over windows. Pure and differentiable; made by :meth:`Evaluator.objective`.

    It is a JAX pytree: its plan is static, its prices and rates are arrays. Pass it into a jitted function as an argument, so
    that all evaluators with equal plans share one compiled program, without prices as constants.

    Attributes:
        plan: plan of the evaluation; static.
        markets: prices; for the mean over prices and reversed prices, followed by the reversed ones.
        rates: fees and costs.
        benchmarks: values of the benchmark for each of ``markets``; see :meth:`for_windows`.
        n_windows: number of windows of a call, if it is the same for all calls; static. It limits the number of sets that run
            vectorised.
    """

    plan: Plan = field(metadata={"static": True})
    markets: tuple[Market, ...]
    rates: FeeRates
    benchmarks: tuple[BenchmarkValues, ...] | None = None
    n_windows: int = field(default=1, metadata={"static": True})

    def __call__(self, params: Mapping[str, Array], starts: Array) -> Array:
        """Returns the value over each window, (W,).

        Args:
            params: raw name → (m,), complete.
            starts: (W,) first bar of each window; windows that the objective was made for.
        """

        def values(seen: tuple[Market, BenchmarkValues]) -> Array:
            market, benchmark = seen
            return evaluate_windows(self.plan, params, market, self.rates, starts, benchmark)[self.name]

        seen = tuple(zip(self.markets, self.benchmarks or (None,) * len(self.markets), strict=True))
        if len(seen) == 1:
            return values(seen[0])
        stacked = jax.tree.map(lambda *each: jnp.stack(each), *seen)
        return jnp.mean(self.map_sets(values, stacked), axis=0)

    @property
    def name(self) -> str:
        """The name of the value among the metrics."""
        return self.plan.metrics[0] if self.plan.objective is None else OBJECTIVE

    def map_sets(self, function: Callable[[Any], Any], sets: Any) -> Any:
        """Maps over the leading axis of a pytree of parameter sets, (S, ...), in batches; see :attr:`Plan.lanes_at_once`."""
        return lanes(function, sets, at_once=max(1, self.plan.lanes_at_once // self.n_windows))

    def sets_per_call(self, n_windows: int) -> int:
        """Returns the largest number of parameter sets of a call; see :func:`~quantsim.simulator.calls.gradient_width`."""
        return gradient_width(self.plan, n_windows)

    def for_windows(self, starts: Array) -> Objective:
        """Returns the same for calls with exactly these windows, (W,), with everything that parameter sets have in common.

        That is the benchmark, if a metric reads it. Call this outside of :meth:`map_sets`; without it, every call computes the
        benchmark.
        """
        found = (benchmark_values(self.plan, market, self.rates, starts) for market in self.markets)
        return replace(self, benchmarks=tuple(found), n_windows=starts.shape[0])

    def with_price_noise(self, scale: float, key: Array) -> Objective:
        """Returns the same with prices times ``exp(scale·ε)``; ``ε`` is independent standard normal for every bar and token."""
        keys = jax.random.split(key, len(self.markets))
        noisy = (with_noise(market, scale, each) for market, each in zip(self.markets, keys, strict=True))
        return replace(self, markets=tuple(noisy), benchmarks=None)

    def forward_in_time(self) -> Objective:
        """Returns the same without the reversed prices."""
        return replace(self, markets=self.markets[:1], benchmarks=self.benchmarks and self.benchmarks[:1])


@jax.jit
def value_and_grad(objective: Objective, sets: dict[str, Array], starts: Array) -> tuple[Array, dict[str, Array]]:
    """Returns the mean of the objective over windows, (S,), and its gradient, raw name → (S, m), in the form of ``sets``."""
    shared = objective.for_windows(starts)

    def mean(params: dict[str, Array]) -> Array:
        return jnp.mean(shared(params, starts))

    return cast(tuple[Array, dict[str, Array]], objective.map_sets(jax.value_and_grad(mean), sets))
