"""The loop that runs every driver: starts or resumes a run, takes steps, stores results, and ends cleanly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.liveness import process_identity
from quantsim.discovery import naming_users_files
from quantsim.drivers.driver import Driver, StepReport
from quantsim.precision import in_float64
from quantsim.tracking import Tracking

__all__ = ["Finished", "run_driver"]

StateT = TypeVar("StateT")
InfoT = TypeVar("InfoT")
ProgressT = TypeVar("ProgressT")


@dataclass(frozen=True)
class Finished(Generic[StateT]):
    """The result of a session of a run.

    Attributes:
        run_id: id of the run in the store.
        first: first state of this session.
        state: state after the last step.
        ending: reason of the end, given by the driver; None if the run was stopped before.
        resumed: whether the run was resumed.
        seconds: duration of this session in seconds.
    """

    run_id: str
    first: StateT
    state: StateT
    ending: str | None
    resumed: bool
    seconds: float


@in_float64
@naming_users_files()
def run_driver(
    driver: Driver[StateT, InfoT, ProgressT],
    store: CheckpointStore,
    *,
    resume: bool = True,
    group: tuple[str, int] | None = None,
    parent: str | None = None,
    progress: Callable[[ProgressT], None] | None = None,
    stop: Callable[[], bool] | None = None,
    tracking: Tracking | None = None,
) -> Finished[StateT]:
    """Runs a driver to its end. The notes of the run hold the identity of this process.

    Args:
        driver: the driver.
        store: store for checkpoints and states.
        resume: whether to resume a matching stored run.
        group: id of the group of a new run, and its position in it; None for none.
        parent: id of the run that a new run is a part of, such as the search of a hybrid run; None for none.
        progress: function that is called after every report.
        stop: function that is called after every step; if it returns True before the end, the run is stored as interrupted and
            this function returns.
        tracking: experiment trackers, which receive everything that is stored.

    Raises:
        KeyboardInterrupt: every completed step is stored, and the run is stored as interrupted.
    """
    begun = time.monotonic()
    found = driver.resume(store) if resume else None
    run_id = _begin(driver, store, group, parent) if found is None else found.run_id
    state: StateT | None = None
    reporting = _Reporting(store, run_id, progress, tracking or Tracking())
    try:
        if not store.baselines(run_id):  # a run of an older version has none
            store.set_baselines(run_id, driver.baselines())
        if found is None:
            state, info = driver.init()
        else:
            store.resume_run(run_id, {**found.notes, **process_identity()})
            state, info = found.state, found.info
        first = state
        reporting.tracking.begin(store, run_id)
        if info is not None:
            reporting.add(driver.report(run_id, state, info))
        stopped = False
        while (ending := driver.ending(state)) is None and not stopped:
            state, info = driver.step(state)
            reporting.add(driver.report(run_id, state, info))
            stopped = stop is not None and stop()
    except BaseException as error:
        _close_down(driver, reporting, state, error)
        raise
    if ending is None:
        reporting.end("interrupted", "stopped before its end")
    else:
        reporting.end("finished", ending or None)
    return Finished(run_id, first, state, ending, found is not None, time.monotonic() - begun)


def _begin(
    driver: Driver[StateT, InfoT, ProgressT],
    store: CheckpointStore,
    group: tuple[str, int] | None,
    parent: str | None,
) -> str:
    new = driver.new_run()
    return store.begin_run(
        experiment_id=new.experiment_id,
        data_id=new.data_id,
        name=new.name,
        driver=driver.name,
        config=new.config,
        seed=new.seed,
        notes={**new.notes, **process_identity()},
        group=group,
        parent=parent,
    )


@dataclass(frozen=True)
class _Reporting(Generic[ProgressT]):
    """Where the results of a run go: to the store, the trackers, and the screen."""

    store: CheckpointStore
    run_id: str
    progress: Callable[[ProgressT], None] | None
    tracking: Tracking

    def add(self, report: StepReport[ProgressT]) -> None:
        """Stores a report, then tracks and shows it."""
        self.keep(report)
        # `progress` comes last, so that an exception in it does not lose the step.
        if self.progress is not None:
            self.progress(report.progress)

    def keep(self, report: StepReport[ProgressT]) -> None:
        """Stores and tracks a report."""
        self.store.append(
            self.run_id,
            report.checkpoints,
            state=report.state,
            state_step=report.step,
            report=report.log or None,
        )
        self.tracking.write(report.checkpoints, report.step, report.log)

    def end(self, status: str, reason: str | None) -> None:
        """Stores the status of the run."""
        self.store.finish_run(self.run_id, status, reason)
        self.tracking.end(status)


def _close_down(
    driver: Driver[StateT, InfoT, ProgressT],
    reporting: _Reporting[ProgressT],
    state: StateT | None,
    error: BaseException,
) -> None:
    """Sets the status of the run after an error. Further errors are added as notes to the first one."""
    interrupted = isinstance(error, KeyboardInterrupt)
    reason = "interrupted by the user" if interrupted else f"{type(error).__name__}: {error}"
    try:
        if state is not None and (report := driver.salvage(reporting.run_id, state)) is not None:
            reporting.keep(report)
        reporting.end("interrupted" if interrupted else "failed", reason)
    except Exception as trouble:
        error.add_note(f"and while closing the run: {type(trouble).__name__}: {trouble}")
