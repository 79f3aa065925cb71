"""Results of runs and simulations beside their baselines: from the store, or from the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quantsim.baseline import Baseline
from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint
from quantsim.checkpoints.picking import best_of_run
from quantsim.checkpoints.selection import Selection
from quantsim.report.comparing import compare
from quantsim.report.comparison import SELECTED, Comparison

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.checkpoints.gains import Gain
    from quantsim.config import Experiment
    from quantsim.simulator import Evaluator, Result
    from quantsim.simulator.grid import Cell

__all__ = [
    "RunResult",
    "compare_cell",
    "compare_checkpoint",
    "compare_gain",
    "compare_selection",
    "compare_simulation",
    "result_of_run",
    "simulated_pool",
]


@dataclass(frozen=True)
class RunResult:
    """The best checkpoint of a run.

    Attributes:
        checkpoint: the selected checkpoint.
        comparison: the checkpoint beside the baselines of its run.
        selection: the selection; None for the balanced choice of a search with several objectives.
    """

    checkpoint: Checkpoint
    comparison: Comparison
    selection: Selection | None = None

    def __repr__(self) -> str:
        return f"RunResult({self.checkpoint.key!r}, {self.comparison!r})"


def compare_checkpoint(
    store: CheckpointStore,
    experiment: Experiment,
    checkpoint: Checkpoint,
    *,
    chosen_by: str | None = None,
    chosen_for: Sequence[str] = (),
    run_id: str | None = None,
) -> Comparison:
    """Compares a stored checkpoint with the baselines of its run.

    Args:
        store: store of the run.
        experiment: study of the run.
        checkpoint: the checkpoint; its daily log returns are read from the store if it has none.
        chosen_by: split that was used for selection; None if the set was not selected.
        chosen_for: metrics that were used for selection; default: the objective.
        run_id: run of the baselines, if the run of the checkpoint has none; it must be comparable.
    """
    if not checkpoint.daily_log_returns:
        checkpoint = store.get(checkpoint.checkpoint_id)
    baselines = store.baselines(checkpoint.run_id)
    if not baselines and run_id is not None:
        baselines = store.baselines(run_id)
    return compare(experiment.objective, checkpoint, baselines, chosen_by=chosen_by, chosen_for=chosen_for)


def compare_selection(
    store: CheckpointStore, experiment: Experiment, selection: Selection, run_id: str | None = None
) -> list[Comparison]:
    """Compares each selected checkpoint with the baselines of its run; arguments as in :func:`compare_checkpoint`."""
    chosen = _chosen(selection)
    return [compare_checkpoint(store, experiment, one, run_id=run_id, **chosen) for one in selection.checkpoints]


def _chosen(selection: Selection | None) -> dict[str, Any]:
    """Returns the arguments of :func:`compare` that say how a set was selected."""
    if selection is None:
        return {}
    named = [split for split in SPLITS if split in selection.chosen_by]  # "last step" compares train metrics
    return {"chosen_by": named[-1] if named else "train", "chosen_for": tuple(selection.metric.split(", "))}


def result_of_run(
    store: CheckpointStore,
    experiment: Experiment,
    run_id: str,
    balanced: int | None = None,
    also: Sequence[Checkpoint] = (),
) -> RunResult:
    """Returns the best checkpoint of a completed run, beside the baselines.

    Args:
        store: store of the run.
        experiment: experiment of the run.
        run_id: id of the run.
        balanced: step of the balanced choice, for several objectives.
        also: comparable checkpoints of other runs, such as the starts. A copy counts as its original.

    Raises:
        SelectionError: no checkpoint of the run can be selected.
    """
    if balanced is not None:
        checkpoint = store.get(f"{run_id}:{balanced}:0")
        names = experiment.search_objectives
        return RunResult(
            checkpoint, compare_checkpoint(store, experiment, checkpoint, chosen_by="train", chosen_for=names)
        )
    selection = best_of_run(store, experiment, run_id, also)
    whole = store.get(selection.checkpoint.checkpoint_id)
    (comparison,) = compare_selection(store, experiment, replace(selection, checkpoints=(whole,)), run_id)
    return RunResult(whole, comparison, selection)


def simulated_pool(evaluator: Evaluator, result: Result, splits: Mapping[str, Result] | None = None) -> Baseline:
    """Returns metrics and daily log returns of a simulated parameter set, as those of a pool called "selected".

    A simulation of all splits in one run is completed with each split, of a new pool.

    Args:
        evaluator: evaluator of the study, on the prices of the simulation.
        result: the simulation.
        splits: simulations of the splits; by default, the parameter set is evaluated on each.
    """
    metrics, returns = {result.split: result.metrics}, {result.split: result.daily_log_returns}
    if splits is not None:
        metrics = {**{name: each.metrics for name, each in splits.items()}, **metrics}
        returns = {**{name: each.daily_log_returns for name, each in splits.items()}, **returns}
    elif result.split not in evaluator.splits:
        own = evaluator.evaluate_sets({name: values[None] for name, values in result.params.items()})
        metrics, returns = {**own.metrics_of(0), **metrics}, {**own.returns_of(0), **returns}
    return Baseline(SELECTED, metrics, returns)


def compare_simulation(
    evaluator: Evaluator, result: Result, selection: Selection | None = None, pool: Baseline | None = None
) -> Comparison:
    """Compares a simulated parameter set with the baselines of its study, which are evaluated now.

    Args:
        evaluator: evaluator of the study, on the prices of the simulation.
        result: the simulation.
        selection: the selection of the set; None if it was not selected.
        pool: :func:`simulated_pool`, if it is known.
    """
    pool = simulated_pool(evaluator, result) if pool is None else pool
    return compare(evaluator.experiment.objective, pool, evaluator.baselines(), **_chosen(selection))


def compare_cell(evaluator: Evaluator, cell: Cell) -> Comparison:
    """Compares the best cell of a grid with the baselines of its study, which are evaluated now.

    Args:
        evaluator: evaluator of the study, on the prices of the grid.
        cell: the cell, with the metrics to compare.
    """
    returns = evaluator.evaluate_sets({name: values[None] for name, values in cell.raw.items()}).returns_of(0)
    names = tuple(dict.fromkeys((cell.metric, *cell.metrics[cell.chosen_by])))
    return compare(
        evaluator.experiment.objective,
        Baseline(SELECTED, cell.metrics, returns),
        evaluator.baselines(),
        chosen_by=cell.chosen_by,
        chosen_for=(cell.metric,),
        names=names,
    )


def compare_gain(store: CheckpointStore, experiment: Experiment, gain: Gain) -> Comparison:
    """Compares a selected checkpoint with its start, which is the only baseline, called "start", by the objective."""
    start, chosen = (
        one if one.daily_log_returns else store.get(one.checkpoint_id) for one in (gain.start, gain.chosen)
    )
    return compare(experiment.objective, chosen, {"start": start}, chosen_by=gain.chosen_by, names=(gain.metric,))
