"""The gradient driver: learns, repeats, resumes, stops, and starts where it is told."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save
from sgd_support import STEPS, make_experiment, make_prices, parameters_at

from quantsim import CheckpointStore, Experiment, Prices, select
from quantsim.config.driver_sections import Sgd
from quantsim.config.sections import Periods
from quantsim.drivers.best import Best
from quantsim.drivers.sgd import Progress, run_sgd
from quantsim.drivers.sgd.driver import GradientDriver
from quantsim.drivers.sgd.patience import Patience
from quantsim.drivers.sgd.state_io import dump_state, restore_state
from quantsim.drivers.sgd.step import TrainState, advance, init
from quantsim.drivers.sgd.training import Training
from quantsim.errors import ConfigError, DriverError
from quantsim.simulator import Evaluator

# A learning rate of next to nothing: the second report cannot improve on the first.
IMPATIENT: dict[str, object] = {"early_stopping_reports": 1, "learning_rate": 1e-300}


def test_reports_hold_the_parameters_that_were_evaluated(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()
    run = run_sgd(experiment, prices, store)
    rows = store.checkpoints(run_id=run.run_id)
    assert sorted({row.step for row in rows}) == [0, 4, 8, 12]
    assert run.steps == STEPS
    evaluator = Evaluator(experiment, prices)
    for step in (0, 4, 8, 12):
        both = [row for row in rows if row.step == step]
        found = evaluator.evaluate_sets({name: np.array([row.raw[name] for row in both]) for name in both[0].raw})
        again = found.metrics
        for index, row in enumerate(both):
            assert set(row.metrics) == {"train", "validation", "test"}
            for split, table in row.metrics.items():
                for name, value in table.items():
                    assert value == again[split][name][index]
            stored = store.get(row.checkpoint_id).daily_log_returns
            assert {split: values.tolist() for split, values in stored.items()} == {
                split: values[index].tolist() for split, values in found.daily_log_returns.items()
            }
    first = next(row for row in rows if (row.step, row.parameter_set) == (0, 0))
    assert first.human["memory_days"] == pytest.approx((5.0, 5.0), rel=1e-12)
    assert store.run(run.run_id).status == "finished"
    # The study's parameters are the first start.
    assert store.baselines(run.run_id)["study"].metrics == {
        split: dict(table) for split, table in rows[0].metrics.items()
    }


def test_same_seed_same_run_and_another_seed_another(store: CheckpointStore) -> None:
    prices = make_prices()
    first = run_sgd(make_experiment(), prices, store)
    again = run_sgd(make_experiment(), prices, store)
    assert first.run_id != again.run_id
    assert parameters_at(store, first.run_id) == parameters_at(store, again.run_id)
    other = run_sgd(make_experiment().override(["seed=1"]), prices, store)
    assert parameters_at(store, other.run_id) != parameters_at(store, first.run_id)


def test_a_run_that_was_cut_off_before_its_first_report_begins_anew(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(driver: GradientDriver) -> None:
        raise KeyboardInterrupt

    experiment, prices = make_experiment(), make_prices()
    with monkeypatch.context() as patched:
        patched.setattr(GradientDriver, "init", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run_sgd(experiment, prices, store)
    (empty,) = store.find_runs()
    assert (empty.status, store.checkpoints(run_id=empty.run_id)) == ("interrupted", [])
    run = run_sgd(experiment, prices, store)
    assert [(one.run_id, one.status) for one in store.find_runs()] == [(empty.run_id, "finished")]
    assert sorted({row.step for row in store.checkpoints(run_id=run.run_id)}) == [0, 4, 8, 12]


def test_other_prices_or_another_study_do_not_resume(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()

    def interrupt(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sgd(experiment, prices, store, progress=interrupt)
    (cut,) = store.find_runs(status="interrupted")
    changed = Prices(prices.times, prices.prices * np.linspace(1.0, 1.1, 640)[:, None], prices.tokens, 360)
    assert run_sgd(experiment, changed, store).resumed_at == 0
    assert run_sgd(make_experiment(**IMPATIENT), prices, store).resumed_at == 0
    assert run_sgd(experiment, prices, store, start=[{"memory_days": 3.0}]).resumed_at == 0
    assert run_sgd(experiment, prices, store, resume=False).resumed_at == 0
    assert run_sgd(experiment, prices, store).run_id == cut.run_id


def test_a_run_of_an_older_version_is_resumed(store: CheckpointStore, tmp_path: Path) -> None:
    """It knew fewer keys, and had another identity; and keys of other drivers do not count."""
    prices = make_prices()

    def interrupt(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sgd(make_experiment(), prices, store, progress=interrupt)
    (cut,) = store.find_runs()
    old = {**cut.config, "sgd": {key: value for key, value in cut.config["sgd"].items() if key != "price_noise"}}
    del old["hybrid"]
    with sqlite3.connect(tmp_path / "checkpoints.db") as database:
        database.execute("UPDATE runs SET experiment_id = 'of 0.1.0', config = ?", (json.dumps(old),))
    database.close()
    resumed = run_sgd(make_experiment().override(["search.trials=5", "search.sampler='random'"]), prices, store)
    assert (resumed.run_id, resumed.resumed_at, resumed.steps) == (cut.run_id, 4, STEPS)


def test_an_incompatible_state_is_reported_and_a_new_run_starts(
    store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(make_experiment(), make_prices())
    what = {"driver": "sgd", "data_id": training.evaluator.data_id, "notes": {"start": training.start_digest}}
    config = training.experiment.model_dump(mode="json")
    old = store.begin_run(experiment_id="of 0.1.0", config=config, **what)
    store.append(old, [], save({".step": np.array(4)}), state_step=4)
    store.finish_run(old, "interrupted")
    run = run_sgd(training.experiment, make_prices(), store)
    assert (run.resumed_at, run.steps, store.run(old).status) == (0, STEPS, "interrupted")
    assert f"run {old[:8]} cannot be resumed: the stored training state belongs to another" in caplog.text


def test_sigkill_loses_nothing_completed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from sgd_support import make_experiment, make_prices
from quantsim import CheckpointStore
from quantsim.drivers.sgd import run_sgd
def report(progress):
    print(progress.step, flush=True)
    time.sleep(0.2 if progress.step < 8 else 60)
run_sgd(make_experiment(), make_prices(), CheckpointStore({str(path)!r}), progress=report)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) == 8:
                break
        os.kill(child.pid, signal.SIGKILL)
    with CheckpointStore(path) as store:
        (killed,) = store.find_runs()
        assert killed.status == "running"
        assert {row.step for row in store.checkpoints(run_id=killed.run_id)} == {0, 4, 8}
        resumed = run_sgd(make_experiment(), make_prices(), store)
        assert (resumed.run_id, resumed.resumed_at) == (killed.run_id, 8)
        whole = run_sgd(make_experiment(), make_prices(), store)
        assert parameters_at(store, resumed.run_id) == parameters_at(store, whole.run_id)


def test_early_stopping_waits_for_its_patience(store: CheckpointStore) -> None:
    run = run_sgd(make_experiment(**IMPATIENT), make_prices(), store)
    assert run.stopped_early
    assert run.steps == 4
    assert "stopped early" in (store.run(run.run_id).reason or "")


def test_a_set_that_was_never_finite_is_given_the_time_to_start_again() -> None:
    patience = Patience((Best(), Best(), Best()))
    for step, values in enumerate(([np.nan, 1.0, 1.0], [np.nan, 0.5, 2.0], [np.nan, np.nan, 1.0])):
        patience = patience.update(np.array(values), step)
    assert patience.active(Sgd(early_stopping_reports=2)).tolist() == [True, False, True]
    assert patience.active(Sgd(early_stopping_reports=2, reinitialise_after=None)).tolist() == [False, False, True]
    assert patience.active(Sgd()).all()
    assert patience.best == 2.0


def test_an_infinite_objective_is_the_best_and_patience_uses_the_tie_breaker() -> None:
    patience = Patience((Best(), Best()))
    reports = [([1.0, np.inf], [0.0, 0.1]), ([np.inf, np.inf], [0.3, 0.1]), ([-np.inf, np.inf], [0.5, 0.2])]
    for step, (values, ties) in enumerate(reports):
        patience = patience.update(np.array(values), step, np.array(ties))
    assert patience.best == np.inf
    assert [(each.value, each.step, each.stale) for each in patience.sets] == [(np.inf, 1, 1), (np.inf, 2, 0)]
    assert patience.active(Sgd(early_stopping_reports=1)).tolist() == [False, True]
    assert np.isnan(Patience((Best(),)).best)


def test_early_stopping_without_validation_is_refused() -> None:
    with pytest.raises(ConfigError, match="early_stopping_reports = 2 needs validation data"):
        Experiment.from_dict(
            {
                "data": {"tokens": ["A", "B"]},
                "periods": {"train_start": "2023-01-21", "train_end": "2023-04-21"},
                "pool": {"rule": "momentum"},
                "sgd": {"early_stopping_reports": 2},
            }
        )


def test_starts_from_checkpoints(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()
    best = select(store.checkpoints(run_id=run_sgd(experiment, prices, store).run_id), "best_validation")
    one = run_sgd(experiment, prices, store, start=[best.params])
    rows = {(row.step, row.parameter_set): row for row in store.checkpoints(run_id=one.run_id)}
    assert dict(rows[0, 0].raw) == dict(best.checkpoint.raw)
    assert rows[0, 1].raw["logit_lamb"] != rows[0, 0].raw["logit_lamb"]
    several = Training(experiment, prices, [best.params, {"memory_days": 3.0}, {"memory_days": 9.0}])
    assert several.n_sets == 3, "as many as are given"
    found = [experiment.human_parameters(_row(several, index))["memory_days"] for index in (1, 2)]
    np.testing.assert_allclose(found, [[3.0, 3.0], [9.0, 9.0]])


def _row(training: Training, index: int) -> dict[str, np.ndarray]:
    return {name: np.asarray(rows[index]) for name, rows in (training.initial | training.inputs.frozen).items()}


def test_rules_without_trainable_parameters_are_refused(store: CheckpointStore) -> None:
    with pytest.raises(ConfigError, match="'balancer' has no parameter that gradients could train"):
        run_sgd(make_experiment().override(["pool.rule=balancer", "parameters={}"]), make_prices(), store)


def test_steps_between_reports_compile_once_whatever_their_number() -> None:
    training = Training(make_experiment(), make_prices())
    state, _ = advance(training.program, init(training.program, training.initial), training.inputs, jnp.asarray(2))
    compiled = advance._cache_size()
    for n_steps in (1, 5, 2):
        state, _ = advance(training.program, state, training.inputs, jnp.asarray(n_steps))
    assert advance._cache_size() == compiled
    assert int(state.step) == 10


def test_sets_of_long_steps_are_cut_into_calls_and_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = make_experiment(n_parameter_sets=3, batch_size=1, average_from_step=1).override(
        ["fees.swap_fee=0.003"]
    )
    active = np.array([True, False, True])

    def trained(least: int, threads: str) -> list[np.ndarray]:
        monkeypatch.setattr("quantsim.simulator.calls._MOST_VALUES_OF_GRADIENTS", least)
        monkeypatch.setenv("QUANTSIM_THREADS", threads)
        training = Training(experiment, make_prices())
        state = init(training.program, training.initial)
        for n_steps in (1, 2):
            state, info = training.advance(state, active, n_steps)
        assert [sets.tolist() for sets, _ in training._calls] == {1: [[0], [1], [2]], 2**20: [[0, 1, 2]]}[least]
        assert int(state.step) == 3
        return [np.asarray(leaf) for leaf in jax.tree.leaves((state, info))]

    whole, single, several = trained(2**20, "3"), trained(1, "1"), trained(1, "3")
    for together, alone, at_once in zip(whole, single, several, strict=True):
        np.testing.assert_array_equal(alone, at_once)
        np.testing.assert_allclose(alone, together, rtol=1e-9, atol=1e-12)


def test_the_steps_are_compiled_beside_the_baselines(caplog: pytest.LogCaptureFixture) -> None:
    driver = GradientDriver(
        make_experiment(learning_rate=0.0173), make_prices()
    )  # a rate of its own: a program of its own
    with jax.enable_x64(True):
        driver.baselines()
    with jax.enable_x64(True), jax.log_compiles():
        state, _ = driver.init()
        after, _ = driver.step(state)
    assert int(after.train.step) == 4
    assert "jit(advance)" not in caplog.text


def test_state_round_trips_and_damage_is_named() -> None:
    training = Training(make_experiment(), make_prices())
    fresh = init(training.program, training.initial)
    state, _ = advance(training.program, fresh, training.inputs, jnp.asarray(2))
    blob = dump_state(state)
    restored: TrainState = restore_state(blob, fresh)
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(DriverError, match="damaged"):
        restore_state(blob[:40], state)
    other = Training(make_experiment(optimiser="sgd"), make_prices())
    with pytest.raises(DriverError, match="another optimiser"):
        restore_state(blob, init(other.program, other.initial))


def test_the_documents_name_every_key_with_its_default() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "training.md").read_text(encoding="utf-8")
    study = (docs / "studies.md").read_text(encoding="utf-8")
    table = study[study.index("[sgd]") : study.index("[hybrid]")]
    set_there = tomllib.loads(table)["sgd"]
    for name, value in Sgd().model_dump(mode="json").items():
        assert f"`{name}`" in page, name
        assert re.search(rf"^(# )?({name} = |\[\[sgd\.{name}\]\])", table, re.MULTILINE), name
        if value not in (None, []):
            assert set_there[name] == value, name
    for name in Periods.model_fields:
        assert re.search(rf"^(# )?{name} = ", study, re.MULTILINE), name
    for name in ("sampling", "optimiser", "schedule"):
        for choice in Sgd.model_json_schema()["properties"][name]["enum"]:
            assert f'`"{choice}"`' in page, choice
