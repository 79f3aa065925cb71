"""Noise traders of elastic volume in the simulation: a plain loop, look-ahead, gradients, draws, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pool_reference as reference
import pytest
from pool_support import (
    HALF_HOURS,
    bar_by_bar,
    make_experiment,
    prices_of,
    random_params,
    random_prices,
    reference_market,
)

from quantsim import Evaluator, Experiment, Prices
from quantsim.errors import ConfigError
from quantsim.robustness import Variations
from quantsim.robustness.costs import cost_names
from quantsim.simulator import simulate_on
from quantsim.simulator.attribution import TERMS, attribute
from quantsim.volume import VolumeModel

HOURS = (np.arange(24) / 11.5).tolist()
MODEL: dict[str, Any] = {
    "usd_per_day": 3e6,
    "tvl_elasticity": 0.6,
    "fee_elasticity": 1.3,
    "volatility_elasticity": 0.5,
    "volatility_days": 1.0,
    "hours": HOURS,
}
ELASTIC: dict[str, Any] = {"swap_fee": 0.004, "protocol_fee_split": 0.25, "volume": "elastic", "volume_model": MODEL}


def growth_of(experiment: Experiment, market: reference.Market) -> Any:
    """The factor of a pool's reserves between two visits, in 400 small steps, from the definitions alone."""
    fees, model, bars = experiment.fees, experiment.fees.volume_model, round(1440 / market.bar_minutes)
    assert model is not None
    hours = model.hours or (1.0,) * 24
    logs = np.log(market.prices)

    def factor(bar: int, value: float) -> float:
        at, fee = market.start + bar, float(np.broadcast_to(market.swap_fee, market.n_bars)[bar])
        window = np.diff(logs[max(0, at - round(model.volatility_days * bars)) : at + 1], axis=0)
        pairs = itertools.combinations(range(logs.shape[1]), 2)
        variance = np.mean([np.mean((window[:, i] - window[:, j]) ** 2) for i, j in pairs]) * bars
        minutes = (
            (at + 1) * market.bar_minutes - market.bar_minutes + np.arange(market.arb_frequency * market.bar_minutes)
        )
        days = sum(hours[int(minute) // 60 % 24] for minute in minutes) / 1440
        rate = (
            model.usd_per_day
            * np.exp(-model.fee_elasticity * (fee / model.reference_fee - 1))
            * (np.sqrt(variance) / model.reference_volatility) ** model.volatility_elasticity
        )
        held, n_steps = value, 400
        step = fee * (1 - fees.protocol_fee_split) * rate * days / n_steps
        for _ in range(n_steps):
            middle = held + 0.5 * step * (held / 1e6) ** model.tvl_elasticity
            held += step * (middle / 1e6) ** model.tvl_elasticity
        return held / value

    return factor


@pytest.mark.parametrize(
    ("n_tokens", "pool", "changes"),
    [
        (2, {}, {}),
        (3, {"arb_frequency": 7}, {}),
        (2, {"trading_minutes": 120}, {"tvl_elasticity": 1.0}),
        (3, {}, {"tvl_elasticity": 1.3, "hours": ()}),
    ],
)
def test_the_pool_equals_a_plain_loop(n_tokens: int, pool: dict[str, Any], changes: dict[str, Any]) -> None:
    fees = {**ELASTIC, "volume_model": {**MODEL, **changes}}
    experiment = make_experiment("momentum", n_tokens, HALF_HOURS, fees=fees, pool=pool)
    prices, params = random_prices(HALF_HOURS, n_tokens, 3), random_params("momentum", HALF_HOURS, n_tokens, 3)
    market = reference_market(experiment, params, prices)
    wanted = reference.run(dataclasses.replace(market, growth=growth_of(experiment, market)))
    found = bar_by_bar(experiment, params, prices)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-9)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)
    np.testing.assert_allclose(found.fee_revenue, wanted.fee_revenue, rtol=1e-6)
    without = make_experiment("momentum", n_tokens, HALF_HOURS, fees={"swap_fee": 0.004}, pool=pool)
    plain = bar_by_bar(without, params, prices)
    assert found.value[-1] > 1.005 * plain.value[-1], "the case is to show noise"


def test_a_fee_that_varies_acts_from_its_bar_on() -> None:
    fees = {**ELASTIC, "swap_fee": 0.0}
    experiment = make_experiment("momentum", 2, HALF_HOURS, fees=fees, series={"swap_fee": "given"})
    prices, params = random_prices(HALF_HOURS, 2, 4), random_params("momentum", HALF_HOURS, 2, 4)
    series = np.random.default_rng(4).choice([0.001, 0.004, 0.01], HALF_HOURS.total)
    market = reference_market(experiment, params, prices)
    market = dataclasses.replace(market, swap_fee=series[HALF_HOURS.history :])
    wanted = reference.run(dataclasses.replace(market, growth=growth_of(experiment, market)))
    found = bar_by_bar(experiment, params, prices, series={"swap_fee": series})
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-9)
    np.testing.assert_allclose(found.fee_revenue, wanted.fee_revenue, rtol=1e-6)


@pytest.fixture(scope="module")
def evaluators() -> dict[str, Evaluator]:
    """One small study in two scan modes, with the fee as a parameter."""
    fees = {key: value for key, value in ELASTIC.items() if key != "swap_fee"}
    experiment = make_experiment("balancer", 2, HALF_HOURS, fees=fees, parameters={"swap_fee": 0.004})
    prices = random_prices(HALF_HOURS, 2, 5)
    return {mode: Evaluator(experiment, prices, scan_mode=mode) for mode in ("kernel", "sequential")}  # type: ignore[arg-type]


def test_paths_agree_and_gradients_equal_finite_differences(evaluators: dict[str, Evaluator]) -> None:
    found = {}
    for mode, evaluator in evaluators.items():
        raw, step = evaluator.experiment.initial_parameters(), 1e-5
        name, (first, n_bars) = "logit_swap_fee", evaluator.splits["train"]
        rows = {key: np.stack([value] * 3) for key, value in raw.items()}
        rows[name] = rows[name] + np.array([[0.0], [step], [-step]])
        values, gradients = evaluator.value_and_grad(rows, [first], n_bars, "fee_revenue_over_value")
        assert gradients[name][0, 0] == pytest.approx((values[1] - values[2]) / (2 * step), rel=1e-6)
        assert gradients[name][0, 0] != 0
        found[mode] = values[0], gradients[name][0, 0]
    assert found["kernel"] == pytest.approx(found["sequential"], rel=1e-10)


def test_nothing_depends_on_later_prices(evaluators: dict[str, Evaluator]) -> None:
    evaluator = evaluators["kernel"]
    prices, bar = random_prices(HALF_HOURS, 2, 5), 110
    table = prices.prices.copy()
    later = table[HALF_HOURS.history + bar + 1 :]
    later *= np.exp(0.2 * np.random.default_rng(0).standard_normal(later.shape))
    changed: Prices = prices_of(HALF_HOURS, table, prices.tokens)
    one, other = (bar_by_bar(evaluator.experiment, {}, seen) for seen in (prices, changed))
    np.testing.assert_array_equal(other.value[: bar + 1], one.value[: bar + 1])
    # Noise until the next visit is known before its price.
    assert one.noise is not None
    assert other.noise is not None
    ratio = other.noise[bar + 1] / one.noise[bar + 1]
    held = [(path.reserves[bar] * path.prices[bar + 1]).sum() for path in (one, other)]
    assert ratio == pytest.approx(held[1] / held[0], rel=1e-9)


def test_noise_is_attributed_and_terms_sum(evaluators: dict[str, Evaluator]) -> None:
    result = simulate_on(evaluators["kernel"])
    terms = attribute(result)
    total = sum(terms[name].sum() for name in TERMS)
    assert total == pytest.approx(result.value[-1] - result.value[0], rel=1e-9)
    assert terms["noise"].sum() > 0.01 * result.value[0]
    assert (terms["noise"] >= 0).all()
    assert terms["noise"].sum() + terms["fees"].sum() == pytest.approx(result.fee_revenue, rel=1e-9)
    assert (terms["arbitrage"] <= 1e-9 * result.value[0]).all()


def test_robustness_does_not_vary_gas(evaluators: dict[str, Evaluator]) -> None:
    evaluator = evaluators["kernel"]
    assert cost_names(evaluator.experiment, evaluator.rates, Variations()) == ("arb_fee",)
    fees = {"volume": "proportional", "volume_model": None}
    plain = evaluator.experiment.replace(fees=fees)
    assert "gas_cost_usd" in cost_names(plain, evaluator.rates, Variations())


def value_with(prices: Prices, **fees: Any) -> float:
    experiment = make_experiment("balancer", 2, HALF_HOURS, fees={**ELASTIC, **fees})
    return float(bar_by_bar(experiment, {}, prices).value[-1])


def test_draws_are_averaged_or_ranked_by_the_value_they_end_with() -> None:
    prices = random_prices(HALF_HOURS, 2, 5)
    draws = [[2e6, 0.6, 1.0, 0.2], [4e6, 0.9, 1.5, 0.5], [3e6, 1.0, 0.5, 0.0], [9e9, 1.0, 0.5, 0.0]]
    of_each = []
    for level, tvl, fee, volatility in draws[:3]:
        one = {"usd_per_day": level, "tvl_elasticity": tvl, "fee_elasticity": fee, "volatility_elasticity": volatility}
        of_each.append(value_with(prices, volume_model={**MODEL, **one}))
    model = {**MODEL, "draws": draws}
    mean = value_with(prices, volume_model=model, volume_draws=3)
    assert mean == pytest.approx(np.mean(of_each), rel=1e-12)
    for level in (0.0, 0.5, 1.0):
        found = value_with(prices, volume_model=model, volume_draws=3, volume_quantile=level)
        assert found == pytest.approx(np.quantile(of_each, level), rel=1e-12)


def test_hours_share_a_day_and_bars_share_hours() -> None:
    model = VolumeModel(usd_per_day=1.0, hours=tuple(HOURS))
    quarters = model.exposure(15, 15, 96)
    np.testing.assert_allclose(quarters.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(quarters.reshape(24, 4).sum(axis=1), np.array(HOURS) / 24, rtol=1e-12)
    np.testing.assert_allclose(model.exposure(0, 1440, 3), 1.0, rtol=1e-12)
    long = model.exposure(120, 180, 8)  # bars of three hours that cross midnight
    np.testing.assert_allclose(long[0], (HOURS[23] + HOURS[0] + HOURS[1]) / 24, rtol=1e-12)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "zero fee": ({"fees": {"swap_fee": 0.0}}, "fee of zero"),
    "no model": ({"fees": {"volume_model": None}}, "needs volume_model"),
    "both kinds of noise": ({"fees": {"noise_trader_ratio": 1.0}}, "noise_trader_ratio"),
    "gas": ({"fees": {"gas_cost_usd": 1.0}}, "gas_cost_usd"),
    "another pool": ({"pool": {"type": "batch"}}, "weighted pools"),
    "no arbitrage": ({"pool": {"do_arb": False}}, "do_arb"),
    "swaps": ({"series": {"trades": "given"}}, "series.trades"),
    "too many draws": ({"fees": {"volume_draws": 3}}, "volume_draws = 3"),
    "a quantile of nothing": ({"fees": {"volume_quantile": 0.5}}, "volume_quantile"),
    "a model without use": ({"fees": {"volume": "proportional"}}, "volume_model is for"),
    "hours": ({"fees": {"volume_model": {**MODEL, "hours": [1.0] * 23}}}, "23 values"),
    "hours that are no shares": ({"fees": {"volume_model": {**MODEL, "hours": [2.0] * 24}}}, "mean 2"),
    "reversed time": ({"sgd": {"time_reversed": True}}, "time_reversed"),
    "a guess": (
        {"fees": {"swap_fee": 0.0, "volume_model": {**MODEL, "fee_is_identified": False}}, "parameters": {"swap_fee": 0.01}},
        "volume_prior_decides",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_apply_is_refused(case: str) -> None:
    tables, message = REFUSED[case]
    fees = {**ELASTIC, **tables.get("fees", {})}
    others = {name: table for name, table in tables.items() if name != "fees"}
    with pytest.raises(ConfigError, match=message):
        make_experiment("balancer", 2, HALF_HOURS, fees=fees, **others)


def test_a_subsidiary_is_refused_and_a_trusted_prior_is_not() -> None:
    part = {"tokens": ["ETH", "XRP"], "rule": "balancer", "fees": ELASTIC}
    with pytest.raises(ConfigError, match="main pool"):
        make_experiment("balancer", 3, HALF_HOURS, pool={"tokens": ["BTC", "part"]}, subsidiaries={"part": part})
    fees = {**ELASTIC, "swap_fee": 0.0, "volume_prior_decides": True}
    fees["volume_model"] = {**MODEL, "fee_is_identified": False}
    assert make_experiment(
        "balancer", 2, HALF_HOURS, fees=fees, parameters={"swap_fee": 0.01}
    ).fees.volume_prior_decides


def test_a_file_becomes_part_of_the_study(tmp_path: Path) -> None:
    table = make_experiment("balancer", 2, HALF_HOURS, fees=ELASTIC)
    (tmp_path / "volume.json").write_text(json.dumps({"volume_model": MODEL}))
    values = table.model_dump(mode="json")
    values["fees"]["volume_model"] = "volume.json"
    named = Experiment.from_dict(values, base=tmp_path)
    assert named.fees == table.fees
    assert named.identity == table.identity
    other = make_experiment(
        "balancer", 2, HALF_HOURS, fees={**ELASTIC, "volume_model": {**MODEL, "fee_elasticity": 2.0}}
    )
    assert other.identity != table.identity
    for text, message in (("{", "is not JSON"), ("{}", "no table volume_model")):
        (tmp_path / "volume.json").write_text(text)
        with pytest.raises(ConfigError, match=message):
            Experiment.from_dict(values, base=tmp_path)
    with pytest.raises(ConfigError, match="fit-volume"):
        Experiment.from_dict(values, base=tmp_path / "nowhere")
