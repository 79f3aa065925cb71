"""A stored parameter set to start from, its parameters in another study, and the differences between the studies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint, Run, chronological
from quantsim.checkpoints.comparable import check_strategy
from quantsim.checkpoints.selection import Selection
from quantsim.checkpoints.stored import content_of, differences_of
from quantsim.config import Experiment
from quantsim.config.identity import Decides
from quantsim.errors import PriceError

if TYPE_CHECKING:
    pass

__all__ = ["Start", "comparable_starts"]

_ROUNDING = 1e-6  # relative tolerance: paths and compiled programs differ by rounding


@dataclass(frozen=True)
class Start:
    """A stored parameter set, and the study that uses it.

    Attributes:
        checkpoint: the stored checkpoint.
        run: run of the checkpoint.
        experiment: study that uses the parameters.
        reason: reason for this choice, in words.
        selection: the selection; None if the checkpoint was given by its key.
        origin: key of the first checkpoint with the same parameters in an earlier comparable run; None if there is none, or
            if it was not searched for.
    """

    checkpoint: Checkpoint
    run: Run
    experiment: Experiment
    reason: str = "as requested"
    selection: Selection | None = None
    origin: str | None = None

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """Raw parameters for ``experiment``; see :meth:`raw_for`."""
        return self.raw_for(self.experiment)

    @property
    def human(self) -> dict[str, NDArray[np.float64]]:
        """The parameters in human units, as for the first trials of a search."""
        return self.experiment.human_parameters(self.params)

    def differences(self, experiment: Experiment | None = None) -> tuple[str, ...]:
        """Lists the differences of a study from that of the run in what decides metrics, as ``key: stored → given``.

        Args:
            experiment: the study; default: ``self.experiment``.

        Raises:
            ConfigError: the study has other tokens or another rule, so that the parameters do not fit.
        """
        experiment = experiment or self.experiment
        check_strategy(self.checkpoint.key, self.run, experiment)
        return differences_of(self.checkpoint, self.run, experiment)

    def raw_for(self, experiment: Experiment) -> dict[str, NDArray[np.float64]]:
        """Returns the raw parameters with the same meaning in this study: raw name → (n,).

        Parameters that only the run has are left out. Parameters that only this study has keep its values.

        Raises:
            ConfigError: as in :meth:`differences`.
            ParameterError: a value is out of the bounds of the study.
        """
        check_strategy(self.checkpoint.key, self.run, experiment)
        # Raw memories depend on the chunk. If it is the same, raw values are used bit for bit.
        same_chunk = content_of(self.run, Decides.VALUE)["update"]["chunk_minutes"] == experiment.update.chunk_minutes
        values = self.checkpoint.raw if same_chunk else self.checkpoint.human
        known = {name for one in experiment.layout for name in (one.raw_name, one.human_name)}
        return experiment.initial_parameters({name: value for name, value in values.items() if name in known})

    def check_prices(self, data_id: str) -> None:
        """Checks that prices and series are those of the run; those of an imported run are unknown.

        Args:
            data_id: identity of the data, from an :class:`~quantsim.Evaluator` or a :class:`~quantsim.Result`.

        Raises:
            PriceError: they differ, so the metrics of the run cannot be reproduced.
        """
        stored = self.run.data_id
        if self.run.driver != IMPORTED and data_id != stored:
            raise PriceError(
                f"the prices or series of the study are not those of the run: their identity is {data_id[:12]}…, but was "
                f"{stored[:12]}…, so the metrics of the run cannot be reproduced. Restore the files, name those of the run "
                "with data.source (--set data.source=FILE), or use the parameters on the current prices with as_study "
                "(--as-study)"
            )

    def changed(self, metrics: Mapping[str, Mapping[str, float]], name: str) -> dict[str, tuple[float, float]]:
        """Returns the stored values of a metric that are not reproduced, although study and prices are those of the run.

        Args:
            metrics: split → metric → current value.
            name: name of the metric.

        Returns:
            Split → (stored, current), for splits on which both exist and differ by more than rounding.
        """
        if self.run.driver == IMPORTED:
            return {}
        pairs = {
            split: (self.checkpoint.value(split, name), metrics[split].get(name)) for split in chronological(metrics)
        }
        return {
            split: (before, now)
            for split, (before, now) in pairs.items()
            if before is not None
            and now is not None
            and not np.isclose(before, now, _ROUNDING, _ROUNDING, equal_nan=True)
        }

    def __repr__(self) -> str:
        return f"Start({self.describe()})"

    def describe(self) -> str:
        """Describes the start in one line: key, run and reason."""
        copy = "" if self.origin is None else f" (the same parameters as the earlier {self.origin})"
        prices = f"; its prices were {self.run.notes['prices']}" if "prices" in self.run.notes else ""
        return f"{self.checkpoint.key} of run {self.run.name!r} ({self.run.driver}), {self.reason}{copy}{prices}"


def comparable_starts(starts: Iterable[Start], data_id: str) -> tuple[list[Checkpoint], tuple[str, ...]]:
    """Returns the checkpoints of the starts that are comparable with a run on these prices.

    Args:
        starts: starts of the run.
        data_id: identity of the run's prices.

    Returns:
        The checkpoints, and the names of runs with the same study on other prices.
    """
    alike = [start for start in starts if not start.differences()]
    same = [start.checkpoint for start in alike if start.run.data_id == data_id]
    return same, tuple(sorted({start.run.name for start in alike if start.run.data_id != data_id}))
