"""Loads the trials of runs from the store, or evaluates stored sets again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import BENCHMARK
from quantsim.checkpoints.checkpoint import SPLITS, Checkpoint, Run
from quantsim.checkpoints.returns import constant_weights_of, with_returns
from quantsim.checkpoints.starts import Start
from quantsim.errors import CheckpointError
from quantsim.validation.trials import Trials

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment

__all__ = ["evaluated_trials", "stored_trials"]

Returns = dict[str, dict[str, FloatArray]]
"""Split → id of a checkpoint → (T,)."""

_REMEDY = "run the study again, or evaluate the stored sets again: `quantsim validate --evaluate`, or evaluate=True"


def stored_trials(store: CheckpointStore, runs: Sequence[Run], selected: Checkpoint, metric: str) -> Trials:
    """Returns the trials of runs with their stored returns; nothing is simulated.

    Args:
        store: store of the runs.
        runs: comparable runs.
        selected: the selected checkpoint, of one of them.
        metric: metric to load.

    Raises:
        CheckpointError: returns or baselines are not stored, as by older versions and for imported runs.
    """
    rows = with_returns(store, runs, _rows(store, runs, metric), SPLITS)
    found = {
        split: {row.checkpoint_id: row.daily_log_returns[split] for row in rows if split in row.daily_log_returns}
        for split in SPLITS
    }
    returns = {split: of_split for split, of_split in found.items() if of_split}
    # Runs with other parameters may have other constant weights: compare with those of the selected set's run.
    benchmark = constant_weights_of(store, sorted(runs, key=lambda run: run.run_id != selected.run_id))
    if not returns or benchmark is None or not returns.keys() <= benchmark.keys():
        shown = ", ".join(run.key for run in runs[:3])
        what = "daily return" if not returns else f"baseline {BENCHMARK!r}"
        raise CheckpointError(
            f"no {what} is stored for run {shown}, which is imported or of an older version: {_REMEDY}"
        )
    return _assembled(rows, selected, returns, benchmark)


def evaluated_trials(
    store: CheckpointStore, experiment: Experiment, runs: Sequence[Run], selected: Checkpoint, metric: str
) -> Trials:
    """Returns the trials of runs with returns that are computed again. The store is not changed.

    Args:
        store: store of the runs.
        experiment: study of the runs; its prices are read.
        runs: comparable runs.
        selected: the selected checkpoint, of one of them.
        metric: metric to load.

    Raises:
        PriceError: the prices are not those of the runs.
    """
    from quantsim.simulator import Evaluator

    evaluator = Evaluator(experiment)
    rows, by_id = _rows(store, runs, metric), {run.run_id: run for run in runs}
    starts = [Start(row, by_id[row.run_id], experiment) for row in rows if row.raw_is_finite]
    for start in starts:
        start.check_prices(evaluator.data_id)
    ids, raw = [start.checkpoint.checkpoint_id for start in starts], [start.params for start in starts]
    returns: Returns = {}
    if starts:
        sets = {name: np.stack([one[name] for one in raw]) for name in raw[0]}
        found = evaluator.evaluate_sets(sets)
        returns = {split: dict(zip(ids, rows, strict=True)) for split, rows in found.daily_log_returns.items()}
    return _assembled(rows, selected, returns, evaluator.baselines()[BENCHMARK].daily_log_returns)


def _rows(store: CheckpointStore, runs: Sequence[Run], metric: str) -> list[Checkpoint]:
    return [row for run in runs for row in store.checkpoints(run_id=run.run_id, metrics=[metric])]


def _assembled(
    rows: Sequence[Checkpoint],
    selected: Checkpoint,
    returns: Returns,
    benchmark: Mapping[str, FloatArray],
) -> Trials:
    """Returns the trials whose returns are known and finite on all splits."""
    kept = tuple(
        row
        for row in rows
        if all(
            row.checkpoint_id in of_split and np.isfinite(of_split[row.checkpoint_id]).all()
            for of_split in returns.values()
        )
    )
    ids = [row.checkpoint_id for row in kept]
    if selected.checkpoint_id not in ids:
        raise CheckpointError(
            f"the selected checkpoint {selected.key} has no stored or no finite daily returns; {_REMEDY}"
        )
    return Trials(
        rows=kept,
        selected=ids.index(selected.checkpoint_id),
        returns={split: np.stack([of_split[one] for one in ids], axis=1) for split, of_split in returns.items()},
        constant_weights={split: np.asarray(benchmark[split]) for split in returns},
        left_out=len(rows) - len(kept),
    )
