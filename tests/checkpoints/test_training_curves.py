"""Curves of gradient training, from reports and checkpoints of stored runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.training import gradient_runs, training_curves
from quantsim.errors import SelectionError
from quantsim.report.training_plot import training_figure, training_svg

PERIODS = {"train_start": "2020-01-01", "train_end": "2021-01-01"}
METRIC, N_SETS, EVERY = "daily_log_sharpe", 2, 3


def begin(store: CheckpointStore, driver: str, parent: str | None = None) -> str:
    study = Experiment.from_dict(
        {"name": "probe", "data": {"tokens": ["A", "B"]}, "pool": {"rule": "momentum"}, "periods": PERIODS}
    )
    config = study.model_dump(mode="json")
    return store.begin_run(experiment_id="e", data_id="d", driver=driver, config=config, name="probe", parent=parent)


def row(run_id: str, step: int, index: int) -> Checkpoint:
    value = step + 0.1 * index
    metrics = {"train": {METRIC: value}, "validation": {METRIC: -value}, "test": {METRIC: 9.0}}
    return Checkpoint(run_id, step, index, "sgd", {}, metrics=metrics, objective=value)


def add_reports(store: CheckpointStore, run_id: str, *, old: bool = False) -> None:
    """Reports at steps 0, 3 and 5, where the second set was rejected in step 2; with averages from step 3 on."""
    for last, count in ((0, 0), (3, 3), (5, 2)):
        steps = range(last - count + 1, last + 1)
        names = ("objective", "gradient_norm", "learning_rate", *(() if old else ("update_norm",)))
        curves: dict[str, Any] = {name: [[step * 1.0, step * 2.0] for step in steps] for name in names}
        curves["rejected"] = [[False, step == 2] for step in steps]
        log: dict[str, Any] = {"restarts": [0] * N_SETS}
        if count:
            log |= {name: curves[name][-1] for name in names} | {"skipped": np.sum(curves["rejected"], 0).tolist()}
            log |= {} if old else {"steps": curves}
        rows = [row(run_id, last, index) for index in range(2 * N_SETS if last else N_SETS)]
        store.append(run_id, rows, state_step=last, report=log)


def test_the_curves_are_those_of_reports_and_checkpoints(store: CheckpointStore):
    run_id = begin(store, "sgd")
    add_reports(store, run_id)
    curves = training_curves(store, run_id[:8])
    (phase,) = curves.phases
    assert (curves.metric, curves.n_rejected, phase.round, phase.n_sets) == (METRIC, 1, 0, N_SETS)
    assert (phase.reports.tolist(), phase.steps.tolist()) == ([0, 3, 5], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(phase.objective["train"], [[0.0, 0.1], [3.0, 3.1], [5.0, 5.1]])
    np.testing.assert_array_equal(phase.objective["validation"], -phase.objective["train"])
    assert [*phase.objective] == ["train", "validation"], "test data is not looked at while training"
    np.testing.assert_array_equal(phase.per_step["update_norm"], [[n, 2.0 * n] for n in range(1, 6)])
    np.testing.assert_array_equal(phase.per_step["rejected"].nonzero(), [[1], [1]])
    frame = curves.to_frame().set_index(["step", "parameter_set"])
    assert frame.index.tolist() == [(step, index) for step in range(6) for index in range(N_SETS)]
    assert frame.loc[(3, 1), ["train", "batch_objective", "rejected"]].tolist() == [3.1, 6.0, 0.0]
    assert frame["train"].notna().sum() == 3 * N_SETS


def test_runs_of_older_versions_have_the_last_step_of_each_report(store: CheckpointStore):
    run_id = begin(store, "sgd")
    add_reports(store, run_id, old=True)
    (phase,) = training_curves(store, run_id).phases
    assert phase.steps.tolist() == [3, 5]
    np.testing.assert_array_equal(phase.per_step["gradient_norm"], [[3.0, 6.0], [5.0, 10.0]])
    assert np.isnan(phase.per_step["update_norm"]).all()
    assert phase.per_step["rejected"].tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert "gradient training" in training_svg(training_curves(store, run_id))


def test_a_hybrid_run_has_the_rounds_that_are_its_parts(store: CheckpointStore):
    search, other = begin(store, "search"), begin(store, "search")
    first, second = (begin(store, "sgd", parent=search) for _ in range(2))
    by_hand = begin(store, "sgd")
    for run_id in (second, by_hand, first):
        add_reports(store, run_id)
    curves = training_curves(store, search)
    assert [(phase.round, phase.run.run_id) for phase in curves.phases] == [(1, first), (2, second)]
    assert [run.run_id for run in gradient_runs(store, store.run(by_hand))] == [by_hand]
    with pytest.raises(SelectionError, match=rf"run {other[:8]} \(search\) has no curves: only `quantsim sgd`"):
        training_curves(store, other)


def test_the_picture_shows_every_set_and_is_the_same_each_time(store: CheckpointStore):
    search = begin(store, "search")
    for _ in range(2):
        add_reports(store, begin(store, "sgd", parent=search))
    curves = training_curves(store, search)
    objective, rate, norm = training_figure(curves).axes
    train = [line for line in objective.get_lines() if len(line.get_xdata()) == 3 and line.get_linestyle() == "-"]
    assert [line.get_xdata().tolist() for line in train] == [[0, 3, 5]] * 2 + [[5, 8, 10]] * 2
    assert {text.get_text() for text in objective.texts} >= {"round 1", "round 2"}
    assert objective.get_title(loc="left") == "probe: gradient training"
    crosses = [line.get_xdata().tolist() for line in norm.get_lines() if line.get_marker() == "x"]
    assert crosses == [[2], [7]]
    assert (rate.get_yscale(), norm.get_yscale()) == ("log", "log")
    svg = training_svg(curves)
    assert svg == training_svg(curves)
    assert svg.startswith("<svg")
    assert "10 steps of 2 parameter sets in 2 rounds, 2 updates rejected" in svg
