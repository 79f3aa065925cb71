"""The contract of a driver: ``init``, ``step`` and ``report`` over an explicit state.

:func:`quantsim.drivers.loop.run_driver` runs any of them. A driver evaluates parameter sets with
:class:`~quantsim.simulator.Evaluator` and with nothing below it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from quantsim.checkpoints import Checkpoint, CheckpointStore
from quantsim.checkpoints.stored import rule_notes
from quantsim.config.identity import Decides
from quantsim.simulator import Evaluator

__all__ = ["Driver", "NewRun", "Report", "Resumed"]

StateT = TypeVar("StateT")
InfoT = TypeVar("InfoT")
ProgressT = TypeVar("ProgressT")


@dataclass(frozen=True)
class NewRun:
    """What the checkpoint store records of a run when it begins.

    Attributes:
        experiment_id: identity of the experiment for the purpose of the driver.
        data_id: identity of prices and series.
        name: of the experiment.
        config: the experiment as JSON values.
        seed: of the experiment.
        notes: what a reader of the results should know, as JSON values.
    """

    experiment_id: str
    data_id: str
    name: str
    config: Mapping[str, Any]
    seed: int
    notes: Mapping[str, Any]

    @classmethod
    def of(cls, evaluator: Evaluator, purpose: Decides, notes: Mapping[str, Any] | None = None) -> NewRun:
        """The entry of a run on the experiment and the data of an evaluator.

        Args:
            evaluator: of the driver.
            purpose: which keys of the experiment decide what the driver does.
            notes: in addition to those of the evaluator.
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
    """A stored run that goes on.

    Attributes:
        run_id: of the store.
        state: after its last completed step.
        info: what the store lacks of the steps so far; None for nothing.
        notes: what replaces notes of the run.
    """

    run_id: str
    state: StateT
    info: InfoT | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report(Generic[ProgressT]):
    """What is stored and shown after a step; it is written in one transaction.

    Attributes:
        step: steps done so far.
        checkpoints: the parameter sets that the step evaluated.
        progress: for whoever watches.
        state: what the run is resumed from; None where the driver keeps it elsewhere.
        log: JSON values for the log of the run; empty for no entry.
    """

    step: int
    checkpoints: Sequence[Checkpoint]
    progress: ProgressT
    state: bytes | None = None
    log: Mapping[str, Any] = field(default_factory=dict)


class Driver(ABC, Generic[StateT, InfoT, ProgressT]):
    """Looks for good parameters step by step.

    The state is carried from step to step, and is a frozen value: a step returns a new one. The info is only reported. All
    fixed parts, such as the experiment and its evaluator, belong to the driver object.

    Attributes:
        name: of the driver in the checkpoint store; up to 16 of a-z, 0-9 and _.
    """

    name: ClassVar[str]

    @abstractmethod
    def new_run(self) -> NewRun:
        """What the store records when a run begins."""

    @abstractmethod
    def resume(self, store: CheckpointStore) -> Resumed[StateT, InfoT] | None:
        """The stored run that this one continues; None if there is none."""

    @abstractmethod
    def init(self) -> tuple[StateT, InfoT | None]:
        """The state before the first step, and what there is to report of it."""

    @abstractmethod
    def step(self, state: StateT) -> tuple[StateT, InfoT]:
        """Takes one step: the least that is stored as a whole."""

    @abstractmethod
    def report(self, run_id: str, state: StateT, info: InfoT) -> Report[ProgressT]:
        """What is stored and shown of a step."""

    @abstractmethod
    def ending(self, state: StateT) -> str | None:
        """Why the run is over, "" where there is nothing to say; None while it is not."""

    def salvage(self, run_id: str, state: StateT) -> Report[ProgressT] | None:
        """What is worth storing of a step that was cut off by an error or an interrupt; None for nothing.

        Args:
            run_id: of the store.
            state: before that step.
        """
        return None
