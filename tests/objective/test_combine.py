"""Metrics of periods, weights and constraints combined, by hand."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import pytest

from quantsim.objective import OBJECTIVE, ObjectiveShape, Period, combine, objective_shape, unit_of, violation
from quantsim.objective.settings import Objective

PERIODS = (Period(0, 10), Period(10, 10))
SHAPE = ObjectiveShape(
    terms=(("returns", 1.0), ("turnover", 0.5)),
    periods=PERIODS,
    constraints=(("max_drawdown", -0.2), ("returns_over_hodl", 0.0)),
    constraint_penalty=4.0,
)
OF_PERIODS = {"returns": jnp.array([0.3, 0.1]), "turnover": jnp.array([-0.2, -0.4])}


def test_weighted_sum_of_every_period_is_aggregated_and_penalties_follow():
    of_window = {"max_drawdown": jnp.array(-0.3), "returns_over_hodl": jnp.array(-0.05)}
    rows = [0.3 - 0.1, 0.1 - 0.2]
    penalty = 4.0 * (0.1 / 0.2 + 0.05)  # relative to 0.2, and absolute where the minimum is 0
    for kind, expected in {
        "mean": sum(rows) / 2,
        "sum": sum(rows),
        "min": rows[1],
        "quantile": -0.1 + 0.25 * 0.3,
    }.items():
        shape = dataclasses.replace(SHAPE, aggregate=kind)
        assert float(combine(shape, OF_PERIODS, of_window)) == pytest.approx(expected - penalty, rel=1e-13)
    shape = dataclasses.replace(SHAPE, aggregate="softmin", softmin_temperature=0.1)
    soft = -0.1 * math.log(0.5 * (math.exp(-2.0) + math.exp(1.0)))
    assert float(combine(shape, OF_PERIODS, of_window)) == pytest.approx(soft - penalty, rel=1e-13)


def test_constraints_that_hold_cost_nothing():
    of_window = {"max_drawdown": jnp.array(-0.2), "returns_over_hodl": jnp.array(3.0)}
    assert float(combine(SHAPE, OF_PERIODS, of_window)) == pytest.approx(0.05, rel=1e-13)


@pytest.mark.parametrize(
    ("value", "minimum", "expected", "slope"),
    [
        (-0.3, -0.2, 0.5, -5.0),  # relative to the size of a minimum, whatever its sign
        (0.5, 2.0, 0.75, -0.5),
        (-0.25, 0.0, 0.25, -1.0),  # absolute where there is no size
        (-0.1, -0.2, 0.0, 0.0),
        (-0.2, -0.2, 0.0, 0.0),  # just met
        (0.0, 0.0, 0.0, 0.0),
        (math.inf, 1.0, 0.0, 0.0),
    ],
)
def test_violation_and_its_gradient(value, minimum, expected, slope):
    found, gradient = jax.value_and_grad(violation)(value, minimum)
    assert float(found) == pytest.approx(expected, rel=1e-14)
    assert float(gradient) == pytest.approx(slope, rel=1e-14)


def test_nan_violates_a_constraint():
    assert math.isnan(violation(jnp.array(math.nan), -0.2))
    of_window = {"max_drawdown": jnp.array(math.nan), "returns_over_hodl": jnp.array(1.0)}
    assert math.isnan(combine(SHAPE, OF_PERIODS, of_window))


def test_gradient_of_the_objective_by_hand():
    of_window = {"max_drawdown": jnp.array(-0.3), "returns_over_hodl": jnp.array(0.1)}
    periods, window = jax.grad(combine, argnums=(1, 2))(SHAPE, OF_PERIODS, of_window)
    assert periods["returns"].tolist() == pytest.approx([0.5, 0.5])
    assert periods["turnover"].tolist() == pytest.approx([0.25, 0.25])
    assert float(window["max_drawdown"]) == pytest.approx(4.0 / 0.2)
    assert float(window["returns_over_hodl"]) == 0.0


def test_shape_lists_required_metrics_and_names():
    assert SHAPE.term_metrics == ("returns", "turnover")
    assert SHAPE.constraint_metrics == ("max_drawdown", "returns_over_hodl")
    assert SHAPE.period_names["turnover"] == (
        "turnover.mean",
        "turnover.std",
        "turnover.worst",
        "turnover.period_1",
        "turnover.period_2",
    )
    assert dataclasses.replace(SHAPE, periods=PERIODS[:1]).period_names == {}
    assert hash(SHAPE) == hash(dataclasses.replace(SHAPE))
    assert (unit_of(OBJECTIVE), unit_of("turnover.period_2")) == ("", unit_of("turnover")) == ("", "fraction per day")


def test_shape_of_a_study_has_its_keys_and_one_period_on_other_splits():
    objective = Objective(
        metric="daily_sharpe",
        weights={"turnover": 0.5, "daily_sharpe": 2.0},
        constraints={"max_drawdown": -0.3},
        constraint_penalty=7.0,
        n_periods=3,
        aggregate="softmin",
        softmin_temperature=0.5,
    )
    shape = objective_shape(objective, 90, seed=0)
    assert shape.terms == (("daily_sharpe", 2.0), ("turnover", 0.5))
    assert (shape.constraints, shape.constraint_penalty) == ((("max_drawdown", -0.3),), 7.0)
    assert (shape.aggregate, shape.softmin_temperature, len(shape.periods)) == ("softmin", 0.5, 3)
    assert objective_shape(objective, 91, seed=0, whole=True) == dataclasses.replace(shape, periods=(Period(0, 91),))
