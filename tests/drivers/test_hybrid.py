"""The hybrid driver: rounds of search and fine-tuning, what steers them, and going on where they were cut off."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from sgd_support import PERIODS, make_prices

from quantsim import CheckpointStore, Evaluator, Experiment
from quantsim.checkpoints import select, top
from quantsim.checkpoints.training import training_curves
from quantsim.config.identity import GRADIENTS
from quantsim.drivers.hybrid import HybridRun, run_hybrid
from quantsim.drivers.hybrid.driver import _run
from quantsim.drivers.hybrid.gradients import gradient_experiment
from quantsim.drivers.hybrid.rounds import Phase, Rounds, State
from quantsim.errors import ConfigError, DriverError
from quantsim.search_space import load_search_space
from quantsim.storages.opened import opened_storage

TRIALS, TOP, STEPS = 5, 2, 4
METRIC = "daily_log_sharpe"


def make_experiment(**tables: Any) -> Experiment:
    values: dict[str, Any] = {
        "name": "probe",
        "data": {"tokens": ["A", "B"]},
        "periods": PERIODS,
        "pool": {"rule": "momentum"},
        "fees": {"swap_fee": 0.003},
        "update": {"max_memory_days": 20.0},
        "objective": {"metric": METRIC, "bout_offset_days": 10.0, "report": []},
        "sgd": {"report_every": 2, "batch_size": 2, "learning_rate": 0.2},
        "search": {"n_startup_trials": 3, "space": str(Path(__file__).with_name("hybrid_space.toml"))},
        "hybrid": {"rounds": 2, "trials": TRIALS, "top": TOP, "steps": STEPS, "min_gain": 0.0},
    }
    for name, table in tables.items():
        values[name] = {**values.get(name, {}), **table} if isinstance(table, dict) else table
    return Experiment.from_dict(values)


def trials_of(run: HybridRun) -> list[FrozenTrial]:
    """All that completed."""
    with opened_storage(run.storage) as storage:
        trials = optuna.load_study(storage=storage, study_name=run.study_name).trials
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def drawn(trials: list[FrozenTrial]) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.params, trial.value) for trial in trials]


@dataclass
class Whole:
    """A run that nobody disturbed."""

    location: Path
    run: HybridRun
    trials: list[FrozenTrial]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    location = tmp_path_factory.mktemp("whole") / "checkpoints.db"
    with CheckpointStore(location) as store:
        run = run_hybrid(make_experiment(), make_prices(), store)
    return Whole(location, run, trials_of(run))


def test_each_round_searches_tunes_the_best_and_enqueues_the_selected_set(whole: Whole) -> None:
    run, trials, experiment = whole.run, whole.trials, make_experiment()
    assert repr(run).startswith(f"HybridRun({run.study_name!r}: 4 phases, {run.trials} trials, ")
    assert [(phase.round, phase.kind) for phase in run.phases] == [
        (1, "search"),
        (1, "gradients"),
        (2, "search"),
        (2, "gradients"),
    ]
    tuned = [trial.number for trial in trials if trial.user_attrs.get("from") == "sgd"]
    assert len(tuned) == 2 * TOP
    with CheckpointStore(whole.location) as store:
        rounds = training_curves(store, run.run_id).phases
        assert [(each.round, each.run.run_id) for each in rounds] == [
            (1, run.phases[1].run_id),
            (2, run.phases[3].run_id),
        ]
        rows = store.checkpoints(run_id=run.run_id)
        assert [row.step for row in rows] == [trial.number for trial in trials]
        assert {row.driver for row in rows} == {"search"}
        assert len(store.find_runs(driver="search", status="finished")) == 1
        for of_phase in {phase.run_id for phase in run.phases}:
            assert store.daily_log_returns([of_phase], "validation").missing == 0
            assert set(store.baselines(of_phase)) == {"study", "constant_weights", "hodl"}
        first = store.checkpoints(run_id=run.phases[1].run_id)
    starts = top(rows[:TRIALS], TOP, "train", METRIC)
    assert [row.raw for row in first if row.step == 0] == [start.raw for start in starts]
    space = load_search_space(experiment)
    chosen = [
        select(
            [row for row in first if row.parameter_set == index and row.step > 0], "best_validation", METRIC
        ).checkpoint
        for index in range(TOP)
    ]
    # What gradients did not move is not tried again; what they moved out of its range is tried at the end of it.
    given_back = {
        start.step: space.from_human(row.human, clip=True)
        for row, start in zip(chosen, starts, strict=True)
        if not np.allclose(row.raw["log_k"], start.raw["log_k"], rtol=1e-5)
    }
    of_first_round = [trial.params for trial in trials if trial.number in tuned][: len(given_back)]
    assert of_first_round == list(given_back.values())
    assert [*run.tuned_from] == tuned
    assert [run.tuned_from[number] for number in tuned][: len(given_back)] == list(given_back)
    assert run.phases[1].evaluations == TOP * STEPS + len(given_back)
    # Judged like any trial, with fees.
    evaluator = Evaluator(experiment, make_prices())
    row = rows[tuned[0]]
    assert row.objective == pytest.approx(evaluator.evaluate(row.params)["train"][METRIC], rel=1e-9)
    # Nothing is tuned twice, and the second round knows what the first gave back.
    with CheckpointStore(whole.location) as store:
        second = [row for row in store.checkpoints(run_id=run.phases[3].run_id) if row.step == 0]
    assert not {tuple(row.raw["logit_lamb"]) for row in second} & {tuple(row.raw["logit_lamb"]) for row in starts}


def test_phases_report_the_pick_of_the_default_selection(whole: Whole) -> None:
    with CheckpointStore(whole.location) as store:
        rows = store.checkpoints(run_id=whole.run.run_id)
    seen = 0
    for phase in whole.run.phases:
        seen += TRIALS if phase.kind == "search" else phase.evaluations - TOP * STEPS
        picked = select(rows[:seen], "best_validation", METRIC).checkpoint
        assert phase.objective == {split: table[METRIC] for split, table in picked.metrics.items()}
    assert seen == whole.run.trials == len(rows)
    assert whole.run.evaluations == sum(phase.evaluations for phase in whole.run.phases)


def test_cut_off_anywhere_it_ends_with_the_trials_it_would_have_had(
    whole: Whole, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices, evaluate = make_prices(), Evaluator.evaluate_sets

    def interrupt_after(kind: str, done: int) -> None:
        def watch(now: Any) -> None:
            if (now.round, now.kind) == (1, kind) and now.done >= done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_hybrid(make_experiment(), prices, store, progress=watch)

    def interrupt_within(call_of_session: int) -> None:
        calls = itertools.count()

        def stop(evaluator: Evaluator, *arguments: Any) -> Any:
            if next(calls) == call_of_session:
                raise KeyboardInterrupt
            return evaluate(evaluator, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Evaluator, "evaluate_sets", stop)
            with pytest.raises(KeyboardInterrupt):
                run_hybrid(make_experiment(), prices, store)

    first = run_hybrid(make_experiment(hybrid={"max_minutes": 1e-9}), prices, store)
    assert (first.stopped, first.phases, store.run(first.run_id).status) == ("minutes", (), "interrupted")
    interrupt_within(1)
    interrupt_after("search", 4)
    interrupt_after("gradients", 2 * TOP)
    (cut,) = store.find_runs(driver="sgd", status="interrupted")
    interrupt_within(1)  # the last report of the gradients is done: the trials of what was found
    assert [run.status for run in store.find_runs(driver="sgd")] == ["finished"]
    interrupt_after("gradients", TOP * STEPS + 1)
    room = sum(phase.evaluations for phase in whole.run.phases[:2]) + 2
    budget = run_hybrid(make_experiment(hybrid={"max_evaluations": room}), prices, store)
    assert (budget.stopped, budget.evaluations, len(budget.phases)) == ("evaluations", room, 3)
    again = run_hybrid(make_experiment(), prices, store, jobs=2)
    assert drawn(trials_of(again)) == drawn(whole.trials), "the number of jobs makes no difference either"
    assert [phase.objective for phase in again.phases] == [phase.objective for phase in whole.run.phases]
    assert again.run_id == first.run_id
    tuning = store.find_runs(driver="sgd")
    assert [run.status for run in tuning] == ["finished", "finished"]
    assert cut.run_id in [run.run_id for run in tuning]


def test_a_finished_run_is_read_and_not_run_again(whole: Whole, tmp_path: Path) -> None:
    location = Path(shutil.copytree(whole.location.parent, tmp_path / "copy")) / whole.location.name
    with CheckpointStore(location) as store:
        stops = make_experiment(
            hybrid={"rounds": 9, "min_gain": 1e9}
        )  # the first round always helps, the second did not
        run = run_hybrid(stops, make_prices(), store)
        assert (run.stopped, run.run_id, run.trials) == ("no gain", whole.run.run_id, whole.run.trials)
        assert [phase.seconds for phase in run.phases] == [None] * 4
        assert [phase.objective for phase in run.phases] == [phase.objective for phase in whole.run.phases]
        fewer = run_hybrid(make_experiment(hybrid={"rounds": 1}), make_prices(), store)
        assert (fewer.stopped, fewer.phases) == ("rounds", run.phases[:2])
        assert len(store.find_runs()) == 3
        other = run_hybrid(make_experiment(hybrid={"steps": 2, "max_minutes": 1e-9}), make_prices(), store)
        assert other.study_name != run.study_name  # its trials would be others from the first round on


def test_a_run_of_an_older_version_resumes_under_its_name(whole: Whole, tmp_path: Path) -> None:
    location = Path(shutil.copytree(whole.location.parent, tmp_path / "copy")) / whole.location.name
    journal = location.with_suffix(".journal")
    journal.write_text(journal.read_text().replace(whole.run.study_name, "probe-hybrid-0123abcd"))
    with CheckpointStore(location) as store:
        run = run_hybrid(make_experiment(sgd={"steps": 7}), make_prices(), store)
    assert (run.study_name, run.run_id) == ("probe-hybrid-0123abcd", whole.run.run_id)
    assert [phase.seconds for phase in run.phases] == [None] * 4


def test_test_data_never_steers(whole: Whole, store: CheckpointStore) -> None:
    run = run_hybrid(make_experiment(), make_prices(test_scale=3.0), store)
    assert drawn(trials_of(run)) == drawn(whole.trials)
    assert [phase.objective["test"] for phase in run.phases] != [phase.objective["test"] for phase in whole.run.phases]


def test_without_fees_the_fee_stays_and_the_check_is_with_fees(store: CheckpointStore) -> None:
    experiment = make_experiment(
        fees={"swap_fee": 0.0, "arb_fee": 0.001},
        parameters={"swap_fee": 0.003},
        hybrid={"gradients": "zero_fee", "rounds": 1, "max_evaluations": TRIALS + TOP * (STEPS + 1)},
    )
    run = run_hybrid(experiment, make_prices(), store)
    rows = store.checkpoints(run_id=run.run_id)
    tuned = [trial.number for trial in trials_of(run) if trial.user_attrs.get("from") == "sgd"]
    assert tuned
    fees = {row.human["swap_fee"] for row in top(rows[:TRIALS], TOP, "train", METRIC)}
    evaluator = Evaluator(experiment, make_prices())
    for number in tuned:
        row = rows[number]
        assert min(abs(row.human["swap_fee"][0] - fee[0]) for fee in fees) < 1e-12
        assert row.objective == pytest.approx(evaluator.evaluate(row.params)["train"][METRIC], rel=1e-9)
    stored = store.run(run.phases[1].run_id).config
    assert stored["fees"]["arb_fee"] == 0.0
    assert "swap_fee" not in stored["parameters"]


def test_series_in_memory_take_the_place_of_files(store: CheckpointStore) -> None:
    """Those that the gradients go without are not asked for there."""
    experiment = make_experiment(
        fees={"swap_fee": 0.0},
        series={"swap_fee": "nowhere.csv"},
        hybrid={"gradients": "zero_fee", "rounds": 1, "trials": 3},
    )
    prices = make_prices()
    series = {"swap_fee": np.full(prices.n_bars, 0.003)}
    run = run_hybrid(experiment, prices, store, series=series)
    assert [phase.kind for phase in run.phases] == ["search", "gradients"]
    assert store.run(run.run_id).notes["series"] == "in memory: swap_fee"
    row = store.checkpoints(run_id=run.run_id)[-1]
    again = Evaluator(experiment, prices, series).evaluate(row.params)
    assert row.objective == pytest.approx(again["train"][METRIC], rel=1e-9)


def gradients_of(**tables: Any) -> Experiment:
    experiment = make_experiment(**tables)
    return gradient_experiment(experiment, load_search_space(experiment))


def test_a_pool_without_costs_keeps_all_else() -> None:
    fees = {
        "swap_fee": 0.0,
        "rule": "volatility",
        "gas_cost_usd": 3.0,
        "noise_trader_ratio": 0.5,
        "rebalancing_cost": 0.01,
    }
    pair = {"tokens": ["A", "B"], "rule": "momentum", "fees": {"swap_fee": 0.01}}
    made = gradients_of(
        fees=fees,
        series={"arb_fee": "costs.csv"},
        pool={"tokens": ["A", "pair"]},
        subsidiaries={"pair": pair},
        parameters={"fee": {"memory_days": 3.0}, "memory_days": 7.0},
        hybrid={"gradients": "zero_fee"},
        search={"space": None},
    )
    assert not made.fees.any
    assert made.fees.noise_trader_ratio == 0.0
    assert made.fees.rebalancing_cost == 0.01
    assert made.series.costs == ()
    assert not dict(made.subsidiaries)["pair"].fees.any
    assert dict(made.parameters) == {"memory_days": 7.0}
    assert set(made.sgd.train or ()) == {"memory_days", "k_per_day", "pair.memory_days", "pair.k_per_day"}
    assert made.sgd.steps == STEPS


def test_fees_are_followed_where_the_adjoint_serves() -> None:
    given = {"series": {"trades": "trades.csv"}}
    assert gradients_of().fees.swap_fee == 0.003
    assert gradients_of(**given).fees.swap_fee == 0.0
    assert gradients_of(**given).series.trades is None
    assert gradients_of(**given, hybrid={"gradients": "with_fees"}).series.trades == os.path.abspath("trades.csv")
    free = {"fees": {"swap_fee": 0.0}}
    ids = {
        gradients_of(**free, hybrid={"gradients": mode}).identity_for(GRADIENTS)
        for mode in ("auto", "zero_fee", "with_fees")
    }
    assert len(ids) == 1
    # What is followed is what trials are judged by, unless the study's windows are wanted.
    assert gradients_of().objective.bout_offset_days == 0.0
    assert gradients_of(hybrid={"windows": "study"}).objective.bout_offset_days == 10.0
    # Which trials and rounds there are does not tell fine-tuning runs apart.
    more = gradients_of(search={"sampler": "random"}, hybrid={"rounds": 7, "trials": 7})
    assert more.identity_for(GRADIENTS) == gradients_of().identity_for(GRADIENTS)


def test_gradients_train_the_searched_parameters(tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text("[k_per_day]\n")
    assert gradients_of(search={"space": str(space)}).sgd.train == ("k_per_day",)
    with pytest.raises(ConfigError, match="has the parameters k_per_day, and gradients can train memory_days"):
        gradients_of(search={"space": str(space)}, sgd={"train": ["memory_days"]})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"hybrid": {"max_evaluations": 14}}, "max_evaluations = 14 is less than one round needs.*15 in total"),
        ({"hybrid": {"gradients": "zero"}}, "hybrid.gradients"),
        ({"hybrid": {"roundz": 1}}, "did you mean 'rounds'"),
        ({"sgd": {"schedule": "warmup_cosine", "warmup_steps": 10}}, "warmup_steps = 10 must be less than steps = 4"),
        (
            {"objective": {"metric": "fee_revenue_over_value"}, "hybrid": {"gradients": "zero_fee"}},
            "fee_revenue_over_value of the objective needs fees",
        ),
        ({"search": {"objectives": ["daily_log_sharpe", "returns"]}}, "gradients need a single objective"),
        ({"pool": {"rule": "hodl"}, "fees": {"swap_fee": 0.0}, "search": {"space": None}}, "nothing to search"),
    ],
)
def test_invalid_combinations_are_refused_before_any_trial(store: CheckpointStore, tables: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_hybrid(make_experiment(**tables), make_prices(), store)
    assert store.find_runs() == []


def test_jobs_out_of_range_are_refused(store: CheckpointStore) -> None:
    with pytest.raises(DriverError, match="jobs = 0 must be a whole number"):
        run_hybrid(make_experiment(), make_prices(), store, jobs=0)


class _Scripted(Rounds):
    """Rounds whose phases come to these best values, one after another."""

    def __init__(self, *best: float) -> None:
        object.__setattr__(self, "search", SimpleNamespace(experiment=make_experiment(hybrid={"rounds": 9})))
        object.__setattr__(self, "values", iter(best))

    def _next(self, state: State, kind: str) -> tuple[State, Phase]:
        best = next(self.values)
        return replace(state, best=best), Phase(state.round, kind, "", 0, None, best, {})

    def _search(self, state: State) -> tuple[State, Phase]:
        after, phase = self._next(replace(state, before=state.best), "search")
        return replace(after, starts=(SimpleNamespace(step=0),)), phase

    def _tune(self, state: State, starts: Any) -> tuple[State, Phase]:
        return self._next(state, "gradients")


@pytest.mark.parametrize(
    ("best", "rounds"),
    [
        ((1.0, 2.0, 3.0, 3.5, 3.5, 3.5), 3),
        ((1.0, 2.0, math.inf, math.inf, math.inf, math.inf), 3),  # infinity is reached once
        ((-math.inf, -math.inf, -math.inf, -math.inf), 2),
        ((-math.inf, 1.0, 1.0, 1.0), 2),
    ],
)
def test_rounds_end_once_they_gain_nothing_more_at_infinity_too(best: tuple[float, ...], rounds: int) -> None:
    _, phases, stopped = _run(_Scripted(*best), lambda: False)
    assert (stopped, phases[-1].round) == ("no gain", rounds)
