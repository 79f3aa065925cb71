"""The contract of a driver and the loop that runs it, on a driver of a few lines: random search. A template for drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from safetensors.numpy import load, save
from sgd_support import make_experiment, make_prices

from quantsim import CheckpointStore, Evaluator, select
from quantsim.checkpoints import BASELINES, Baseline, Run
from quantsim.config.identity import Decides
from quantsim.drivers.best import Best
from quantsim.drivers.driver import Driver, NewRun, Resumed, StepReport
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.liveness import unfinished_runs
from quantsim.drivers.loop import run_driver
from quantsim.simulator import Evaluation
from quantsim.tracking import Tracking
from quantsim.tracking.entries import Entry
from quantsim.tracking.tracker import Tracker

STEPS = 5


@dataclass(frozen=True)
class State:
    """What is carried from step to step."""

    step: int
    best: Best


@dataclass(frozen=True)
class Info:
    """What is only reported of a step."""

    raw: dict[str, np.ndarray]
    found: Evaluation


class RandomSearch(Driver[State, Info, float]):
    """Perturbs the parameters of the experiment at random; every step evaluates one set."""

    name: ClassVar[str] = "random"

    def __init__(self, evaluator: Evaluator, steps: int = STEPS) -> None:
        self.evaluator, self.steps = evaluator, steps

    def new_run(self) -> NewRun:
        return NewRun.of(self.evaluator, Decides.VALUE)

    def baselines(self) -> Mapping[str, Baseline]:
        return self.evaluator.baselines()

    def resume(self, store: CheckpointStore) -> Resumed[State, Info] | None:
        for run in unfinished_runs(store, self.name, self.evaluator, Decides.VALUE):
            if (stored := store.load_state(run.run_id)) is not None:
                step, value, at, stale = load(stored.blob)["state"].tolist()
                return Resumed(run.run_id, State(int(step), Best(value, int(at), int(stale))))
        return None

    def init(self) -> tuple[State, Info | None]:
        return State(0, Best()), None

    def step(self, state: State) -> tuple[State, Info]:
        generator = np.random.default_rng([self.evaluator.experiment.seed, state.step])
        initial = self.evaluator.experiment.initial_parameters()
        raw = {name: value + generator.standard_normal(value.shape) for name, value in initial.items()}
        found = self.evaluator.evaluate_sets({name: values[None] for name, values in raw.items()})
        objective = found.metrics_of(0)["train"][self.evaluator.experiment.objective.name]
        return State(state.step + 1, state.best.update(objective, state.step)), Info(raw, found)

    def report(self, run_id: str, state: State, info: Info) -> StepReport[float]:
        experiment, step, best = self.evaluator.experiment, state.step - 1, state.best
        metrics, returns = info.found.metrics_of(0), info.found.returns_of(0)
        row = evaluated(experiment, info.raw, metrics, returns, run_id=run_id, driver=self.name, step=step)
        blob = save({"state": np.array([state.step, best.value, best.step, best.stale], float)})
        return StepReport(state.step, [row], best.value, blob, {"best": best.value})

    def ending(self, state: State) -> str | None:
        return "" if state.step >= self.steps else None


class Kept(Tracker):
    """A tracker that keeps the steps of its entries."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.statuses: list[str] = []

    def begin(self, run: Run) -> set[int]:
        return set(self.steps)

    def write(self, run: Run, entry: Entry) -> None:
        self.steps.append(entry.step)

    def end(self, run: Run, status: str) -> None:
        self.statuses.append(status)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(make_experiment(), make_prices())


def rows_of(store: CheckpointStore, run_id: str) -> list[tuple[object, ...]]:
    return [(row.step, row.raw, row.metrics, row.objective) for row in store.checkpoints(run_id=run_id)]


def test_a_run_is_stored_step_by_step(evaluator: Evaluator, store: CheckpointStore) -> None:
    told: list[float] = []
    done = run_driver(RandomSearch(evaluator), store, progress=told.append)
    rows = store.checkpoints(run_id=done.run_id)
    assert [row.step for row in rows] == list(range(STEPS))
    assert told == [max(row.objective for row in rows[: at + 1]) for at in range(STEPS)]
    assert select(rows, "best_train").checkpoint.objective == told[-1] == done.state.best.value
    assert [report.content for report in store.reports(done.run_id)] == [{"best": best} for best in told]
    baselines = store.baselines(done.run_id)
    assert {name: dict(found.metrics) for name, found in baselines.items()} == {
        name: found.metrics for name, found in evaluator.baselines().items()
    }
    run = store.run(done.run_id)
    assert (run.driver, run.status, run.reason, done.ending, done.resumed) == ("random", "finished", None, "", False)
    assert run.notes["warm_up_days"] == 20.0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("cut", [1, 3, STEPS])
def test_an_interrupted_run_resumes_to_the_same_end(
    evaluator: Evaluator, store: CheckpointStore, cut: int, kind: type[BaseException]
) -> None:
    steps = iter(range(1, STEPS + 1))

    def interrupt(_: float) -> None:
        if next(steps) == cut:
            raise kind("enough")

    whole = run_driver(RandomSearch(evaluator), store)
    kept = Kept()
    with pytest.raises(kind):
        run_driver(RandomSearch(evaluator), store, progress=interrupt, tracking=Tracking([kept]))
    (broken,) = [run for run in store.find_runs() if run.status != "finished"]
    assert broken.status == ("interrupted" if kind is KeyboardInterrupt else "failed")
    store.set_baselines(broken.run_id, {})  # as an older version left it
    late = Kept()
    resumed = run_driver(RandomSearch(evaluator), store, tracking=Tracking([kept, late]))
    assert kept.steps == late.steps == list(range(STEPS)), "trackers receive each step once, also from earlier sessions"
    assert kept.statuses == [broken.status, "finished"]
    assert set(store.baselines(broken.run_id)) == set(BASELINES)
    assert (resumed.run_id, resumed.resumed, resumed.first.step) == (broken.run_id, True, cut)
    assert resumed.state == whole.state
    assert rows_of(store, resumed.run_id) == rows_of(store, whole.run_id)


def test_a_run_can_be_stopped_between_steps(evaluator: Evaluator, store: CheckpointStore) -> None:
    asked = iter([False, True])
    stopped = run_driver(RandomSearch(evaluator), store, stop=lambda: next(asked))
    assert (stopped.state.step, stopped.ending, store.run(stopped.run_id).status) == (2, None, "interrupted")
    done = run_driver(RandomSearch(evaluator), store)
    assert (done.run_id, done.first.step, done.ending) == (stopped.run_id, 2, "")
    assert run_driver(RandomSearch(evaluator), store, resume=False).run_id != done.run_id


def test_a_failure_before_the_first_step_is_stored(evaluator: Evaluator, store: CheckpointStore) -> None:
    class Broken(RandomSearch):
        def init(self) -> tuple[State, Info | None]:
            raise RuntimeError("no start")

    with pytest.raises(RuntimeError, match="no start"):
        run_driver(Broken(evaluator), store)
    (run,) = store.find_runs()
    assert (run.status, run.reason) == ("failed", "RuntimeError: no start")


def test_results_of_an_interrupted_step_are_salvaged(evaluator: Evaluator, store: CheckpointStore) -> None:
    class Cut(RandomSearch):
        def step(self, state: State) -> tuple[State, Info]:
            if state.step == 2:
                raise KeyboardInterrupt
            return super().step(state)

        def salvage(self, run_id: str, state: State) -> StepReport[float] | None:
            return self.report(run_id, *RandomSearch.step(self, state))

    with pytest.raises(KeyboardInterrupt):
        run_driver(Cut(evaluator), store)
    (run,) = store.find_runs(status="interrupted")
    assert [row.step for row in store.checkpoints(run_id=run.run_id)] == [0, 1, 2]


def test_trouble_while_closing_does_not_hide_the_error(evaluator: Evaluator, store: CheckpointStore) -> None:
    class Cut(RandomSearch):
        def step(self, state: State) -> tuple[State, Info]:
            raise KeyboardInterrupt

        def salvage(self, run_id: str, state: State) -> StepReport[float] | None:
            raise ValueError("not even that")

    with pytest.raises(KeyboardInterrupt) as caught:
        run_driver(Cut(evaluator), store)
    assert caught.value.__notes__ == ["and while closing the run: ValueError: not even that"]
