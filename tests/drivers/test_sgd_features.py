"""Whole gradient runs with everything on at once, and what each feature may and may not touch."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sgd_support import Stop, make_experiment, make_prices, parameters_at

from quantsim import CheckpointStore, Evaluator, Experiment, Prices
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.training import training_curves
from quantsim.drivers.sgd import Progress, SgdRun, run_sgd
from quantsim.drivers.sgd.step import advance, init
from quantsim.drivers.sgd.training import Training
from quantsim.errors import ConfigError
from quantsim.pools.steered.weights import chunk_ramps
from quantsim.simulator.setup import pool_setup

STEPS, EVERY, N_SETS, AVERAGED = 15, 3, 3, 5
EVERYTHING: dict[str, object] = {
    "steps": STEPS,
    "report_every": EVERY,
    "sampling": "stratified",
    "optimiser": "adamw",
    "weight_decay": 0.01,
    "learning_rate": 0.2,
    "schedule": "plateau",
    "plateau_steps": 2,
    "plateau_patience": 2,
    "average_from_step": AVERAGED,
    "price_noise": 0.002,
    "time_reversed": True,
    "hessian_samples": 1,
    "hessian_penalty": 0.001,
    "reinitialise_after": 2,
    "initial_spread": 30.0,
    "early_stopping_reports": 2,
}
START: list[dict[str, Any]] = [
    {"memory_days": 5.0, "k_per_day": 1.0},
    {"memory_days": 8.0, "k_per_day": 30.0},
    {"memory_days": 5.0, "log_k": [1023.5, 1023.9]},  # their sum overflows: the objective is nan
]
MEMORIES: dict[str, object] = {
    "train": ["memory_days"],
    "n_parameter_sets": N_SETS,
    "steps": 4,
    "sampling": "exhaustive",
    "batch_size": 11,  # all there are, the last to the end of training
}
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in exp2:RuntimeWarning")


@dataclass(frozen=True)
class Whole:
    """A run that nothing cut off."""

    experiment: Experiment
    folder: Path
    store: CheckpointStore
    run: SgdRun
    progress: list[Progress]

    @property
    def rows(self) -> dict[tuple[int, int], Checkpoint]:
        """(step, set) → checkpoint; the averages follow the sets."""
        return {(row.step, row.parameter_set): row for row in self.store.checkpoints(run_id=self.run.run_id)}

    @property
    def stopped(self) -> dict[int, int]:
        """Set → the report at which it ran out of patience, by the rules of the documents."""
        found: dict[int, int] = {}
        for index in range(N_SETS):
            best, stale = -np.inf, 0
            for step in range(0, STEPS + 1, EVERY):
                value = self.rows[step, index].metrics["validation"]["daily_log_sharpe"]
                best, stale = (value, 0) if value > best else (best, stale + 1)
                if stale >= 2 and np.isfinite(best):  # one that was always nan is started again
                    found.setdefault(index, step)
        return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    experiment, progress, folder = make_experiment(**EVERYTHING), [], tmp_path_factory.mktemp("whole")
    with CheckpointStore(folder / "results" / "checkpoints.db") as store:
        run = run_sgd(experiment, make_prices(), store, start=START, progress=progress.append)
        yield Whole(experiment, folder, store, run, progress)


def _training(whole: Whole) -> Training:
    return Training(whole.experiment, make_prices(), START)


def _stored(store: CheckpointStore, run_id: str) -> tuple[list[str], list[str], bytes]:
    """All that a run leaves behind but times: rows, reports and state. As text, in which nan equals nan."""
    rows = [
        repr((row.step, row.parameter_set, row.raw, row.human, row.objective, row.metrics))
        for row in sorted(store.checkpoints(run_id=run_id), key=lambda row: (row.step, row.parameter_set))
    ]
    reports = []
    for report in store.reports(run_id):
        content = dict(report.content)
        content["progress"] = {
            name: value
            for name, value in content["progress"].items()
            if name not in ("steps_per_second", "seconds_left")
        }
        reports.append(repr((report.step, content)))
    state = store.load_state(run_id)
    assert state is not None
    return rows, reports, state.blob


@pytest.mark.parametrize("cut", range(0, STEPS, EVERY))
def test_a_run_interrupted_at_any_report_resumes_to_the_same_end(whole: Whole, cut: int) -> None:
    compiled = advance._cache_size()

    def interrupt(progress: Progress) -> None:
        if progress.step == cut:
            raise Stop

    with pytest.raises(Stop):
        run_sgd(whole.experiment, make_prices(), whole.store, start=START, progress=interrupt)
    (broken_off,) = whole.store.find_runs(status="failed")
    assert max(row.step for row in whole.store.checkpoints(run_id=broken_off.run_id)) == cut
    resumed = run_sgd(whole.experiment, make_prices(), whole.store, start=START)
    assert (resumed.run_id, resumed.resumed_at, resumed.steps) == (broken_off.run_id, cut, STEPS)
    assert _stored(whole.store, resumed.run_id) == _stored(whole.store, whole.run.run_id)
    assert advance._cache_size() == compiled, "neither reports nor resuming compile anything"


def test_patience_stops_each_set_by_itself(whole: Whole) -> None:
    rows, stopped = whole.rows, whole.stopped
    for index in range(N_SETS):
        for step in range(0, STEPS, EVERY):
            moves = rows[step, index].raw != rows[step + EVERY, index].raw
            assert moves == (step < stopped.get(index, STEPS)), (step, index)
    assert stopped.keys() == {1, 2}, "the first goes on to the end"
    assert not whole.run.stopped_early
    for index, at in stopped.items():
        averages = {rows[step, N_SETS + index].raw["log_k"] for step in range(at, STEPS + 1, EVERY)}
        assert len(averages) == 1, "and so does its average"
    for progress in whole.progress:
        assert progress.alive == N_SETS - sum(at <= progress.step for at in stopped.values())


def test_averages_are_stored_behind_the_sets(whole: Whole) -> None:
    training, rows, stopped = _training(whole), whole.rows, whole.stopped
    state, seen = init(training.program, training.initial), []
    for step in range(STEPS):
        alive = [step < stopped.get(index, STEPS) for index in range(N_SETS)]
        inputs = training.inputs._replace(active=jnp.array(alive))
        state, _ = advance(training.program, state, inputs, jnp.asarray(1))
        seen.append({name: np.asarray(values) for name, values in state.params.items()})
    assert {key for key in rows if key[1] >= N_SETS} == {(s, N_SETS + i) for s in (6, 9, 12, 15) for i in range(N_SETS)}
    for (step, index), row in rows.items():
        for name in ("log_k", "logit_lamb"):
            if step and index < N_SETS:
                assert row.raw[name] == tuple(seen[step - 1][name][index]), "one step at a time comes to the same"
            elif index >= N_SETS:
                last = min(step, stopped.get(index - N_SETS, STEPS))
                mean = np.mean([seen[at - 1][name][index - N_SETS] for at in range(AVERAGED, last + 1)], axis=0)
                np.testing.assert_allclose(row.raw[name], mean, rtol=1e-13)
    assert rows[6, 3].raw["logit_delta_lamb"] == rows[6, 0].raw["logit_delta_lamb"], "what is not trained is complete"


def test_a_set_that_begins_broken_is_started_again_and_gets_going(whole: Whole) -> None:
    rows = whole.rows
    assert np.isnan(rows[0, 2].metrics["train"]["daily_log_sharpe"])
    assert np.isfinite(rows[EVERY, 2].metrics["train"]["daily_log_sharpe"])
    assert (whole.run.restarts, whole.run.skipped) == (1, 2)
    first, again = _training(whole).inputs.restart_pool, _training(whole).inputs.restart_pool
    other = Training(whole.experiment.override(["seed=1"]), make_prices(), START).inputs.restart_pool
    for name in ("log_k", "logit_lamb"):
        np.testing.assert_array_equal(first[name], again[name])
        assert (first[name] != other[name]).all()
        assert (np.asarray(first[name][2]) != rows[0, 2].raw[name]).all(), "the start itself is no way out"
        assert len(np.unique(first[name])) == first[name].size, "every set has a restart pool of its own"


def test_curves_have_every_step(whole: Whole) -> None:
    curves = training_curves(whole.store, whole.run.run_id)
    (phase,) = curves.phases
    assert phase.steps.tolist() == [*range(1, STEPS + 1)]
    assert phase.reports.tolist() == [*range(0, STEPS + 1, EVERY)]
    assert curves.n_rejected == whole.run.skipped == 2
    for report in whole.store.reports(whole.run.run_id)[1:]:
        for name in ("objective", "gradient_norm", "update_norm", "learning_rate"):
            np.testing.assert_allclose(phase.per_step[name][report.step - 1], report.content[name], rtol=1e-5)
    for (step, index), row in whole.rows.items():
        if index < N_SETS:
            values = [table[step // EVERY, index] for table in phase.objective.values()]
            np.testing.assert_array_equal(values, [row.value(split, curves.metric) for split in phase.objective])


def test_reports_are_a_log_set_by_set(whole: Whole) -> None:
    reports = whole.store.reports(whole.run.run_id)
    assert [report.step for report in reports] == [*range(0, STEPS + 1, EVERY)]
    assert [report.content["restarts"] for report in reports] == [[0, 0, 0], *[[0, 0, 1]] * 5]
    assert [report.content["skipped"] for report in reports[1:]] == [[0, 0, 2], *[[0, 0, 0]] * 4]
    rates = []
    for report, progress in zip(reports[1:], whole.progress[1:], strict=True):
        content = report.content
        for name in ("objective", "gradient_norm", "update_norm", "learning_rate"):
            assert len(content[name]) == N_SETS
            assert np.isfinite(content[name]).all(), (report.step, name)
        rates.append(content["learning_rate"][2])
        stored = content["progress"]
        assert (stored["step"], stored["alive"]) == (report.step, progress.alive)
        assert stored["gradient_norm"] == np.median(content["gradient_norm"])
        assert stored["learning_rate"] == max(content["learning_rate"])
        objectives = [whole.rows[report.step, index].objective for index in range(N_SETS)]
        assert stored["objective"] == max(objectives)
        assert stored["median"] == np.median(objectives)
        assert stored["best"] == max(
            row.metrics["validation"]["daily_log_sharpe"]
            for (step, index), row in whole.rows.items()
            if step <= report.step and index < N_SETS and step + index > 2
        )
    assert (rates[0], rates[-1]) == (0.2, 0.1), "the plateau fired where the objective stood still"


def test_the_documented_ways_to_read_the_log_and_the_curves(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "training.md"
    log, curves, _ = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(whole.folder)
    for example in (log, curves):
        exec(compile(example, str(page), "exec"), {})  # noqa: S102 - our own document
    assert (whole.folder / "training.png").read_bytes().startswith(b"\x89PNG")
    last = whole.progress[-1]
    assert f"experiment {STEPS} {last.best} [0, 0, 1]" in capsys.readouterr().out.splitlines()


def test_the_documented_optimiser_of_your_own() -> None:
    page = Path(__file__).parents[2] / "docs" / "training.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 5) == (0, True)


def test_evaluation_ignores_noise_reversal_and_penalties(whole: Whole) -> None:
    plain = Evaluator(make_experiment(), make_prices())
    rows = [whole.rows[12, index] for index in range(2 * N_SETS)]
    sets = {name: np.array([row.raw[name] for row in rows]) for name in rows[0].raw}
    for split, table in plain.evaluate_many(sets).items():
        for name, values in table.items():
            np.testing.assert_array_equal(values, [row.metrics[split][name] for row in rows])


def test_flatness_is_a_train_metric_of_trained_sets(whole: Whole) -> None:
    for (step, index), row in whole.rows.items():
        assert "hessian_trace" not in row.metrics["validation"]
        broken = (step, index) == (0, 2)
        assert np.isfinite(row.metrics["train"]["hessian_trace"]) == (index < N_SETS and not broken)
    assert whole.rows[0, 0].metrics["train"]["hessian_trace"] > 0.1


def _poisoned(prices: Prices, first: int) -> Prices:
    """Other prices from a bar on."""
    changed = prices.prices.copy()
    changed[first:] *= np.random.default_rng(1).uniform(0.01, 100.0, changed[first:].shape)
    return Prices(prices.times, changed, prices.tokens, prices.bar_minutes)


@pytest.mark.usefixtures("whole")
def test_training_sees_nothing_behind_its_period() -> None:
    prices, end = make_prices(), 4 * (20 + 90)
    for settings in (EVERYTHING, MEMORIES):
        found = []
        for seen in (prices, _poisoned(prices, end), _poisoned(prices, end - 4)):
            training = Training(make_experiment(**settings), seen, START if settings is EVERYTHING else ())
            state = init(training.program, training.initial)
            found.append(advance(training.program, state, training.inputs, jnp.asarray(4))[0].params)
        for name, values in found[0].items():
            np.testing.assert_array_equal(values, found[1][name], err_msg=f"{name}: it saw what comes behind training")
    assert (found[0]["logit_lamb"] != found[2]["logit_lamb"]).all(), "the last day of training does count"


def test_only_named_parameters_are_trained(tmp_path: Path) -> None:
    experiment = make_experiment(**MEMORIES)
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run_id = run_sgd(experiment, make_prices(), store).run_id
        begun, ended = parameters_at(store, run_id, 0), parameters_at(store, run_id, 4)
    for before, after in zip(begun, ended, strict=True):
        assert {name for name in before if before[name] != after[name]} == {"logit_lamb"}
        assert after["log_k"] == begun[0]["log_k"], "other sets do not even start elsewhere in it"
    assert make_experiment(train=["logit_lamb"]).trainable == {"logit_lamb"}, "raw names serve as well"


def test_reversed_prices_are_those_up_to_the_end_of_training(whole: Whole) -> None:
    plain, turned = _training(whole).inputs.objective.markets
    end = 4 * (20 + 90)
    np.testing.assert_array_equal(plain.prices, make_prices().prices[:end])
    np.testing.assert_array_equal(turned.prices, make_prices().prices[:end][::-1])
    there = make_prices().prices.copy()
    there[end // 2 : end] = there[: end // 2][::-1]
    palindrome = Prices(make_prices().times, there, ("A", "B"), 360)
    for ours, theirs in zip(*Training(whole.experiment, palindrome, START).inputs.objective.markets, strict=True):
        assert ours is theirs is None or np.array_equal(ours, theirs), "a palindrome reads the same"


@pytest.mark.parametrize("passed", [("maximum_change", "weight_bounds"), ("maximum_change",), ("weight_bounds",)])
def test_gradients_pass_limits_straight_through(passed: tuple[str, ...]) -> None:
    experiment = make_experiment(straight_through=list(passed))
    assert Training(experiment, make_prices()).inputs.objective.plan.setup.straight_through == passed
    plain = pool_setup(experiment, 360).own
    initial, n_chunks = jnp.array([0.5, 0.5]), 6
    moves = jnp.array([0.0, 0.3, 0.9, -1e18, 0.04, -0.02])  # into the upper bound, far beyond the lower one, and back
    outputs = jnp.stack([moves, -moves], axis=-1)

    @jax.jit
    def last(outputs: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(chunk_ramps(outputs, initial, n_chunks, setup).start for setup in (plain, through))

    through = replace(plain, straight_through=passed)
    limited, passing = last(outputs)
    np.testing.assert_array_equal(limited, passing)
    if len(passed) == 2:
        gradient = jax.jit(jax.grad(lambda moved: last(moved)[1][-1, 0]))(outputs)
        np.testing.assert_allclose(gradient[1:-1], [[1.0, 0.0]] * (n_chunks - 2), atol=1e-15, err_msg="of a plain sum")
        blocked = jax.jit(jax.grad(lambda moved: last(moved)[0][-1, 0]))(outputs)
        assert (np.asarray(blocked)[1:3] == 0.0).all(), "which the limits block"


def test_sets_start_where_the_study_says() -> None:
    starts = [{"memory_days": 4.0}, {"memory_days": [3.0, 6.0], "k_per_day": 2.0}, {"log_k": [0.0, 1.0]}]
    experiment = make_experiment(starts=starts)
    assert Experiment.from_dict(experiment.model_dump(mode="json")) == experiment
    training = Training(experiment, make_prices())
    own = experiment.initial_parameters()
    assert training.n_sets == 3
    np.testing.assert_array_equal(training.initial["log_k"], [own["log_k"], [1.0, 1.0], [0.0, 1.0]])
    rows = np.asarray(training.initial["logit_lamb"])
    memories = [experiment.human_parameters({**own, "logit_lamb": row})["memory_days"] for row in rows]
    np.testing.assert_allclose(memories, [[4.0, 4.0], [3.0, 6.0], [5.0, 5.0]])
    with pytest.raises(ConfigError, match=r"sgd\.starts\[1\]: .*'memory_day'"):
        make_experiment(starts=[{"memory_days": 4.0}, {"memory_day": 4.0}])
    with pytest.raises(ConfigError, match=r"starts has one set"):
        make_experiment(starts=[{"memory_days": 4.0}])
