"""Objectives over periods: every period of every path against slices of the full path, and what is combined of them."""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import FIRST, Layout, bar_by_bar, expected, make_experiment, random_params, random_prices, stacked

from quantsim import Evaluator, Experiment, Prices
from quantsim.errors import WindowError
from quantsim.objective import OBJECTIVE, Period
from quantsim.simulator import Path
from quantsim.simulator.bar_path import BarPath
from quantsim.simulator.evaluate import evaluate_windows

DAY, CHUNK = 48, 8
COST = 0.002
# Neither the window's first bar nor its length, nor any period's, is a whole number of chunks.
WINDOW = Layout(30, 240, 210, history=237, n_bars=403, max_memory_days=3.0, volatility=0.008)
DRIFTING = ("daily_log_sharpe", "returns_over_hodl", "turnover", "fee_revenue_over_value")
ENDS_AND_DAYS = (*DRIFTING, "returns", "annualised_returns_over_uniform_hodl", "daily_sharpe", "daily_sortino")
BARS = ("sharpe", "max_drawdown", "greatest_draw_down", "lvr_per_year", "rvr", "returns_over_hodl")

CASES: dict[str, dict[str, Any]] = {
    "closed_form": {"rule": "momentum", "n_tokens": 3, "terms": ENDS_AND_DAYS, "still": {"fee_revenue_over_value"}},
    "per_bar": {"rule": "momentum", "n_tokens": 2, "terms": BARS},
    "fees": {
        "rule": "momentum",
        "n_tokens": 3,
        "terms": DRIFTING,
        "fees": {"swap_fee": 0.003, "gas_cost_usd": 4.0, "noise_trader_ratio": 1.5, "protocol_fee_split": 0.25},
        "pool": {"arb_frequency": 3},
    },
    "fees at every bar": {
        "rule": "momentum",
        "n_tokens": 2,
        "terms": ("fee_revenue_over_value", "sharpe", "lvr"),
        "fees": {"swap_fee": 0.003, "gas_cost_usd": 4.0, "noise_trader_ratio": 1.5},
    },
    "hold": {
        "rule": "hodl",
        "n_tokens": 3,
        "terms": DRIFTING,
        "still": {"returns_over_hodl", "turnover", "fee_revenue_over_value"},
    },
    "cow": {"rule": "cow", "n_tokens": 2, "terms": DRIFTING, "fees": {"swap_fee": 0.003}, "still": {"turnover"}},
}
WEIGHTS = (1.0, 0.5, 2.0, -0.3, 0.25, 0.1, -0.05, 0.02)


def experiment_of(
    rule: str,
    n_tokens: int,
    terms: tuple[str, ...],
    fees: dict[str, float] | None = None,
    pool: dict[str, Any] | None = None,
    still: set[str] | None = None,
    splits: dict[str, datetime] | None = None,
    **objective: Any,
) -> Experiment:
    """A study of the window, or of other ``splits``; ``still`` is what the test expects of it."""
    table = {"metric": terms[0], "weights": dict(zip(terms[1:], WEIGHTS[1:], strict=False)), "report": ["returns"]}
    if "periods" not in objective:
        table |= {"n_periods": 3, "period_overlap": 0.3, "n_random_periods": 1}
    costs = {**(fees or {}), "rebalancing_cost": COST}
    tables = {"pool": pool or {}, "objective": {**table, **objective}}
    if splits:
        tables["periods"] = splits
    return make_experiment(rule, n_tokens, WINDOW, fees=costs, **tables)


def params_of(rule: str, n_tokens: int, seed: int = 3) -> dict[str, Any]:
    return random_params("balancer" if rule == "cow" else rule, WINDOW, n_tokens, seed)


@functools.cache
def prices_of(n_tokens: int) -> Prices:
    return random_prices(WINDOW, n_tokens, 8)


# The metrics, from slices of a path


def metrics_by_hand(path: BarPath, period: Period, experiment: Experiment, earned: float) -> dict[str, float]:
    """Metrics of one period, from the bars of a path and what it earned in fees."""
    inside = slice(period.first, period.end)
    value, prices, reserves = path.value[inside], path.prices[inside], path.reserves[inside]
    weights = path.weights[inside] if experiment.pool.rule == "momentum" else np.ones((period.n_bars, 1))
    first, last, steps = value[0], value[-1], period.n_bars - 1
    daily, by_bar = value[::DAY], value[1:] / value[:-1] - 1
    by_day = daily[1:] / daily[:-1] - 1
    held = reserves[0] @ prices[-1]
    even = (first / prices.shape[1] / prices[0]) @ prices[-1]
    traded = np.diff(reserves, axis=0) * prices[1:]
    losses = np.mean(np.minimum(by_day, 0.0) ** 2)
    logs = np.log(daily[1:] / daily[:-1])
    lvr = traded.sum() / first
    return {
        "returns": last / first - 1,
        "returns_over_hodl": last / held - 1,
        "annualised_returns_over_uniform_hodl": (last / even) ** (365 * DAY / steps) - 1,
        "daily_sharpe": math.sqrt(365) * by_day.mean() / by_day.std(),
        "daily_sortino": math.sqrt(365) * by_day.mean() / math.sqrt(losses) if losses else math.inf,
        "daily_log_sharpe": math.sqrt(365) * logs.mean() / (logs.std() + 1e-8),
        "turnover": -0.5 * np.abs(np.diff(weights, axis=0)).sum() / (period.n_bars / DAY),
        "fee_revenue_over_value": earned / first,
        "sharpe": math.sqrt(365 * DAY) * by_bar.mean() / by_bar.std(),
        "max_drawdown": (value / np.maximum.accumulate(value) - 1).min(),
        "greatest_draw_down": value.min() / first - 1,
        "lvr": lvr,
        "lvr_per_year": lvr * 365 * DAY / steps,
        "rvr": lvr + COST * 0.5 * np.abs(traded).sum() / first,
    }


def earned_by_hand(
    path: BarPath, period: Period, experiment: Experiment, params: dict[str, Any], prices: Prices, split: str
) -> float:
    """Fees kept behind the first bar of a period, up to its last: of two runs of the plain reference, which end there."""
    fee = experiment.fees.swap_fee
    if not fee or experiment.pool.rule == "hodl":
        return 0.0
    if experiment.pool.rule == "cow":  # the pool keeps the fee of what comes in, and all that comes in
        brought = np.maximum(np.diff(path.reserves, axis=0), 0.0) * path.prices[1:]
        return fee * brought[period.first : period.end - 1].sum()
    until = [
        expected(experiment, params, prices, split, n_bars=end).fee_revenue for end in (period.first + 1, period.end)
    ]
    return until[1] - until[0]


def rows_by_hand(
    experiment: Experiment, params: dict[str, Any], prices: Prices, periods: list[Period], split: str = "train"
) -> list[dict[str, float]]:
    path = bar_by_bar(experiment, params, prices, split)
    earned = [earned_by_hand(path, period, experiment, params, prices, split) for period in periods]
    return [metrics_by_hand(path, period, experiment, fees) for period, fees in zip(periods, earned, strict=True)]


def objective_by_hand(experiment: Experiment, rows: list[dict[str, float]], whole: dict[str, float]) -> float:
    objective = experiment.objective
    sums = np.array([sum(weight * row[name] for name, weight in objective.terms) for row in rows])
    tau = objective.softmin_temperature
    aggregated = {"mean": sums.mean(), "softmin": -tau * math.log(np.exp(-sums / tau).mean())}[objective.aggregate]
    short = [max(least - whole[name], 0.0) / (abs(least) or 1.0) for name, least in objective.constraints]
    return aggregated - objective.constraint_penalty * sum(short)


@pytest.mark.parametrize("case", list(CASES))
def test_every_period_is_a_slice_of_the_full_path(case: str) -> None:
    table = CASES[case]
    experiment = experiment_of(**table, aggregate="softmin", softmin_temperature=3.0)
    params, prices = params_of(table["rule"], table["n_tokens"]), prices_of(table["n_tokens"])
    evaluator = Evaluator(experiment, prices)
    shape = evaluator.planner.objective_shape(WINDOW.n_bars)
    assert len(shape.periods) == 4
    assert any(period.first % CHUNK for period in shape.periods)
    plan, _ = evaluator.planner.plan(evaluator.splits["train"][0], WINDOW.n_bars, (), objective=shape)
    assert plan.path is {"fees at every bar": Path.FEES, "cow": Path.FEES}.get(case) or plan.path.value == case

    found = evaluator.evaluate(experiment.initial_parameters(params))["train"]
    *rows, whole = rows_by_hand(experiment, params, prices, [*shape.periods, Period(0, WINDOW.n_bars)])
    for name in table["terms"]:
        column = [row[name] for row in rows]
        stored = [found[f"{name}.period_{index}"] for index in (1, 2, 3, 4)]
        # Sums over a hundred bars of what rounds at 1e-16 of the value, some of which all but cancel.
        assert stored == pytest.approx(column, rel=1e-9, abs=1e-12), name
        assert found[f"{name}.mean"] == pytest.approx(np.mean(column), rel=1e-9, abs=1e-12)
        assert found[f"{name}.std"] == pytest.approx(np.std(column), rel=1e-8, abs=1e-12)
        assert found[f"{name}.worst"] == min(stored)
    still = {name for name in table["terms"] if found[f"{name}.std"] < 1e-6}
    assert still == table.get("still", set()), "all other metrics are to differ between periods"
    assert found["returns"] == pytest.approx(whole["returns"], rel=1e-9)
    assert found[table["terms"][0]] == pytest.approx(whole[table["terms"][0]], rel=1e-9)
    assert found[OBJECTIVE] == pytest.approx(objective_by_hand(experiment, rows, whole), rel=1e-9)


# Splits, dates, seeds


def test_dated_periods_and_the_splits_that_have_none() -> None:
    """On data that begins at half past seven and is cut before training."""
    source = random_prices(WINDOW, 2, 5)
    prices = Prices(source.times + np.timedelta64(450, "m"), source.prices, source.tokens, source.bar_minutes)
    march = functools.partial(datetime, 2021, 3, tzinfo=UTC)
    dates = [(march(5, 5, 30), march(8)), (march(6, 12, 10), march(9, 3, 40)), (march(7), march(9, 12))]
    experiment = experiment_of(
        "momentum",
        2,
        ("returns", "turnover", "daily_sharpe"),
        periods=dates,
        constraints={"returns": 0.2, "turnover": -1e3},
        constraint_penalty=7.0,
        splits={
            "train_start": dates[0][0],
            "train_end": dates[-1][1],
            "validation_end": march(12),
            "test_end": march(14, 12),
        },
    )
    evaluator = Evaluator(experiment, prices)
    assert prices.times[0] < evaluator.prices.times[0] < np.datetime64("2021-03-05T05:30")
    stamps = prices.times[prices.times >= np.datetime64("2021-03-05T05:30")]
    inside = [
        np.flatnonzero(
            (stamps >= np.datetime64(begin.replace(tzinfo=None))) & (stamps < np.datetime64(end.replace(tzinfo=None)))
        )
        for begin, end in dates
    ]
    n_bars = evaluator.splits["train"][1]
    periods = evaluator.planner.objective_shape(n_bars).periods
    assert [list(range(period.first, period.end)) for period in periods] == [bars.tolist() for bars in inside]

    params = params_of("momentum", 2)
    raw = experiment.initial_parameters(params)
    found = evaluator.evaluate(raw)
    for split, (_, length) in evaluator.splits.items():
        own = list(periods) if split == "train" else [Period(0, length)]
        *rows, whole = rows_by_hand(experiment, params, prices, [*own, Period(0, length)], split)
        assert found[split][OBJECTIVE] == pytest.approx(objective_by_hand(experiment, rows, whole), rel=1e-9)
        assert whole["returns"] < 0.2, "the constraint is to be broken"
        # What is stored of periods is stored where there are several.
        assert ("returns.period_1" in found[split]) == (split == "train")
        if split == "train":
            assert found[split]["returns.period_2"] == pytest.approx(rows[1]["returns"], rel=1e-9)
    alone = evaluator.evaluate(raw, (OBJECTIVE,))
    assert [list(table) for table in alone.values()] == [[OBJECTIVE]] * 3
    for split, table in alone.items():
        assert table[OBJECTIVE] == pytest.approx(found[split][OBJECTIVE], rel=1e-12)


def test_random_periods_follow_the_seed_of_the_study() -> None:
    experiment, prices = experiment_of(**CASES["hold"], n_random_periods=5), prices_of(3)
    first, again, other = (
        Evaluator(study, prices).planner.objective_shape(WINDOW.n_bars)
        for study in (experiment, experiment, experiment.override(["seed=1"]))
    )
    assert first == again
    assert first.periods[:3] == other.periods[:3]
    assert first.periods[3:] != other.periods[3:]


def test_periods_that_do_not_fit_are_refused_before_anything_runs() -> None:
    prices = prices_of(3)
    many = Evaluator(experiment_of(**CASES["hold"], n_periods=300), prices)
    with pytest.raises(WindowError, match=r"objective\.n_periods = 300 leaves 1\.9\d* of 403 bars"):
        many.evaluate(many.experiment.initial_parameters(None))
    begin = FIRST + timedelta(days=6)
    short = Evaluator(experiment_of(**CASES["hold"], periods=[(begin, begin + timedelta(minutes=30))]), prices)
    with pytest.raises(WindowError, match=r"objective\.periods: 2021-03-07 00:00 to .* 00:30 has fewer than two bars"):
        short.evaluate(short.experiment.initial_parameters(None))


# Gradients


@functools.partial(jax.jit, static_argnums=0)
def _value_and_grad(plan: Any, sets: dict[str, jax.Array], *arguments: Any) -> Any:
    def objective(params: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(evaluate_windows(plan, params, *arguments)[OBJECTIVE])

    return jax.lax.map(jax.value_and_grad(objective), sets)


@pytest.mark.parametrize("fees", [{}, {"swap_fee": 0.003, "noise_trader_ratio": 0.5}], ids=["closed_form", "fees"])
def test_gradient_of_an_objective_is_that_of_finite_differences(fees: dict[str, float]) -> None:
    experiment = experiment_of(
        "momentum",
        2,
        ("daily_log_sharpe", "turnover"),
        fees=fees,
        aggregate="softmin",
        softmin_temperature=0.5,
        constraints={"returns": 0.1, "returns_over_hodl": -0.5, "turnover": -0.02},
    )
    evaluator = Evaluator(experiment, prices_of(2))
    start, n_bars = evaluator.splits["train"]
    plan, starts = evaluator.planner.plan(start, n_bars, (), objective=evaluator.planner.objective_shape(n_bars))
    assert plan.path is (Path.FEES if fees else Path.CLOSED_FORM)
    base, step = stacked(evaluator, params_of("momentum", 2)), 1e-4
    moves = [("log_k", 0), ("log_k", 1), ("logit_lamb", 0), ("logit_lamb", 1)]
    sets = {name: np.repeat(rows, 1 + 2 * len(moves), axis=0) for name, rows in base.items()}
    for row, (name, at) in enumerate(moves):
        sets[name][1 + 2 * row, at] += step
        sets[name][2 + 2 * row, at] -= step
    values, gradients = _value_and_grad(plan, evaluator.arrays(sets, 2), evaluator.market, evaluator.rates, starts)
    slopes = np.asarray(values[1::2] - values[2::2]) / (2 * step)
    assert np.abs(slopes).min() > 1e-3
    # Ratios of a few daily returns to their deviation round at 1e-10; with a shorter step that shows.
    assert [float(gradients[name][0, at]) for name, at in moves] == pytest.approx(slopes.tolist(), rel=4e-6)
