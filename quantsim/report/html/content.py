"""What a report is made of. :func:`quantsim.make_report` collects it; sections only show it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.array_types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from quantsim.checkpoints import Checkpoint, Run, Selection
    from quantsim.checkpoints.runs.entries import RunEntry
    from quantsim.checkpoints.training import TrainingCurves
    from quantsim.config import Experiment
    from quantsim.onchain.simulation import ChainSimulation
    from quantsim.out_of_sample import WalkForwardOutcome
    from quantsim.report.comparison import Comparison
    from quantsim.search_space import SearchSpace
    from quantsim.simulator import Result
    from quantsim.validation import Validation

__all__ = ["Content", "Curves"]


@dataclass(frozen=True, eq=False)
class Curves:
    """Daily values of one pool through all splits, and of its baselines, at the first bar of each of ``D`` days.

    Attributes:
        times: (D,) times, ``datetime64[s]``, UTC.
        values: pool → (D,) values in the quote currency; "selected" is the first.
        ends: pool → value at the last bar.
        weights: (D, n) weights of the selected pool.
        tokens: names of its columns.
        splits: split → index of its first day, in chronological order.
    """

    times: NDArray[np.datetime64]
    values: Mapping[str, FloatArray]
    ends: Mapping[str, float]
    weights: FloatArray
    tokens: tuple[str, ...]
    splits: Mapping[str, int]

    @functools.cached_property
    def log_returns(self) -> dict[str, FloatArray]:
        """Pool → (D-1,) daily log returns."""
        with np.errstate(divide="ignore", invalid="ignore"):  # after a total loss
            return {name: np.diff(np.log(values)) for name, values in self.values.items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What a report is made of.

    Attributes:
        experiment: study of the run.
        run: run of the checkpoint.
        entry: the same run with its name, note and tags.
        checkpoint: the stored parameter set.
        selection: how it was selected; None if it was given by its key.
        reason: why this set, in words.
        comparison: the set beside the baselines, on every split.
        validation: whether luck explains the result; None if that is unknown.
        unvalidated: why there is no validation; empty if there is one.
        curves: daily values through all splits.
        attribution: profit and loss by day and term, of :meth:`quantsim.Simulation.attribution`.
        by_split: the same by split.
        simulation: simulation of the set through all splits.
        trials: the evaluated sets of the run.
        space: search space of the run; None if it was no search.
        training: curves of gradient training; None if the run took no gradient steps.
        walk_forward: the newest finished walk-forward of the study in the store; None without one.
        deployment: what ``quantsim export`` writes.
        on_chain: the set through all splits in the arithmetic of its contract; None if the contracts refuse it.
        not_on_chain: why that failed otherwise.
        prices: one line about the prices.
        notes: notes on the results.
        tear_sheet: whether to add the tear sheet of quantstats.
    """

    experiment: Experiment
    run: Run
    entry: RunEntry
    checkpoint: Checkpoint
    selection: Selection | None
    reason: str
    comparison: Comparison
    validation: Validation | None
    unvalidated: str = ""
    curves: Curves
    attribution: pd.DataFrame
    by_split: pd.DataFrame
    simulation: Result
    trials: Sequence[Checkpoint] = ()
    space: SearchSpace | None = None
    training: TrainingCurves | None = None
    walk_forward: WalkForwardOutcome | None = None
    deployment: Mapping[str, Any] = field(default_factory=dict)
    on_chain: ChainSimulation | None = None
    not_on_chain: str = ""
    prices: str = ""
    notes: Sequence[str] = ()
    tear_sheet: bool = False

    @property
    def title(self) -> str:
        """The title of the report."""
        return f"{self.experiment.name}: {self.checkpoint.key}"
