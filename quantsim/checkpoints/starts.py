"""A stored parameter set to start from: what it means in a study, and where that study decides otherwise than its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint, Run, in_time_order
from quantsim.checkpoints.comparable import check_strategy
from quantsim.checkpoints.selection import Selection
from quantsim.checkpoints.stored import content_of, differences_of
from quantsim.config import Experiment
from quantsim.config.identity import Decides
from quantsim.errors import PriceError

if TYPE_CHECKING:
    pass

__all__ = ["Start", "comparable_starts"]

_ROUNDING = 1e-6  # relative: paths and compiled programs differ by rounding only


@dataclass(frozen=True)
class Start:
    """A stored parameter set, and the study that it is wanted for.

    Attributes:
        checkpoint: as stored.
        run: that wrote it.
        experiment: the study that it is wanted for.
        reason: why this one, in words.
        selection: by which it was picked; None where it was asked for by its key.
        origin: the key of the first checkpoint with the same parameters, of an earlier run whose metrics compare; None where
            there is none, or it was not looked for.
    """

    checkpoint: Checkpoint
    run: Run
    experiment: Experiment
    reason: str = "as asked for"
    selection: Selection | None = None
    origin: str | None = None

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """:meth:`raw_for` the study that it is wanted for."""
        return self.raw_for(self.experiment)

    @property
    def human(self) -> dict[str, NDArray[np.float64]]:
        """The same in the units people read, as a search takes sets to try first."""
        return self.experiment.human_parameters(self.params)

    def differences(self, experiment: Experiment | None = None) -> tuple[str, ...]:
        """Where a study decides figures otherwise than the run's own, each as ``key: stored → given``.

        Args:
            experiment: the study; by default that which the set is wanted for.

        Raises:
            ConfigError: the study has other tokens or another rule, so that the parameters mean nothing there.
        """
        experiment = experiment or self.experiment
        check_strategy(self.checkpoint.key, self.run, experiment)
        return differences_of(self.checkpoint, self.run, experiment)

    def raw_for(self, experiment: Experiment) -> dict[str, NDArray[np.float64]]:
        """The raw parameters that mean in this study what they meant in their own, raw name → (n,).

        What only one of the two has, see :meth:`differences`, is left out, or keeps the study's own value.

        Raises:
            ConfigError: as :meth:`differences`.
            ParameterError: a value is out of the bounds that the study has.
        """
        check_strategy(self.checkpoint.key, self.run, experiment)
        # Raw memories are counted in chunks. Where these agree, raw values are taken over bit for bit.
        same_chunk = content_of(self.run, Decides.VALUE)["update"]["chunk_minutes"] == experiment.update.chunk_minutes
        values = self.checkpoint.raw if same_chunk else self.checkpoint.human
        known = {name for one in experiment.layout for name in (one.raw_name, one.human_name)}
        return experiment.initial_parameters({name: value for name, value in values.items() if name in known})

    def check_prices(self, data_id: str) -> None:
        """Refuses prices and series that are not those of the run; those of an imported run are not known.

        Args:
            data_id: of an :class:`~quantsim.Evaluator` or a :class:`~quantsim.Result`.

        Raises:
            PriceError: the figures of the run cannot come out again with them.
        """
        stored = self.run.data_id
        if self.run.driver != IMPORTED and data_id != stored:
            raise PriceError(
                f"the prices or series that the study names are not those of the run: their identity is {data_id[:12]}…, and "
                f"was {stored[:12]}…, so its figures cannot come out again. Restore the files, name those of the run with "
                "data.source (--set data.source=FILE), or take the parameters to the prices that are there now with as_study "
                "(--as-study)"
            )

    def changed(self, metrics: Mapping[str, Mapping[str, float]], name: str) -> dict[str, tuple[float, float]]:
        """Where a metric does not come out as it was stored, though study and prices are those of the run.

        Args:
            metrics: split → metric → value, as found now.
            name: of the metric.

        Returns:
            Split → (stored, now), by splits of which both have the metric and it differs by more than rounding.
        """
        if self.run.driver == IMPORTED:
            return {}
        pairs = {
            split: (self.checkpoint.value(split, name), metrics[split].get(name)) for split in in_time_order(metrics)
        }
        return {
            split: (before, now)
            for split, (before, now) in pairs.items()
            if before is not None
            and now is not None
            and not np.isclose(before, now, _ROUNDING, _ROUNDING, equal_nan=True)
        }

    def describe(self) -> str:
        """One line: which one, of which run, and why."""
        copy = "" if self.origin is None else f" (the same parameters as {self.origin}, which is earlier)"
        prices = f"; its prices were {self.run.notes['prices']}" if "prices" in self.run.notes else ""
        return f"{self.checkpoint.key} of run {self.run.name!r} ({self.run.driver}), {self.reason}{copy}{prices}"


def comparable_starts(starts: Iterable[Start], data_id: str) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """The checkpoints of the starts whose metrics compare with those of a run on these prices.

    Args:
        starts: of the run.
        data_id: of the run's prices.

    Returns:
        The checkpoints, and the names of the runs that had the same study on other prices.
    """
    alike = [start for start in starts if not start.differences()]
    same = [start.checkpoint for start in alike if start.run.data_id == data_id]
    return same, tuple(sorted({start.run.name for start in alike if start.run.data_id != data_id}))
