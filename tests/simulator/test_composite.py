"""Composite pools: pools that hold shares of pools, against the plain reference run on the subsidiaries' values."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pool_support import (
    FEES,
    HALF_HOURS,
    along_coordinates,
    bar_by_bar,
    drawn_params,
    expected,
    make_experiment,
    prices_of,
    random_prices,
    stacked,
)

from quantsim import Evaluator, Experiment, Prices, simulate
from quantsim.errors import ConfigError

POOL = {"tokens": ["BTC", "pair"]}
PAIR = {"tokens": ["ETH", "XRP"], "rule": "momentum"}


def composite(pair: dict[str, Any] | None = None, rule: str = "momentum", **tables: Any) -> Experiment:
    tables = {"pool": POOL, "subsidiaries": {"pair": {**PAIR, **(pair or {})}}, **tables}
    return make_experiment(rule, 3, HALF_HOURS, **tables)


def share_prices(experiment: Experiment, params: dict[str, Any], prices: Prices) -> np.ndarray:
    """The value of the subsidiary as a pool of its own, from the first bar of the data on, by the plain loops."""
    part = dict(experiment.subsidiaries)["pair"]
    layout = dataclasses.replace(HALF_HOURS, history=0, n_bars=prices.n_bars)
    columns = [prices.tokens.index(token) for token in part.tokens]
    alone = make_experiment(
        part.rule or "",
        2,
        layout,
        fees=part.fees.model_dump(exclude={"rule"}),
        tokens=part.tokens,
        pool={"initial_value_usd": 1.0},
    )
    own = {name.removeprefix("pair."): value for name, value in params.items() if name.startswith("pair.")}
    return expected(alone, own, prices_of(layout, prices.prices[:, columns], part.tokens)).value


@pytest.mark.parametrize("outer", ["zero", "fee"])
@pytest.mark.parametrize("inner", ["zero", "fee"])
@pytest.mark.parametrize("rule", ["balancer", "momentum"])
def test_the_price_of_a_share_is_the_value_of_its_pool(rule: str, inner: str, outer: str) -> None:
    experiment = composite({"rule": rule, "fees": FEES[inner]}, fees=FEES[outer])
    params, prices = drawn_params(experiment, 6), random_prices(HALF_HOURS, 3, 6)
    evaluator = Evaluator(experiment, prices)
    share = share_prices(experiment, params, evaluator.prices)
    begin = prices.n_bars - evaluator.prices.n_bars
    held = np.stack([prices.prices[:, 0], np.concatenate([np.ones(begin), share])], axis=1)
    plain = make_experiment("momentum", 2, HALF_HOURS, fees=FEES[outer], tokens=("BTC", "pair"))
    own = {name: value for name, value in params.items() if not name.startswith("pair.")}
    wanted = expected(plain, own, prices_of(HALF_HOURS, held, ("BTC", "pair")))
    found = bar_by_bar(experiment, params, prices)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-10)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)
    first = evaluator.splits["train"][0]
    np.testing.assert_allclose(found.prices[:, 1], share[first : first + HALF_HOURS.n_bars], rtol=1e-10)


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_gradients_reach_the_parameters_of_the_subsidiary(fees: str) -> None:
    experiment = composite({"fees": FEES[fees]}, fees=FEES[fees])
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 3, 3))
    names = sorted(experiment.trainable)
    assert names == ["log_k", "logit_lamb", "pair.log_k", "pair.logit_lamb"]
    sets = stacked(evaluator, drawn_params(experiment, 3, strength=0.5))
    found, slopes = along_coordinates(evaluator, sets, [(name, 0) for name in names], 1e-5)
    np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-6 * np.abs(found).max())
    assert (found != 0).all()


def test_the_closed_form_serves_a_composite_pool() -> None:
    experiment = composite()
    evaluator = Evaluator(experiment, random_prices(HALF_HOURS, 3, 8))
    first, n_bars = evaluator.splits["train"]
    raw = experiment.initial_parameters(drawn_params(experiment, 8))
    both = [
        evaluator.evaluate_at(raw, [first], n_bars, ["returns", "daily_log_sharpe"], path=path)
        for path in ("closed_form", "per_bar")
    ]
    for name in ("returns", "daily_log_sharpe"):
        np.testing.assert_allclose(both[0][name], both[1][name], rtol=1e-10)


def test_pools_of_pools_of_pools() -> None:
    tables = {
        "pool": {"tokens": ["inner", "BTC"]},
        "subsidiaries": {
            "inner": {"tokens": ["LTC", "core"], "rule": "balancer"},
            "core": {"tokens": ["ETH", "XRP"], "rule": "hodl"},
        },
    }
    experiment = make_experiment("balancer", 4, HALF_HOURS, **tables)
    assert [view.group for view in experiment.pools] == ["core", "inner", ""]
    result = simulate(experiment, None, random_prices(HALF_HOURS, 4, 2))
    assert result.tokens == ("inner", "BTC")
    np.testing.assert_allclose(result.weights, 0.5)
    assert set(result.params) == {f"{group}initial_weights_logits" for group in ("", "inner.", "core.")}


def test_a_pool_may_hold_some_of_the_tokens_in_its_own_order() -> None:
    prices = random_prices(HALF_HOURS, 3, 5)
    some = make_experiment("momentum", 3, HALF_HOURS, pool={"tokens": ["XRP", "BTC"]})
    plain = make_experiment("momentum", 2, HALF_HOURS, tokens=("XRP", "BTC"))
    params = drawn_params(plain, 5)
    np.testing.assert_allclose(
        bar_by_bar(some, params, prices).value, bar_by_bar(plain, params, prices).value, rtol=1e-13
    )


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"pool": {"tokens": ["BTC", "pairs"]}}, "'pairs' is neither a token.*did you mean 'pair'"),
        ({"pool": {"tokens": ["BTC", "ETH"]}}, "subsidiaries.pair is not held by any pool"),
        ({"subsidiaries": {"pair": {"tokens": ["ETH", "pair"], "rule": "hodl"}}}, "cycle: pair holds pair"),
        ({"subsidiaries": {"XRP": {"tokens": ["ETH", "BTC"], "rule": "hodl"}}}, "subsidiaries.XRP.*another name"),
        ({"subsidiaries": {"pair": {"tokens": ["ETH", "XRP"], "rule": "index_market_cap"}}}, "oracle"),
        ({"subsidiaries": {"pair": {"tokens": ["ETH", "XRP"]}}}, r"subsidiaries\.pair: set either rule or ensemble"),
        (
            {"subsidiaries": {"pair": {**PAIR, "rule": "momentun"}}},
            r"subsidiaries\.pair\.rule: .*did you mean 'momentum'",
        ),
    ],
)
def test_invalid_composite_pools_are_refused(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        composite(**tables)
