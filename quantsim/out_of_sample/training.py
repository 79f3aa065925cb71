"""Trains several experiments at a time, with programs that are compiled once; interrupted ones are resumed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.drivers.search.study import quiet_optuna
from quantsim.errors import QuantsimError
from quantsim.out_of_sample.trainers import Resources, train
from quantsim.prices import Prices

__all__ = ["FoldProgress", "Task", "train_all"]


@dataclass(frozen=True)
class Task:
    """One fold to train.

    Attributes:
        position: index of the fold.
        experiment: experiment of the fold.
        load: function that returns the prices of the fold.
    """

    position: int
    experiment: Experiment
    load: Callable[[], Prices]


@dataclass(frozen=True)
class FoldProgress:
    """The progress of training, after every step of any fold.

    Attributes:
        trainer: name of the trainer.
        position: index of the fold that took the step.
        n_folds: number of folds.
        finished: number of folds that are finished.
        done: evaluations or steps of this fold so far.
        total: evaluations or steps of this fold in all.
        best: best value of this fold so far; None before the first one.
    """

    trainer: str
    position: int
    n_folds: int
    finished: int
    done: int
    total: int
    best: float | None


def train_all(
    trainer: str,
    tasks: Sequence[Task],
    store: CheckpointStore,
    resources: Resources,
    *,
    group_id: str,
    progress: Callable[[FoldProgress], None] | None = None,
) -> list[str]:
    """Trains every fold, or resumes it, and returns the ids of the runs in the order of the folds.

    With several jobs, folds are trained at the same time, in threads of this process. A fold only depends on its own experiment
    and prices, so the number of jobs changes no result.

    Args:
        trainer: name of the trainer; see :data:`~quantsim.out_of_sample.trainers.TRAINERS`.
        tasks: the folds.
        store: store of the runs.
        resources: resources for training. Jobs are distributed over the folds.
        group_id: id of the group of these runs.
        progress: function that is called after every step of any fold, by one thread at a time.

    Raises:
        KeyboardInterrupt: completed steps of all folds are stored.
        QuantsimError: a fold failed; a note says which. The other folds end after their current step, and can be resumed.
    """
    at_once = min(resources.jobs, len(tasks)) if resources.backend == "threads" else 1
    shared = replace(resources, jobs=max(1, resources.jobs // at_once))
    session = _Session(trainer, tasks, store, shared, group_id, progress)
    with quiet_optuna():  # once for all threads, which would restore the level that they find
        if at_once == 1:
            return [session.run(task) for task in tasks]
        return _in_threads(session, at_once)


class _Stopped(KeyboardInterrupt):
    """Ends a fold after its current step, because another one failed or the user interrupts."""


class _Session:
    """The shared state of all folds of a call."""

    def __init__(
        self,
        trainer: str,
        tasks: Sequence[Task],
        store: CheckpointStore,
        resources: Resources,
        group_id: str,
        progress: Callable[[FoldProgress], None] | None,
    ) -> None:
        self.tasks, self.stopping = tasks, threading.Event()
        self._trainer, self._store, self._resources, self._group_id = trainer, store, resources, group_id
        self._progress, self._telling, self._n_finished = progress, threading.Lock(), 0
        self._first = _FirstCompiles()
        self._known = _finished_runs(trainer, tasks, store, group_id)

    def run(self, task: Task) -> str:
        """Trains one fold, and returns the id of its run."""
        run_id = self._known.get(task.position)
        if run_id is None:
            with self._first.turn() as compiled:
                run_id = self._train(task, compiled)
        with self._telling:
            self._n_finished += 1
        return run_id

    def _train(self, task: Task, compiled: Callable[[], None]) -> str:
        def told(done: int, total: int, best: float | None, is_compiled: bool) -> None:
            if is_compiled:
                compiled()
            self._tell(task, done, total, best)
            if self.stopping.is_set():
                raise _Stopped

        if self.stopping.is_set():
            raise _Stopped
        group = (self._group_id, task.position)
        try:
            return train(
                self._trainer, task.experiment, task.load(), self._store, self._resources, group=group, progress=told
            )
        except QuantsimError as error:
            error.add_note(f"in fold {task.position} of {len(self.tasks)}, trained by {self._trainer}")
            raise

    def _tell(self, task: Task, done: int, total: int, best: float | None) -> None:
        if self._progress is not None:
            with self._telling:
                seen = (task.position, len(self.tasks), self._n_finished, done, total, best)
                self._progress(FoldProgress(self._trainer, *seen))


class _FirstCompiles:
    """Lets one fold run alone until it has compiled its programs, so that the others find them."""

    def __init__(self) -> None:
        self._lock, self._compiled = threading.Lock(), threading.Event()

    @contextlib.contextmanager
    def turn(self) -> Iterator[Callable[[], None]]:
        """Yields a function to call when all programs are compiled. A fold that ends before passes its turn to the next."""
        self._lock.acquire()
        is_held = True

        def release(*, compiled: bool = True) -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                if compiled:
                    self._compiled.set()
                self._lock.release()

        if self._compiled.is_set():
            release()
        try:
            yield release
        finally:
            release(compiled=False)


def _finished_runs(trainer: str, tasks: Sequence[Task], store: CheckpointStore, group_id: str) -> dict[int, str]:
    """Returns position → id of the finished run, for trainers that would start again; searches find their own studies."""
    if trainer not in ("sgd", "fixed"):
        return {}
    finished = {run.name: run.run_id for run in store.runs_of_group(group_id) if run.status == "finished"}
    return {task.position: finished[task.experiment.name] for task in tasks if task.experiment.name in finished}


def _in_threads(session: _Session, n_threads: int) -> list[str]:
    with ThreadPoolExecutor(n_threads, "fold") as pool:
        futures: list[Future[str]] = [pool.submit(session.run, task) for task in session.tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            session.stopping.set()
            for future in futures:
                future.cancel()
    errors = [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):  # what stopped the others comes first
        raise error
    return [future.result() for future in futures]
