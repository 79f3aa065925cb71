"""The plan of an evaluation: chooses the cheapest exact path for the pool and the metrics."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quantsim.errors import ConfigError
from quantsim.metrics import Need, SampleShape, needs_of
from quantsim.objective import OBJECTIVE, ObjectiveShape
from quantsim.pools.base import Path, PoolSetup

__all__ = ["Benchmark", "Path", "Plan", "choose_path", "make_plan"]


@dataclass(frozen=True)
class Benchmark:
    """The pool that metrics compare with: that of the study with constant weights.

    Attributes:
        setup: setup of the pool.
        params: its parameters, pairs of raw name and values.
    """

    setup: PoolSetup[Any]
    params: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Plan:
    """The static part of an evaluation: evaluations with equal plans share one compiled program.

    Attributes:
        setup: setup of the pool.
        shape: shape of the windows.
        metrics: names of the metrics to compute.
        path: computation path.
        phase: position of the windows' chunk boundaries among the bars, ``start mod C``; one pass of the estimators serves
            all windows. None if windows may begin at any bar; then each has its own pass.
        objective: objective to compute with the metrics, from the same simulation; None for none.
        details: whether to compute the objective's terms for every period.
        benchmark: pool to compare with; None if no metric reads it.
    """

    setup: PoolSetup[Any]
    shape: SampleShape
    metrics: tuple[str, ...]
    path: Path
    phase: int | None
    objective: ObjectiveShape | None = None
    details: bool = False
    benchmark: Benchmark | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of all metrics to compute, for the window or for its periods."""
        return _needed(self.metrics, self.objective)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the results, the objective first."""
        if self.objective is None:
            return self.metrics
        details = self.objective.period_names.values() if self.details else ()
        return (OBJECTIVE, *self.metrics, *(name for names in details for name in names))

    @property
    def of_benchmark(self) -> Plan | None:
        """The plan of the benchmark over the same windows, without metrics; None if no metric reads it."""
        if self.benchmark is None:
            return None
        setup = self.benchmark.setup
        return Plan(setup, self.shape, (), choose_path(setup, every_bar=False), self.phase)

    @property
    def every_bar(self) -> bool:
        """Whether a metric reads every bar."""
        return self.path in (Path.PER_BAR, Path.FEES) or _reads_every_bar(self.needed)

    @property
    def reads_sums(self) -> bool:
        """Whether a pool of the evaluation may run in closed form, which reads prefix sums of log prices."""
        other = self.of_benchmark
        paths = self.path, self.path if other is None else other.path
        return Path.CLOSED_FORM in paths or bool(self.setup.subsidiaries)

    @property
    def n_values(self) -> int:
        """The number of values of an array of the largest size that the evaluation of one window makes, about."""
        setup = self.setup
        by_bar = self.every_bar or setup.subsidiaries
        return setup.n_tokens * (self.shape.n_bars if by_bar else -(-self.shape.n_bars // setup.chunk_bars))

    @property
    def lanes_at_once(self) -> int:
        """The largest number of parameter sets or windows that run vectorised; the others follow, batch after batch.

        A loop over every bar gains nothing from ``vmap`` on a CPU. A kernel spreads its lanes over threads, but the arrays of
        all lanes take memory.
        """
        if not self.every_bar or self.setup.scan_mode == "associative":
            return sys.maxsize
        if self.path is not Path.FEES or not _runs_in_kernel(self.setup):
            return 1
        return max(1, _MOST_VALUES_AT_ONCE // (self.shape.n_bars * self.setup.n_tokens))


_MOST_VALUES_AT_ONCE = 2**22
"""Of one array with a value per lane, bar and token, 32 MB; a gradient needs about ten such arrays at a time."""


def _runs_in_kernel(setup: PoolSetup[Any]) -> bool:
    """Whether the passes of a pool and of its subsidiaries run as kernels."""
    own = setup.scan_mode == "kernel" and setup.pool.has_kernel and not setup.has_trades
    return own and all(_runs_in_kernel(part.setup) for part in setup.subsidiaries)


def make_plan(
    setup: PoolSetup[Any],
    shape: SampleShape,
    metrics: tuple[str, ...],
    phase: int | None,
    path: Path | str | None = None,
    *,
    objective: ObjectiveShape | None = None,
    details: bool = False,
    benchmark: Callable[[], Benchmark] | None = None,
) -> Plan:
    """Chooses the path, or checks the requested one.

    Arguments as in :class:`Plan`; ``benchmark`` is called if a metric reads the benchmark.

    Raises:
        ConfigError: the requested path is unknown, or does not support this pool and these metrics.
    """
    needed = _needed(metrics, objective)
    chosen = choose_path(setup, path, every_bar=_reads_every_bar(needed))
    other = benchmark() if benchmark is not None and Need.BENCHMARK in needs_of(needed) else None
    return Plan(setup, shape, metrics, chosen, phase, objective, details, other)


def choose_path(setup: PoolSetup[Any], path: Path | str | None = None, *, every_bar: bool) -> Path:
    """Returns the cheapest path that supports the setup, or the requested one.

    Raises:
        ConfigError: the requested path is unknown or unsupported; the message says why.
    """
    paths = setup.pool.paths(setup, every_bar=every_bar)
    if path is None or path == "auto":
        return next(one for one, reason in paths.items() if reason is None)
    try:
        asked = Path(path)
    except ValueError as error:
        raise ConfigError(f"path = {path!r} must be one of auto, {', '.join(p.value for p in Path)}") from error
    reason = paths.get(asked, f"a pool of type {setup.pool.name!r} has no such path")
    if reason is not None:
        raise ConfigError(f"path = {asked.value!r} cannot serve here: {reason}")
    return asked


def _needed(metrics: tuple[str, ...], objective: ObjectiveShape | None) -> tuple[str, ...]:
    if objective is None:
        return metrics
    return tuple(dict.fromkeys((*metrics, *objective.term_metrics, *objective.constraint_metrics)))


def _reads_every_bar(metrics: tuple[str, ...]) -> bool:
    return bool(needs_of(metrics) & (Need.BARS | Need.REBALANCING))
