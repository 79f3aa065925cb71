"""Fits of elastic volume: synthetic truth is recovered, intervals cover, and what the data does not tell is said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import quantsim
from quantsim.errors import ConfigError, PriceError, StatisticsError
from quantsim.volume.fit import PRIORS, fit_volume
from quantsim.volume.history import read_history
from quantsim.volume.regression import regress

KNOWN = {"usd_per_day": 2e5, "tvl_elasticity": 0.7, "fee_elasticity": 1.2, "volatility_elasticity": 0.4}


def table_of(histories: Any, seed: int = 0, known: dict[str, float] = KNOWN, **case: Any) -> pd.DataFrame:
    table: pd.DataFrame = histories.history(histories.Case(**case), known, seed)
    return table


def test_the_truth_is_recovered_without_errors_and_days_without_volume_lower_the_level(histories: Any) -> None:
    table = table_of(histories, deviation=1e-4, days=200)
    fit = fit_volume(table)
    wanted = histories.at_references(KNOWN, fit)
    for name, value in wanted.items():
        assert fit.estimates[name].value == pytest.approx(value, rel=1e-2)
        assert fit.estimates[name].is_identified
    at_references = (
        np.exp(-1.2 * (fit.model.reference_fee / 0.003 - 1)) * (fit.model.reference_volatility / 0.04) ** 0.4
    )
    assert fit.model.usd_per_day == pytest.approx(2e5 * at_references, rel=1e-2)
    assert fit.notes == ()
    table.loc[10::4, "volume_usd"] = 0.0
    empty = fit_volume(table)
    traded = 1 - empty.n_zero / empty.n_days
    assert 0.7 < traded < 0.8
    assert empty.model.usd_per_day == pytest.approx(traded * fit.model.usd_per_day, rel=0.02)


def test_intervals_hold_the_truth_and_left_out_days(histories: Any) -> None:
    """Errors are correlated, heteroscedastic and heavy-tailed. The benchmark has more histories, and longer ones."""
    held, covered = [], []
    for seed in range(12):
        known = histories.truth(seed)
        fit = fit_volume(table_of(histories, seed, known, days=100, changes=3))
        wanted = histories.at_references(known, fit)
        held += [fit.estimates[name].low <= value <= fit.estimates[name].high for name, value in wanted.items()]
        covered.append(fit.coverage)
        assert 0.3 < fit.correlation < 0.95
    assert 0.85 <= np.mean(covered) <= 0.95
    assert 0.8 <= np.mean(held) <= 1.0


def test_the_regression_is_least_squares_of_the_whitened_data() -> None:
    generator, n = np.random.default_rng(1), 300
    days = np.sort(generator.choice(np.arange(400), n, replace=False))
    rows = np.stack([np.ones(n), generator.standard_normal(n)], axis=1)
    every = np.zeros(400)
    for day in range(1, 400):
        every[day] = 0.7 * every[day - 1] + generator.standard_normal()
    values = rows @ [1.0, 2.0] + every[days]
    found = regress(rows, values, days, np.zeros(2), np.full(2, 1e4))
    assert found.correlation == pytest.approx(0.7, abs=0.1)
    covariance = found.correlation ** np.abs(days[:, None] - days)  # of the errors of any two days
    inverse = np.linalg.inv(covariance)
    wanted = np.linalg.solve(rows.T @ inverse @ rows, rows.T @ inverse @ values)
    np.testing.assert_allclose(found.mean, wanted, atol=2e-3)
    variance = (1 - found.correlation**2) ** -1.0 * np.linalg.inv(rows.T @ inverse @ rows)
    np.testing.assert_allclose(np.diag(found.covariance), np.diag(variance), rtol=0.35)
    # A strong prior decides, and a regressor that never changes leaves its prior.
    strong = regress(rows, values, days, np.array([0.0, 5.0]), np.array([1e4, 1e-6]))
    assert strong.mean[1] == pytest.approx(5.0, abs=1e-3)
    constant = regress(
        np.column_stack([rows, np.zeros(n)]), values, days, np.array([0.0, 0.0, 3.0]), np.array([9.0, 9.0, 2.0])
    )
    assert constant.mean[2] == pytest.approx(3.0)
    assert constant.covariance[2, 2] == pytest.approx(4.0)


def test_a_fee_that_never_changed_is_said_and_not_trained(histories: Any, tmp_path: Path) -> None:
    fit = fit_volume(table_of(histories, days=80, changes=0), draws=4)
    mean, _ = PRIORS["fee_elasticity"]
    assert not fit.model.fee_is_identified
    assert fit.estimates["fee_elasticity"].from_data == pytest.approx(0.0, abs=1e-9)
    assert fit.estimates["fee_elasticity"].value == pytest.approx(mean, abs=0.4)
    assert any("The fee never changed (0.003)" in note for note in fit.notes)
    fit.write(tmp_path / "volume.json")
    study = quantsim.Experiment.load("momentum_fees")
    fees = {"volume": "elastic", "volume_model": str(tmp_path / "volume.json"), "volume_draws": 4}
    assert study.replace(fees=fees).fees.volume_model == fit.model  # a fixed fee can be simulated
    with pytest.raises(ConfigError, match="volume_prior_decides"):
        study.replace(fees={**fees, "swap_fee": 0.0}, parameters={"swap_fee": 0.003})


def test_equal_seeds_give_equal_draws_and_more_draws_go_on(histories: Any) -> None:
    table = table_of(histories, days=60, changes=1)
    one, again, more, other = (
        fit_volume(table, **options) for options in ({"draws": 8}, {"draws": 8}, {"draws": 16}, {"draws": 8, "seed": 1})
    )
    assert json.dumps(one.to_json()) == json.dumps(again.to_json())
    assert more.model.draws[:8] == one.model.draws
    assert other.model.draws != one.model.draws
    values = np.array(more.model.draws)
    assert (values > 0).all(axis=0)[[0, 2]].all()
    assert any("The fee has two values" in note for note in one.notes)


def test_gaps_volatility_and_arbitrage_are_taken_from_the_table(histories: Any, tmp_path: Path) -> None:
    table = table_of(histories, days=60)
    table["arbitrage_volume_usd"] = 0.25 * table["volume_usd"]
    whole = read_history(table)
    np.testing.assert_allclose(whole.volume, 0.75 * table["volume_usd"].to_numpy()[-whole.volume.size :])
    np.testing.assert_array_equal(whole.tvl, table["tvl_usd"].to_numpy()[-whole.tvl.size - 1 : -1])
    squares = table["volatility"].to_numpy()[-8:-1] ** 2
    assert whole.volatility is not None
    assert whole.volatility[-1] == pytest.approx(np.sqrt(squares.mean()))
    returns = np.concatenate([[0.0], table["volatility"].to_numpy()[1:] * np.where(np.arange(59) % 2, 1, -1)])
    by_price = table.drop(columns="volatility").assign(price_ratio=np.exp(np.cumsum(returns)))
    found = read_history(by_price).volatility
    assert found is not None
    np.testing.assert_allclose(found[3:], whole.volatility[-found.size :][3:])  # the first day has no return
    table.drop(index=[30, 31]).sample(frac=1, random_state=0).to_csv(tmp_path / "days.csv", index=False)
    gaps = read_history(tmp_path / "days.csv")
    assert gaps.n_missing == 3  # and the day after, which lacks the value of the day before
    assert set(whole.days) - set(gaps.days) == {whole.days[0] - 4 + 30 + shift for shift in range(3)}


def test_hours_are_summed_to_days_and_give_the_profile() -> None:
    times = pd.date_range("2024-01-01", periods=24 * 20, freq="h")
    profile = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(24) / 24)
    table = pd.DataFrame({"volume_usd": 1e4 * np.tile(profile, 20), "tvl_usd": 1e6, "swap_fee": 0.003}, index=times)
    found = read_history(table)
    assert found.days.size == 19  # without the first, whose value of the day before is unknown
    np.testing.assert_allclose(found.volume, 24e4)
    np.testing.assert_allclose(found.hours, profile, rtol=1e-9)
    partial = read_history(table.drop(index=times[100]))
    assert partial.n_missing == 2


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "percent": ({"swap_fee": 0.3}, "is not a share"),
    "millions": ({"tvl_usd": 2.0, "volume_usd": 1.0}, "not thousands or millions"),
    "wei": ({"volume_usd": 1e24}, "give both in USD"),
    "annual volatility": ({"volatility": 0.8}, "per square root of a day"),
    "a negative volume": ({"volume_usd": -1.0}, "at least 0"),
    "no value": ({"tvl_usd": 0.0}, "above 0"),
    "more arbitrage than volume": ({"arbitrage_volume_usd": 1e9}, "larger than volume_usd"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_units_are_refused(case: str, histories: Any) -> None:
    changes, message = WRONG[case]
    with pytest.raises(PriceError, match=message):
        read_history(table_of(histories, days=40, changes=1).assign(**changes))


def test_tables_that_are_none_are_refused(histories: Any, tmp_path: Path) -> None:
    table = table_of(histories, days=40, changes=1)
    for wrong, message in (
        (table.drop(columns="swap_fee"), "no column 'swap_fee'"),
        (pd.concat([table, table.tail(1)]), "twice"),
        (table.assign(time=pd.date_range("2023-01-01", periods=40, freq="2h")), "2 hours apart"),
        (tmp_path / "nothing.csv", "is not a file"),
        ([1.0], "must be a data frame"),
        (table.assign(tvl_usd="much"), "not a number"),
    ):
        with pytest.raises(PriceError, match=message):
            fit_volume(wrong)
    with pytest.raises(StatisticsError, match="a fit needs 30"):
        fit_volume(table.head(20))
    for name, value in (("draws", 0), ("seed", -1), ("volatility_days", 400)):
        with pytest.raises(StatisticsError, match=f"{name} = {value}"):
            fit_volume(table, **{name: value})
    rising = dataclasses.replace(read_history(table))
    steep = np.where(rising.fee > rising.fee.min(), 1e4, 1.0) * (1 + 0.01 * (rising.days % 5))
    with pytest.raises(StatisticsError, match="rises with the fee"):
        fit_volume(dataclasses.replace(rising, volume=1e3 * steep))
