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

    Raises:
        KeyboardInterrupt: every completed step is stored, and the run is stored as interrupted.
    """
    begun = time.monotonic()
    found = driver.resume(store) if resume else None
    run_id = _begin(driver, store, group, parent) if found is None else found.run_id
    state: StateT | None = None
    try:
        if not store.baselines(run_id):  # a run of an older version has none
            store.set_baselines(run_id, driver.baselines())
        if found is None:
            state, info = driver.init()
        else:
            store.resume_run(run_id, {**found.notes, **process_identity()})
            state, info = found.state, found.info
        first = state
        if info is not None:
            _store(store, run_id, driver.report(run_id, state, info), progress)
        stopped = False
        while (ending := driver.ending(state)) is None and not stopped:
            state, info = driver.step(state)
            _store(store, run_id, driver.report(run_id, state, info), progress)
            stopped = stop is not None and stop()
    except BaseException as error:
        _close_down(driver, store, run_id, state, error)
        raise
    if ending is None:
        store.finish_run(run_id, "interrupted", "stopped before its end")
    else:
        store.finish_run(run_id, "finished", ending or None)
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


def _store(
    store: CheckpointStore, run_id: str, report: StepReport[ProgressT], progress: Callable[[ProgressT], None] | None
) -> None:
    # `progress` comes last, so that an exception in it does not lose the step.
    store.append(
        run_id,
        report.checkpoints,
        state=report.state,
        state_step=report.step,
        report=report.log or None,
    )
    if progress is not None:
        progress(report.progress)


def _close_down(
    driver: Driver[StateT, InfoT, ProgressT],
    store: CheckpointStore,
    run_id: str,
    state: StateT | None,
    error: BaseException,
) -> None:
    """Sets the status of the run after an error. Further errors are added as notes to the first one."""
    interrupted = isinstance(error, KeyboardInterrupt)
    reason = "interrupted by the user" if interrupted else f"{type(error).__name__}: {error}"
    try:
        if state is not None and (report := driver.salvage(run_id, state)) is not None:
            _store(store, run_id, report, None)
        store.finish_run(run_id, "interrupted" if interrupted else "failed", reason)
    except Exception as trouble:
        error.add_note(f"and while closing the run: {type(trouble).__name__}: {trouble}")
