"""What a run gained over what it started from."""

from __future__ import annotations

from dataclasses import replace

from run_support import DAYS, keep

from quantsim import CheckpointStore
from quantsim.checkpoints.gains import gain_of_tuning, gain_over_starts

METRIC = DAYS.objective.name


def test_gains_over_the_best_of_the_starts(store: CheckpointStore) -> None:
    first = keep(store, train=1.0, validation=2.0)
    store.resume_run(first.run_id)
    second = replace(first, parameter_set=1, raw={"w": (2.0,)}, metrics={"validation": {METRIC: 2.25}})
    drawn = replace(first, parameter_set=2, raw={"w": (3.0,)}, metrics={"validation": {METRIC: 9.0}})
    store.append(first.run_id, [second, drawn])
    better = replace(first, step=7, raw={"w": (4.0,)}, metrics={"train": {METRIC: 1.0}, "validation": {METRIC: 2.5}})
    gain = gain_over_starts(store, DAYS, first.run_id, 2, better)  # the drawn set is no start
    assert (gain.start, gain.helped, gain.chosen_by) == (second, True, "validation")
    assert gain.values == {"validation": (2.25, 2.5)}
    assert not gain_over_starts(store, DAYS, first.run_id, 2, second).helped
    tuned = gain_of_tuning(store, DAYS, better, {7: 0})
    assert (tuned.start.key, tuned.helped) == (first.key, True)
    assert tuned.values == {"train": (1.0, 1.0), "validation": (2.0, 2.5)}
    assert not gain_of_tuning(store, DAYS, better, {9: 0}).helped
