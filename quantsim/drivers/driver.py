"""The interface of drivers: ``init``, ``step`` and ``report`` over an explicit state.

:func:`quantsim.drivers.loop.run_driver` runs any driver. A driver evaluates parameter sets only with
:class:`~quantsim.simulator.Evaluator`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from quantsim.checkpoints import Baseline, Checkpoint, CheckpointStore
from quantsim.checkpoints.stored import rule_notes
from quantsim.config.identity import Decides
from quantsim.simulator import Evaluator

__all__ = ["Driver", "NewRun", "Resumed", "StepReport"]

StateT = TypeVar("StateT")
InfoT = TypeVar("InfoT")
ProgressT = TypeVar("ProgressT")


@dataclass(frozen=True)
class NewRun:
    """The entry of a new run in the checkpoint store.

    Attributes:
        experiment_id: identity of the experiment for the driver.
        data_id: identity of prices and series.
        name: name of the experiment.
        config: the experiment as JSON values.
        seed: seed of the experiment.
        notes: notes for readers of the results, as JSON values.
    """

    experiment_id: str
    data_id: str
    name: str
    config: Mapping[str, Any]
    seed: int
    notes: Mapping[str, Any]

    @classmethod
    def of(cls, evaluator: Evaluator, purpose: Decides, notes: Mapping[str, Any] | None = None) -> NewRun:
        """Returns the entry of a run with the experiment and the data of an evaluator.

        Args:
            evaluator: evaluator of the driver.
            purpose: the keys of the experiment that count for the driver.
            notes: notes in addition to those of the evaluator.
        """
        experiment = evaluator.experiment
        return cls(
            experiment_id=experiment.identity_for(purpose),
            data_id=evaluator.data_id,
            name=experiment.name,
            config=experiment.recorded(evaluator.prices).model_dump(mode="json"),
            seed=experiment.seed,
            notes={**evaluator.notes, **rule_notes(experiment), **(notes or {})},
        )


@dataclass(frozen=True)
class Resumed(Generic[StateT, InfoT]):
    """A stored run that is resumed.

    Attributes:
        run_id: id of the run in the store.
        state: state after the last completed step.
        info: information on earlier steps that the store does not have; None for none.
        notes: notes that replace those of the run.
    """

    run_id: str
    state: StateT
    info: InfoT | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepReport(Generic[ProgressT]):
    """The results of a step to store, in one transaction, and to show.

    Attributes:
        step: number of completed steps.
        checkpoints: the parameter sets that the step evaluated.
        progress: argument of the progress callback.
        state: state for resuming; None if the driver keeps it elsewhere.
        log: JSON values for the log of the run; empty for no entry.
    """

    step: int
    checkpoints: Sequence[Checkpoint]
    progress: ProgressT
    state: bytes | None = None
    log: Mapping[str, Any] = field(default_factory=dict)


class Driver(ABC, Generic[StateT, InfoT, ProgressT]):
    """Base class of drivers, which find parameters step by step.

    The state is carried from step to step. It is a frozen value: a step returns a new one. The info is only reported. All
    fixed parts, such as the experiment and its evaluator, belong to the driver object.

    Attributes:
        name: name of the driver in the checkpoint store: up to 16 of a-z, 0-9 and _.
    """

    name: ClassVar[str]

    @abstractmethod
    def new_run(self) -> NewRun:
        """Returns the entry of a new run in the store."""

    @abstractmethod
    def resume(self, store: CheckpointStore) -> Resumed[StateT, InfoT] | None:
        """Returns the stored run to resume; None if there is none."""

    @abstractmethod
    def baselines(self) -> Mapping[str, Baseline]:
        """Returns the baselines of the experiment by name, which are stored with the run; usually those of the evaluator."""

    @abstractmethod
    def init(self) -> tuple[StateT, InfoT | None]:
        """Returns the state before the first step, and the info to report of it, if any."""

    @abstractmethod
    def step(self, state: StateT) -> tuple[StateT, InfoT]:
        """Takes one step, which is stored as a whole."""

    @abstractmethod
    def report(self, run_id: str, state: StateT, info: InfoT) -> StepReport[ProgressT]:
        """Returns the results of a step to store and to show."""

    @abstractmethod
    def ending(self, state: StateT) -> str | None:
        """Returns the reason why the run is over ("" for no text), or None if it continues."""

    def salvage(self, run_id: str, state: StateT) -> StepReport[ProgressT] | None:
        """Returns results to store from a step that an error or an interrupt stopped; None for none.

        Args:
            run_id: id of the run in the store.
            state: state before this step.
        """
        return None
