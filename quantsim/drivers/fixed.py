"""The driver "fixed": evaluates the study's own parameters and trains nothing. Training is compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from quantsim.checkpoints import Baseline, CheckpointStore
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS
from quantsim.drivers.driver import Driver, NewRun, Resumed, StepReport
from quantsim.drivers.evaluated import evaluated
from quantsim.drivers.liveness import unfinished_runs
from quantsim.drivers.loop import run_driver
from quantsim.prices import PriceData
from quantsim.simulator import Evaluation, Evaluator

__all__ = ["FixedDriver", "run_fixed"]


@dataclass(frozen=True)
class State:
    """Whether the parameters are evaluated."""

    is_done: bool = False


class FixedDriver(Driver[State, Evaluation, float]):
    """Evaluates the study's own parameters, in one step. Its progress is the train objective.

    Args:
        experiment: the experiment.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        series: series in memory instead of files; see :class:`~quantsim.simulator.Evaluator`.
    """

    name: ClassVar[str] = "fixed"

    def __init__(
        self, experiment: Experiment, prices: PriceData | None = None, series: Mapping[str, Any] | None = None
    ) -> None:
        self._experiment = experiment
        self._evaluator = Evaluator(experiment, prices, series)
        self._params = experiment.initial_parameters()

    def new_run(self) -> NewRun:
        """Returns the entry of a new run in the store."""
        return NewRun.of(self._evaluator, GRADIENTS)

    def baselines(self) -> Mapping[str, Baseline]:
        """Returns the baselines of the experiment."""
        return self._evaluator.baselines()

    def resume(self, store: CheckpointStore) -> Resumed[State, Evaluation] | None:
        """Returns the newest run that was cut off before its only step."""
        for run in unfinished_runs(store, self.name, self._evaluator, GRADIENTS):
            return Resumed(run.run_id, State())
        return None

    def init(self) -> tuple[State, Evaluation | None]:
        """Returns the state before the step."""
        return State(), None

    def step(self, state: State) -> tuple[State, Evaluation]:
        """Evaluates the parameters."""
        sets = {name: values[None] for name, values in self._params.items()}
        return State(is_done=True), self._evaluator.evaluate_sets(sets)

    def report(self, run_id: str, state: State, info: Evaluation) -> StepReport[float]:
        """Returns the checkpoint."""
        metrics, returns = info.metrics_of(0), info.returns_of(0)
        row = evaluated(self._experiment, self._params, metrics, returns, run_id=run_id, driver=self.name, step=0)
        return StepReport(0, [row], metrics["train"][self._experiment.objective.name])

    def ending(self, state: State) -> str | None:
        """Ends after the step."""
        return "" if state.is_done else None


def run_fixed(
    experiment: Experiment,
    prices: PriceData | None,
    store: CheckpointStore,
    *,
    series: Mapping[str, Any] | None = None,
    group: tuple[str, int] | None = None,
    progress: Callable[[float], None] | None = None,
) -> str:
    """Evaluates the study's own parameters, stores them as a run with one checkpoint, and returns the id of the run.

    Args:
        experiment: experiment with the parameters.
        prices: prices that cover all periods; None to load those of ``experiment.data``.
        store: store for the checkpoint.
        series: series in memory instead of files; see :class:`~quantsim.simulator.Evaluator`.
        group: id of the group of a new run in the store, and its position in it; None for none.
        progress: function that is called with the train objective.
    """
    return run_driver(FixedDriver(experiment, prices, series), store, group=group, progress=progress).run_id
