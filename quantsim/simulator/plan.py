"""Which program computes what is asked: the cheapest exact path, chosen from the pool and the metrics."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from quantsim.errors import ConfigError
from quantsim.metrics import Need, SampleShape, needs_of
from quantsim.objective import OBJECTIVE, ObjectiveShape
from quantsim.simulator.setup import PoolSetup

__all__ = ["Path", "Plan", "make_plan"]


class Path(enum.Enum):
    """How the value of a pool is computed. All are exact; they differ in what they cost and in what they can serve."""

    CLOSED_FORM = "closed_form"  #: zero fees, value at sample bars only: cost grows with the chunks, not the bars
    PER_BAR = "per_bar"  #: zero fees, every bar, vectorised
    FEES = "fees"  #: one sequential pass over the bars, for fees, exogenous swaps and batches
    HOLD = "hold"  #: reserves never change


@dataclass(frozen=True)
class Plan:
    """The static part of an evaluation: two evaluations of equal plan share one compiled program.

    Attributes:
        setup: of the pool.
        shape: of the windows.
        metrics: names of the metrics to compute.
        path: how.
        phase: position of the windows' chunk boundaries among the bars, ``start mod C``; one pass of the estimators serves
            all windows. ``None`` where windows may begin at any bar, and each has a pass of its own.
        objective: to be computed beside the metrics, over the same simulation; None for none.
        details: whether the objective's terms are wanted for every period, too.
    """

    setup: PoolSetup
    shape: SampleShape
    metrics: tuple[str, ...]
    path: Path
    phase: int | None
    objective: ObjectiveShape | None = None
    details: bool = False

    @property
    def needed(self) -> tuple[str, ...]:
        """All metrics that are computed, of the window or of its periods."""
        return _needed(self.metrics, self.objective)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what comes out, the objective first."""
        if self.objective is None:
            return self.metrics
        details = self.objective.period_names.values() if self.details else ()
        return (OBJECTIVE, *self.metrics, *(name for names in details for name in names))

    @property
    def every_bar(self) -> bool:
        """Whether something is computed at every bar."""
        return self.path in (Path.PER_BAR, Path.FEES) or _reads_every_bar(self.needed)

    @property
    def maps_lanes(self) -> bool:
        """Whether parameter sets and windows are run one after the other, instead of side by side.

        A long sequential pass gains nothing from ``vmap`` on a CPU; on an accelerator it does.
        """
        return self.every_bar and self.setup.scan_mode == "sequential"


def make_plan(
    setup: PoolSetup,
    shape: SampleShape,
    metrics: tuple[str, ...],
    phase: int | None,
    path: Path | str | None = None,
    *,
    objective: ObjectiveShape | None = None,
    details: bool = False,
) -> Plan:
    """Chooses the path, or checks the one asked for; arguments as in :class:`Plan`.

    Raises:
        ConfigError: the path asked for is unknown or cannot serve this pool and these metrics; the message says why.
    """
    needed = _needed(metrics, objective)
    wanted = _cheapest(setup, needed)
    if path is not None and path != "auto":
        try:
            asked = Path(path)
        except ValueError as error:
            raise ConfigError(f"path = {path!r} must be one of auto, {', '.join(p.value for p in Path)}") from error
        _check(asked, setup, needed)
        wanted = asked
    return Plan(setup, shape, metrics, wanted, phase, objective, details)


def _needed(metrics: tuple[str, ...], objective: ObjectiveShape | None) -> tuple[str, ...]:
    if objective is None:
        return metrics
    return tuple(dict.fromkeys((*metrics, *objective.term_metrics, *objective.constraint_metrics)))


def _cheapest(setup: PoolSetup, metrics: tuple[str, ...]) -> Path:
    if setup.holds:
        return Path.HOLD
    if setup.charges or setup.has_trades or setup.batches:
        return Path.FEES
    if setup.arb_frequency > 1 or setup.interpolation != "linear" or _reads_every_bar(metrics):
        return Path.PER_BAR
    return Path.CLOSED_FORM


def _check(path: Path, setup: PoolSetup, metrics: tuple[str, ...]) -> None:
    reasons = {
        "the pool never trades": setup.holds and path is not Path.HOLD,
        "the pool trades": not setup.holds and path is Path.HOLD,
        "trading costs something, which needs path = 'fees'": (
            setup.charges and path in (Path.CLOSED_FORM, Path.PER_BAR)
        ),
        "exogenous swaps need path = 'fees'": setup.has_trades and path in (Path.CLOSED_FORM, Path.PER_BAR),
        "trade in batches needs path = 'fees'": setup.batches and path in (Path.CLOSED_FORM, Path.PER_BAR),
        "the closed form needs an arbitrage visit every bar": setup.arb_frequency > 1 and path is Path.CLOSED_FORM,
        "the closed form needs linear interpolation": setup.interpolation != "linear" and path is Path.CLOSED_FORM,
        "a metric needs the value or the reserves at every bar": (
            _reads_every_bar(metrics) and path is Path.CLOSED_FORM
        ),
    }
    for reason, applies in reasons.items():
        if applies:
            raise ConfigError(f"path = {path.value!r} cannot serve here: {reason}")


def _reads_every_bar(metrics: tuple[str, ...]) -> bool:
    return bool(needs_of(metrics) & (Need.BARS | Need.REBALANCING))
