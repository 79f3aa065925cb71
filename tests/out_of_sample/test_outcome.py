"""What comes after the folds, as one pool that goes on and as new pools, against baselines."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from outcome_support import (
    DAY,
    FOLDS,
    SETS,
    START,
    STUDY,
    TEST,
    TRAIN,
    evaluator,
    folds,
    groups_of,
    results_of,
    small_prices,
    store_of,
)

from quantsim import simulate
from quantsim.baseline import BASELINES
from quantsim.errors import ConfigError
from quantsim.folds import Fold, PurgedSplit, combinatorial
from quantsim.out_of_sample import (
    CrossValidation,
    FoldResult,
    WalkForward,
    WalkForwardOutcome,
    compare_outcomes,
    paths_outcome,
    walk_forward_outcome,
)
from quantsim.out_of_sample.curves import Resampling, annual_sharpe, curve_of, difference, joined
from quantsim.out_of_sample.schedule import fold_experiment, with_periods
from quantsim.out_of_sample.spans import Carrier
from quantsim.out_of_sample.stability import stability_of
from quantsim.simulator import baseline_values
from quantsim.statistics import Interval, sharpe

FEW = Resampling(n_resamples=50)
FIRST_TEST = START + TRAIN * DAY


def outcome_of(sets: tuple[dict, ...] = SETS, trainer: str = "search") -> WalkForwardOutcome:
    results = results_of(sets)
    return walk_forward_outcome(walk_of(results, trainer), small_prices(), store_of(results), resampling=FEW)


def walk_of(results: Sequence[FoldResult[Fold]], trainer: str = "search") -> WalkForward:
    return WalkForward(STUDY, trainer, "group", tuple(results))


@pytest.fixture(scope="module")
def outcome() -> WalkForwardOutcome:
    return outcome_of()


def test_the_studys_own_parameters_in_every_fold_are_the_studys_baseline() -> None:
    found = outcome_of(({}, {}, {}))
    assert found.carried is not None
    study = found.baselines["study"]
    np.testing.assert_allclose(found.carried.daily_log_returns, study.daily_log_returns, rtol=0, atol=1e-12)
    assert found.differences["study"].excess.point == pytest.approx(0.0, abs=1e-9)
    assert found.differences["constant_weights"].excess.point != 0.0


def test_the_carried_curve_is_one_simulation_whose_parameters_change(outcome: WalkForwardOutcome) -> None:
    whole = with_periods(STUDY, "whole", train_start=START, train_end=FIRST_TEST, test_end=folds()[-1].test.end)
    changes = {fold.test.start.replace(tzinfo=None): params for fold, params in zip(folds()[1:], SETS[1:], strict=True)}
    result = simulate(whole, SETS[0], small_prices(), split="test", changes=changes)
    assert outcome.carried is not None
    np.testing.assert_allclose(outcome.carried.values, result.value[::6] / result.value[0], rtol=1e-12)
    assert (outcome.carried.times == result.times[::6]).all()
    assert outcome.carried.days.tolist() == list(range(FOLDS * TEST - 1))
    assert outcome.out_of_sample is outcome.carried
    assert outcome.note.startswith("On bars of 240 minutes, weights move in long steps")


def test_the_restarted_curve_is_made_of_new_pools(outcome: WalkForwardOutcome) -> None:
    curve = outcome.restarted
    for index, (fold, params) in enumerate(zip(folds(), SETS, strict=True)):
        own = simulate(fold_experiment(STUDY, fold), params, small_prices(), split="test").value[::6]
        days = slice(index * TEST, (index + 1) * TEST)
        np.testing.assert_allclose(curve.values[days] / curve.values[days.start], own / own[0], rtol=1e-12)
    assert curve.daily_log_returns.size == FOLDS * (TEST - 1)
    assert curve.values[TEST] == curve.values[TEST - 1]  # another pool


def test_folds_have_the_ratios_of_their_splits(outcome: WalkForwardOutcome) -> None:
    for index, (row, result) in enumerate(zip(outcome.folds, results_of(SETS), strict=True)):
        metrics, base = result.checkpoint.metrics, evaluator(result.fold).baselines()["constant_weights"]
        assert row.in_sample == pytest.approx(metrics["train"]["daily_log_sharpe"], rel=1e-5)
        assert row.out_of_sample == pytest.approx(metrics["test"]["daily_log_sharpe"], rel=1e-5)
        assert math.isnan(row.validation)
        excess = result.checkpoint.daily_log_returns["test"] - base.daily_log_returns["test"]
        assert row.excess_out_of_sample == pytest.approx(math.sqrt(365.0) * float(sharpe(excess)))
        assert outcome.carried is not None
        days = slice(index * TEST, (index + 1) * TEST)
        assert row.carried == pytest.approx(float(annual_sharpe(outcome.carried.daily_log_returns[days])))
        if row.in_sample > 0.0:
            assert row.efficiency == row.out_of_sample / row.in_sample
        else:
            assert math.isnan(row.efficiency)
    efficiency = outcome.efficiency
    assert efficiency.defined == sum(row.in_sample > 0.0 for row in outcome.folds)
    assert 0 < efficiency.defined < efficiency.folds == FOLDS  # the prices are such that both are tested


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_those_of_the_evaluator(name: str) -> None:
    fold = evaluator(folds()[0])
    values = baseline_values(fold, name, *fold.splits["test"])
    wanted = fold.baselines()[name]
    np.testing.assert_allclose(np.diff(np.log(values)), wanted.daily_log_returns["test"], rtol=0, atol=1e-12)
    longer = baseline_values(fold, name, *fold.splits["test"], with_last_bar=True)
    np.testing.assert_array_equal(longer[:-1], values)
    assert longer[-1] / values[0] - 1.0 == pytest.approx(wanted.metrics["test"]["returns"], rel=1e-12)


def test_differences_are_paired_on_the_days_of_both() -> None:
    generator = np.random.default_rng(0)
    times = np.datetime64("2021-01-01", "s") + np.arange(41).astype("timedelta64[D]")
    base, extra = 0.03 * generator.standard_normal(40), 0.001 * generator.standard_normal(40)
    benchmark, curve = curve_of("hodl", times, base, FEW), curve_of("carried", times, base + extra + 0.001, FEW)
    found = difference(curve, benchmark, FEW)
    assert found.excess.point == pytest.approx(365.0 * (extra.mean() + 0.001))
    assert not found.excess.contains_zero
    assert found.excess.standard_error < 0.2 * curve.growth.standard_error  # the market cancels
    pieces = joined("restarted", times, [(0, (base + 0.001)[:19]), (20, (base + 0.001)[20:])], FEW)
    assert pieces.daily_log_returns.size == 39
    assert difference(pieces, benchmark, FEW).excess.point == pytest.approx(0.365)


def test_json_has_all_figures_and_no_nan(outcome: WalkForwardOutcome) -> None:
    values = json.loads(json.dumps(outcome.to_json(), allow_nan=False))
    assert {"folds", "out_of_sample", "baselines", "efficiency", "parameters", "judgement"} <= set(values)
    assert set(values["baselines"]) == {"study", "constant_weights", "hodl"}
    assert len(values["out_of_sample"]["carried"]["values"]) == FOLDS * TEST
    undefined = [row["efficiency"] is None for row in values["folds"]]
    assert undefined == [row.in_sample <= 0.0 for row in outcome.folds]
    excess = values["baselines"]["constant_weights"]["difference"]["excess"]
    assert excess["lower"] <= excess["point"] <= excess["upper"]


def test_a_pool_that_cannot_be_carried_is_restarted_and_the_outcome_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrier, "cannot_carry", lambda *_: "its parameters cannot change")
    found = outcome_of()
    assert found.carried is None
    assert found.out_of_sample is found.restarted
    assert found.note.startswith("Each fold starts a new pool: its parameters cannot change. On bars of 240 minutes")
    assert all(math.isnan(row.carried) for row in found.folds)
    assert found.to_json()["out_of_sample"]["carried"] is None
    assert not math.isnan(found.differences["hodl"].excess.point)


def test_results_without_baselines_or_loaded_returns() -> None:
    results = results_of(SETS)
    bare = [
        dataclasses.replace(one, checkpoint=dataclasses.replace(one.checkpoint, daily_log_returns={}))
        for one in results
    ]
    found = walk_forward_outcome(walk_of(bare), small_prices(), store_of(results, empty=True), resampling=FEW)
    assert found.folds[0].out_of_sample == outcome_of().folds[0].out_of_sample
    assert all(math.isnan(row.excess_in_sample) for row in found.folds)


def test_what_is_wrong_with_results_is_said() -> None:
    results = results_of(SETS)
    with pytest.raises(ConfigError, match="no folds"):
        walk_forward_outcome(walk_of([]), small_prices(), store_of(results))
    with pytest.raises(ConfigError, match="chronological order"):
        walk_forward_outcome(walk_of(results[::-1]), small_prices(), store_of(results))


def test_the_judgement_says_what_the_intervals_allow(outcome: WalkForwardOutcome) -> None:
    def judged(lower: float, upper: float) -> str:
        excess = Interval(0.5 * (lower + upper), lower, upper, 0.1, 0.9)
        own = dataclasses.replace(outcome.differences["constant_weights"], excess=excess)
        return dataclasses.replace(outcome, differences={"constant_weights": own}).judgement

    assert "is not distinguishable from constant weights" in judged(-0.1, 0.3)
    assert "is ahead of constant weights" in judged(0.1, 0.3)
    assert "is behind constant weights" in judged(-0.3, -0.1)
    assert "+22 % a year (90 % interval +11 % to +35 %)" in judged(0.1, 0.3)
    assert "there is no interval" in judged(math.nan, math.nan)


def test_trainers_are_compared_on_the_same_days(outcome: WalkForwardOutcome) -> None:
    other = outcome_of(({}, {}, {}), "fixed")
    found = compare_outcomes({"search": outcome, "fixed": other})
    assert outcome.carried is not None
    assert other.carried is not None
    to_first = found.rows[1].to_first
    assert to_first is not None
    wanted = 365.0 * (other.carried.daily_log_returns - outcome.carried.daily_log_returns).mean()
    assert to_first.excess.point == pytest.approx(wanted)
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert list(values["trainers"]) == ["search", "fixed"]
    assert "to_reference" in values["trainers"]["fixed"]
    with pytest.raises(ConfigError, match="different folds"):
        compare_outcomes({"search": outcome, "fixed": dataclasses.replace(other, folds=other.folds[:2])})


def test_paths_go_on_from_group_to_group() -> None:
    """A path is one pool; equal parameters in all groups are the study's baseline."""
    groups, plan = groups_of(3), combinatorial(72, 3, 1)
    results = [split_result(split, params) for split, params in zip(plan.splits, ({}, *SETS[:2]), strict=True)]
    paths = (*plan.paths, (0, 0, 0), (0, 2, 1))
    validation = CrossValidation(STUDY, "search", "group", 0.0, tuple(groups), paths, tuple(results))
    found = paths_outcome(validation, small_prices(), resampling=FEW)
    np.testing.assert_allclose(found.daily_log_returns[1], found.baselines["study"].daily_log_returns, atol=1e-12)
    whole = with_periods(STUDY, "whole", train_start=groups[0].start, train_end=groups[-1].end)
    changes = {groups[1].start.replace(tzinfo=None): SETS[1], groups[2].start.replace(tzinfo=None): SETS[0]}
    value = simulate(whole, {}, small_prices(), changes=changes).value[::6]
    np.testing.assert_allclose(found.daily_log_returns[2], np.diff(np.log(value)), atol=1e-12)
    skills = found.daily_log_returns - found.baselines["constant_weights"].daily_log_returns
    np.testing.assert_allclose(found.information_ratios, math.sqrt(365.0) * sharpe(skills))
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {"folds", "out_of_sample", "baselines", "efficiency"} <= set(values)
    assert values["out_of_sample"]["quantiles"]["sharpe"]["0.5"] == pytest.approx(np.median(found.sharpes))
    with pytest.raises(ConfigError, match="give all splits"):
        paths_outcome(dataclasses.replace(validation, results=tuple(results[1:])), small_prices())


def split_result(split: PurgedSplit, params: dict) -> FoldResult[PurgedSplit]:
    row = results_of(SETS)[0].checkpoint
    return FoldResult(split, "0" * 32, dataclasses.replace(row, raw=STUDY.initial_parameters(params)))


def test_stability_is_in_human_units() -> None:
    sets = [STUDY.initial_parameters({"memory_days": [days, 4.0]}) for days in (1.0, 2.0, 3.0, 4.0, 9.0)]
    rows = {row.name: row for row in stability_of(STUDY, sets)}
    moved, still = rows["memory_days[BTC]"], rows["memory_days[ETH]"]
    assert moved.values == pytest.approx((1.0, 2.0, 3.0, 4.0, 9.0))
    assert (moved.lower_quartile, moved.median, moved.upper_quartile) == pytest.approx((2.0, 3.0, 4.0))
    assert moved.relative_spread == pytest.approx(2.0 / 3.0)
    assert still.relative_spread == pytest.approx(0.0, abs=1e-9)
    assert moved.unit == "days"
    assert "initial_weights[BTC]" not in rows
