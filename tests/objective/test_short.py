"""Warnings about periods with too few returns for a ratio."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from quantsim.errors import WindowError
from quantsim.objective import check_defined, objective_shape, short_periods, short_split, warn_once
from quantsim.objective.settings import Objective


@pytest.mark.parametrize(
    ("metric", "n_periods", "days", "bars_per_day", "returns"),
    [
        ("daily_sortino", 15, 90, 24, 5),
        ("daily_log_sharpe", 9, 90, 24, 9),
        ("daily_sortino", 8, 90, 24, None),  # periods of eleven days and six hours have eleven returns
        ("sortino", 15, 90, 24, None),  # a return for every bar
        ("sortino", 15, 90, 1, 5),
        ("calmar", 15, 90, 1, 5),
        ("calmar", 3, 90, 24, None),
        ("returns", 30, 90, 1, None),  # no ratio
        ("daily_sharpe", 90, 90, 24, None),  # none at all: nan, which fails
        ("daily_sortino", 1, 6, 24, None),  # one period is not combined with others
    ],
)
def test_periods(metric: str, n_periods: int, days: int, bars_per_day: int, returns: int | None) -> None:
    objective = Objective(metric=metric, n_periods=n_periods)
    shape = objective_shape(objective, days * bars_per_day, seed=0)
    text = short_periods(objective, shape, bars_per_day)
    if returns is None:
        assert text is None
    else:
        assert text is not None
        assert text.startswith(
            f"objective.n_periods = {n_periods}: {metric} of a period of {days / n_periods:.3g} days "
        )
        assert f"{returns} returns" in text
        assert "its bound, 100" in text


def test_a_return_of_a_few_days_compounded_to_a_year() -> None:
    objective = Objective(metric="calmar", n_periods=30)
    text = str(short_periods(objective, objective_shape(objective, 90 * 24, seed=0), 24))
    assert text.startswith(
        "objective.n_periods = 30: calmar of a period of 3 days compounds the return to a year, to the power of 122"
    )
    assert short_split(objective, "validation", 3 * 24, 24) is None, "there it is not combined with others"


def test_training_takes_the_mean_over_windows_of_one_period() -> None:
    objective = Objective(metric="daily_sortino", bout_offset_days=80.0)
    shape = objective_shape(objective, 6, seed=0)
    assert short_periods(objective, shape, 1) is None
    text = str(short_periods(objective, shape, 1, several_windows=True))
    assert text.startswith(
        "periods.train_end, less objective.bout_offset_days: daily_sortino of a period of 6 days rests on 5"
    )


def test_weighted_terms_and_splits() -> None:
    objective = Objective(metric="returns", weights={"daily_sortino": 0.1}, n_periods=10)
    assert "daily_sortino of a period" in str(short_periods(objective, objective_shape(objective, 60, seed=0), 1))
    assert str(short_split(objective, "validation", 5 * 24, 24)).startswith(
        "periods.validation_end: daily_sortino on 5 days of validation data rests on 4 returns"
    )
    assert short_split(objective, "test", 11 * 24, 24) is None
    assert str(short_split(objective, "validation", 24, 24)).startswith(
        "periods.validation_end: daily_sortino is undefined on 1 days of validation data, so it is nan"
    )


@pytest.mark.parametrize(
    ("table", "n_bars", "message"),
    [
        (
            {"n_periods": 5},
            20,
            r"^objective\.n_periods = 5: daily_log_sharpe is undefined over 2 days, so the objective",
        ),
        ({}, 4, r"^periods\.train_end: daily_log_sharpe is undefined over 2 days"),
        ({"bout_offset_days": 8.0}, 4, r"^periods\.train_end, less objective\.bout_offset_days: daily_log_sharpe"),
        ({"metric": "returns", "weights": {"sterling": 1.0}}, 58, "sterling is undefined over 29 days"),
    ],
)
def test_a_metric_undefined_for_every_set_is_refused(table: dict[str, Any], n_bars: int, message: str) -> None:
    objective = Objective(**table)
    with pytest.raises(WindowError, match=message):
        check_defined(objective, objective_shape(objective, n_bars, seed=0), 2)
    check_defined(objective, objective_shape(objective, 3 * n_bars, seed=0), 2)


def test_a_text_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, "quantsim"):
        for text in ("one", "one", "two", "one"):
            warn_once(text)
    assert [record.message for record in caplog.records] == ["one", "two"]
