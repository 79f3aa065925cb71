"""A pool of a user's file: the example of a band, by hand, by gradients, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pool_support import HALF_HOURS, along_coordinates, bar_by_bar, make_experiment, random_prices, stacked

from quantsim import Evaluator, Experiment, deployment
from quantsim.errors import ConfigError
from quantsim.metrics import metric_names
from quantsim.simulator import own_pools

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_pool.py"
BAND = f"{OWN}:band_pool"
FEES: dict[str, dict[str, float]] = {"per_bar": {}, "fees": {"swap_fee": 0.003, "protocol_fee_split": 0.25}}
PRICES = random_prices(HALF_HOURS, 2, 5)


def band(fees: dict[str, float] | None = None, **tables: Any) -> Experiment:
    pool = {"type": BAND, "rule": None, **tables.pop("pool", {})}
    return make_experiment("", 2, HALF_HOURS, fees=fees, pool=pool, **tables)


def plain_loop(relative: np.ndarray, width: float, start: float, fee: float, kept: float) -> np.ndarray:
    """Reserves of one unit of liquidity, fees included, one trade after the other; (T, 2)."""

    def held(place: float) -> np.ndarray:
        scale = relative[0] * np.exp(-width * start)
        return np.array([(1 - place) / 2, scale * (np.exp(width * place) - np.exp(-width)) / (2 * width)])

    place, fees, path = start, np.zeros(2), [held(start)]
    for price in relative[1:]:
        quoted = relative[0] * np.exp(width * (place - start))
        for limit, outside in (
            (price * (1 - fee), quoted < price * (1 - fee)),
            (price / (1 - fee), quoted > price / (1 - fee)),
        ):
            if outside:  # somebody trades until the pool quotes the market's price less the fee
                after = np.clip(start + np.log(limit / relative[0]) / width, -1.0, 1.0)
                fees = fees + np.maximum(held(after) - held(place), 0.0) * fee / (1 - fee) * kept
                place = after
        path.append(held(place) + fees)
    return np.array(path)


@pytest.mark.parametrize(("path", "width", "start"), [("per_bar", 0.03, 0.0), ("fees", 0.2, -0.5)])
def test_reserves_agree_with_a_plain_loop(path: str, width: float, start: float) -> None:
    experiment = band(FEES[path], pool={"start_at": start}, parameters={"band": width})
    found = bar_by_bar(experiment, {}, PRICES)
    prices, fees = found.prices, FEES[path]
    kept = 1.0 - fees.get("protocol_fee_split", 0.0)
    wanted = plain_loop(prices[:, 0] / prices[:, 1], width, start, fees.get("swap_fee", 0.0), kept)
    wanted *= 1e6 / (wanted[0] * prices[0]).sum()
    np.testing.assert_allclose(found.reserves, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.value, (wanted * prices).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(found.weights, wanted * prices / found.value[:, None], atol=1e-9)


@pytest.mark.parametrize("path", FEES)
def test_gradients_are_those_of_finite_differences(path: str) -> None:
    evaluator = Evaluator(band(FEES[path]), PRICES)
    found, wanted = along_coordinates(evaluator, stacked(evaluator, {"band": 0.3}), [("log_band", 0)], 1e-6)
    assert abs(wanted[0]) > 1e-6
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_it_holds_without_arbitrage_and_between_visits() -> None:
    held = bar_by_bar(band(pool={"do_arb": False}), {}, PRICES)
    assert np.ptp(held.reserves, axis=0).max() == 0.0
    rare = bar_by_bar(band(pool={"arb_frequency": 4}), {}, PRICES)
    np.testing.assert_array_equal(rare.reserves[4:8], np.broadcast_to(rare.reserves[4], (4, 2)))


def test_it_is_a_subsidiary_and_every_metric_is_computed() -> None:
    inner = {"type": BAND, "tokens": ["BTC", "ETH"], "fees": FEES["fees"]}
    composite = make_experiment(
        "momentum", 3, HALF_HOURS, pool={"tokens": ["pair", "XRP"]}, subsidiaries={"pair": inner}
    )
    assert "pair.band" in {parameter.human_name for parameter in composite.layout}
    share = bar_by_bar(composite, {"pair.band": 0.1}, random_prices(HALF_HOURS, 3, 5)).prices[:, 0]
    assert np.ptp(share) > 0.0
    evaluator = Evaluator(band(FEES["fees"]), PRICES)
    found = evaluator.evaluate(evaluator.experiment.initial_parameters(), metric_names())["train"]
    assert np.isfinite([found["returns_over_hodl"], found["sharpe"], found["rvr"]]).all()
    assert found["fee_revenue_over_value"] > 0.0
    assert found["turnover"] == 0.0


def test_a_deployment_says_what_it_cannot_tell() -> None:
    (pool,) = deployment(band(), {})["pools"]
    assert any("does not know" in remark for remark in pool["remarks"])
    assert "minimum_weight" not in pool["settings"]
    assert [parameter["name"] for parameter in pool["parameters"]] == ["band"]


@pytest.mark.parametrize(
    ("tables", "parts"),
    [
        ({"fees": {"gas_cost_usd": 3.0}}, ("gas_cost_usd", "band_pool")),
        ({"pool": {"start_at": 2.0}}, ("pool.start_at", "less than 1")),
        ({"pool": {"strt_at": 0.0}}, ("'strt_at'", "start_at")),
        ({"pool": {"rule": "momentum"}}, ("rule = 'momentum'", "'weighted'")),
        ({"pool": {"arb_quality": 0.5}}, ("arb_quality = 0.5", "'batch'")),
        ({"series": {"trades": "swaps.csv"}}, ("series.trades", "band_pool")),
        ({"parameters": {"memory_days": 3.0}}, ("memory_days",)),
    ],
)
def test_what_it_has_no_use_for_is_refused(tables: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        band(tables.pop("fees", None), **tables)
    assert all(part in str(refused.value) for part in parts), str(refused.value)


def test_three_tokens_are_refused() -> None:
    with pytest.raises(ConfigError, match="is for two tokens, not 3: name two in "):
        make_experiment("", 3, HALF_HOURS, pool={"type": BAND, "rule": None})


def test_a_stored_study_runs_no_file_until_it_is_named(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(OWN.read_text())
    study = make_experiment("", 2, HALF_HOURS, pool={"type": f"{own}:band_pool", "rule": None, "start_at": 0.25})
    config, sources = study.model_dump(mode="json"), {name: str(of) for name, of in study.rule_sources.items()}
    stored = Experiment.from_stored(config, sources)
    assert stored.is_only_read
    assert stored.model_dump(mode="json") == config
    assert stored.identity == study.identity
    with pytest.raises(ConfigError, match="--rule-file"):
        Evaluator(stored, PRICES)
    moved = own.rename(tmp_path / "elsewhere.py")
    again = Experiment.from_stored(config, sources, [moved])
    assert again.identity == study.identity
    assert Evaluator(again, PRICES).setup.own.start_at == 0.25
    moved.write_text(OWN.read_text() + "\n# changed\n")
    with pytest.raises(ConfigError, match="is not of"):
        Experiment.from_stored(config, sources, [moved])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("more = prices.mean(axis=0) * jnp.arange(prices.shape[0])[:, None]", "looks ahead"),
        ("return ReserveRun(jnp.ones_like(prices), prices)", "worth setup.initial_value"),
        ("return ReserveRun(jnp.ones((3, 2, 2)), prices)", "fails with|returns"),
        ("raise KeyError('oh')", "KeyError"),
        ("return ReserveRun((0.5 * setup.initial_value / prices).astype('float32'), prices)", "reserves_at.*float64"),
    ],
)
def test_invalid_pools_are_found(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\n"
        "from quantsim.pools import Pool, ReserveRun\n"
        "def run(setup, params, market, rates, window):\n"
        "    prices = window.cut(market.prices)\n"
        "    more = 0.0 * prices\n"
        f"    {body}\n"
        "    return ReserveRun(more + 0.5 * setup.initial_value / prices[0], prices)\n"
        "mine = Pool('mine', 'for a test', run)\n"
    )
    experiment = make_experiment("", 2, HALF_HOURS, pool={"type": f"{tmp_path / 'mine.py'}:mine", "rule": None})
    own_pools.conform_pool.cache_clear()
    with pytest.raises(ConfigError, match=message):
        Evaluator(experiment, PRICES)


def test_the_pool_of_the_page_is_the_weighted_one_of_equal_constant_weights(tmp_path: Path) -> None:
    page = (OWN.parents[1] / "docs" / "pools.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    pool = {"type": f"{tmp_path / 'mine.py'}:constant_product", "rule": None}
    found = bar_by_bar(make_experiment("", 2, HALF_HOURS, pool=pool), {}, PRICES)
    wanted = bar_by_bar(make_experiment("balancer", 2, HALF_HOURS), {}, PRICES)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-12)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-12)
