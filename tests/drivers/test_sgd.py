"""The gradient driver: learns, repeats, resumes bit for bit, and keeps what is not finite out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim import CheckpointStore, Experiment, Prices, select
from quantsim.drivers.sgd import Progress, run_sgd
from quantsim.drivers.sgd.optimiser import learning_rate
from quantsim.drivers.sgd.state_io import dump_state, restore_state
from quantsim.drivers.sgd.step import Inputs, Program, State, advance, init
from quantsim.drivers.windows import training_windows
from quantsim.errors import ConfigError, DriverError
from quantsim.simulator import Evaluator

STEPS = 12


def make_prices() -> Prices:
    """Two trending random walks, 6-hour bars."""
    generator = np.random.default_rng(7)
    times = np.datetime64("2023-01-01", "s") + np.arange(4 * 160) * np.timedelta64(6 * 3600, "s")
    drift = np.repeat(generator.standard_normal((16, 2)), 40, axis=0) * 0.004
    return Prices(times, np.exp(np.cumsum(drift + 0.01 * generator.standard_normal((640, 2)), axis=0)), ("A", "B"), 360)


def make_experiment(**sgd: object) -> Experiment:
    settings = {"steps": STEPS, "report_every": 4, "batch_size": 2, "n_parameter_sets": 2, **sgd}
    return Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": {
                "train_start": "2023-01-21",
                "train_end": "2023-04-21",
                "validation_end": "2023-05-11",
                "test_end": "2023-06-01",
            },
            "pool": {"rule": "momentum"},
            "update": {"max_memory_days": 20.0},
            "objective": {"bout_offset_days": 10.0, "report": ["returns_over_hodl"]},
            "parameters": {"memory_days": 5.0, "k_per_day": 1.0},
            "sgd": settings,
        }
    )


@pytest.fixture
def store(tmp_path: Path):
    with CheckpointStore(tmp_path / "checkpoints.db") as opened:
        yield opened


def final_parameters(store: CheckpointStore, run_id: str) -> list[dict[str, tuple[float, ...]]]:
    rows = [row for row in store.checkpoints(run_id=run_id) if row.step == STEPS]
    return [dict(row.raw) for row in sorted(rows, key=lambda row: row.parameter_set)]


def test_reports_hold_the_parameters_that_were_evaluated(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(), make_prices()
    run = run_sgd(experiment, prices, store)
    rows = store.checkpoints(run_id=run.run_id)
    assert sorted({row.step for row in rows}) == [0, 4, 8, 12]
    assert run.steps == STEPS
    evaluator = Evaluator(experiment, prices)
    for row in rows:
        assert set(row.metrics) == {"train", "validation", "test"}
        again = evaluator.evaluate(row.params)
        for split, table in row.metrics.items():
            for name, value in table.items():
                assert value == pytest.approx(again[split][name], rel=1e-9, abs=1e-12)
    first = next(row for row in rows if (row.step, row.parameter_set) == (0, 0))
    assert first.human["memory_days"] == pytest.approx((5.0, 5.0), rel=1e-12)
    assert store.run(run.run_id).status == "finished"


def test_training_improves_the_objective(store: CheckpointStore) -> None:
    experiment = make_experiment(steps=60, report_every=60, batch_size=4, learning_rate=0.1)
    overrides = ["objective.metric=returns_over_hodl", "parameters.k_per_day=20.0", "sgd.initial_spread=0.1"]
    run = run_sgd(experiment.override(overrides), make_prices(), store)
    rows = {(row.step, row.parameter_set): row.objective for row in store.checkpoints(run_id=run.run_id)}
    for index in (0, 1):
        assert rows[60, index] > rows[0, index] + 0.01, rows


def test_same_seed_same_run_and_another_seed_another(store: CheckpointStore) -> None:
    prices = make_prices()
    first = run_sgd(make_experiment(), prices, store)
    again = run_sgd(make_experiment(), prices, store)
    assert first.run_id != again.run_id
    assert final_parameters(store, first.run_id) == final_parameters(store, again.run_id)
    other = run_sgd(make_experiment().override(["seed=1"]), prices, store)
    assert final_parameters(store, other.run_id) != final_parameters(store, first.run_id)


class Stop(Exception):
    """Stands for whatever ends a run."""


def test_a_run_that_was_cut_off_resumes_bit_for_bit(store: CheckpointStore) -> None:
    experiment, prices = make_experiment(optimiser="adamw", weight_decay=0.01), make_prices()
    whole = run_sgd(experiment, prices, store)

    def interrupt(progress: Progress) -> None:
        if progress.step == 8:
            raise Stop

    with pytest.raises(Stop):
        run_sgd(experiment, prices, store, progress=interrupt)
    (cut,) = store.find_runs(status="failed")
    resumed = run_sgd(experiment, prices, store)
    assert (resumed.run_id, resumed.resumed_at, resumed.steps) == (cut.run_id, 8, STEPS)
    assert final_parameters(store, resumed.run_id) == final_parameters(store, whole.run_id)
    keys = [(row.step, row.parameter_set) for row in store.checkpoints(run_id=resumed.run_id)]
    assert len(keys) == len(set(keys)) == 8


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
    assert run_sgd(make_experiment(learning_rate=0.01), prices, store).resumed_at == 0
    assert run_sgd(experiment, prices, store, start=[{"memory_days": 3.0}]).resumed_at == 0
    assert run_sgd(experiment, prices, store, resume=False).resumed_at == 0
    assert run_sgd(experiment, prices, store).run_id == cut.run_id


def test_sigkill_loses_nothing_completed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sgd import make_experiment, make_prices
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
        assert final_parameters(store, resumed.run_id) == final_parameters(store, whole.run_id)


def test_early_stopping_waits_for_its_patience(store: CheckpointStore) -> None:
    # A learning rate of next to nothing: the second report cannot improve on the first by chance more than once.
    run = run_sgd(make_experiment(early_stopping_reports=1, learning_rate=1e-300), make_prices(), store)
    assert run.stopped_early
    assert run.steps == 4
    assert "stopped early" in (store.run(run.run_id).reason or "")


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
    several = run_sgd(experiment, prices, store, start=[best.params, {"memory_days": 3.0}, {"memory_days": 9.0}])
    rows = {(row.step, row.parameter_set): row for row in store.checkpoints(run_id=several.run_id)}
    assert rows[0, 2].human["memory_days"] == pytest.approx((9.0, 9.0))


def test_rules_without_trainable_parameters_are_refused(store: CheckpointStore) -> None:
    with pytest.raises(ConfigError, match="'balancer' has no parameter that gradients could train"):
        run_sgd(make_experiment().override(["pool.rule=balancer", "parameters={}"]), make_prices(), store)


def _program(experiment: Experiment) -> tuple[Program, Inputs, Evaluator]:
    evaluator = Evaluator(experiment, make_prices())
    windows = training_windows(evaluator)
    plan, _ = evaluator.plan(windows.starts, windows.n_bars, (experiment.objective.metric,))
    raw = experiment.initial_parameters()
    frozen = {"initial_weights_logits": jnp.zeros((2, 2)), "logit_delta_lamb": jnp.zeros((2, 2))}
    assert set(frozen) == set(raw) - experiment.trainable
    return (
        Program(plan, windows, experiment.sgd),
        Inputs(evaluator.market, evaluator.rates, frozen, jax.random.key(0)),
        evaluator,
    )


def _start(bad: float) -> dict[str, jax.Array]:
    return {"log_k": jnp.asarray([[1.0, 1.0], [bad, 1.0]]), "logit_lamb": jnp.full((2, 2), 1.5)}


def test_a_set_that_is_not_finite_keeps_its_state_and_leaves_the_others_alone() -> None:
    program, inputs, _ = _program(make_experiment())
    state, info = advance(program, init(program, _start(jnp.nan)), inputs, jnp.asarray(3))
    assert info.skipped.tolist() == [0, 3]
    assert np.isfinite(state.params["log_k"][0]).all()
    np.testing.assert_array_equal(state.params["logit_lamb"][1], [1.5, 1.5])
    moments = [leaf for leaf in jax.tree.leaves(state.optimiser) if leaf.ndim == 2]
    assert moments
    for leaf in moments:
        np.testing.assert_array_equal(leaf[1], 0.0)  # no NaN in the moments, nor anything else
    healthy, _ = advance(program, init(program, _start(1.0)), inputs, jnp.asarray(3))
    np.testing.assert_array_equal(state.params["log_k"][0], healthy.params["log_k"][0])


def test_steps_between_reports_compile_once_whatever_their_number() -> None:
    program, inputs, _ = _program(make_experiment())
    state = init(program, _start(1.0))
    state, _ = advance(program, state, inputs, jnp.asarray(2))
    compiled = advance._cache_size()
    for n_steps in (1, 5, 2):
        state, _ = advance(program, state, inputs, jnp.asarray(n_steps))
    assert advance._cache_size() == compiled
    assert int(state.step) == 10


def test_learning_rate_schedules() -> None:
    constant = make_experiment(learning_rate=0.03).sgd
    assert float(learning_rate(constant)(7)) == pytest.approx(0.03)
    cosine = make_experiment(learning_rate=0.1, schedule="warmup_cosine", warmup_steps=4).sgd
    rates = [float(learning_rate(cosine)(step)) for step in range(STEPS + 1)]
    assert rates[0] == 0.0
    assert rates[4] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[STEPS] == pytest.approx(0.0, abs=1e-9)


def test_state_round_trips_and_damage_is_named() -> None:
    program, inputs, _ = _program(make_experiment())
    state, _ = advance(program, init(program, _start(1.0)), inputs, jnp.asarray(2))
    blob = dump_state(state)
    restored: State = restore_state(blob, init(program, _start(1.0)))
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(DriverError, match="damaged"):
        restore_state(blob[:40], state)
    sgd, _, _ = _program(make_experiment(optimiser="sgd"))
    with pytest.raises(DriverError, match="another optimiser"):
        restore_state(blob, init(sgd, _start(1.0)))
