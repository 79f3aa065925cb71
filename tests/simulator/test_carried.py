"""A pool that goes on while its parameters change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pool_reference as reference
import pytest
from pool_support import HALF_HOURS, drawn_params, make_experiment, prices_of, random_prices, reference_market, stacked

from quantsim import Evaluator, Experiment, Prices, simulate
from quantsim.errors import ConfigError, PriceError, WindowError
from quantsim.scan_mode import ScanMode
from quantsim.simulator.bar_path import BarPath
from quantsim.simulator.carried import carried_values, schedule_of
from quantsim.simulator.evaluate import window_path

CHUNK = 8
CUTS = (45, 64, 135)  # inside a ramp, at a decision, and at the end of a ramp
LAYOUT = dataclasses.replace(HALF_HOURS, ramp_minutes=210)
TUNED = {"minimum_weights": 0.1, "maximum_weights": 0.7, "swap_fee": 0.003}
FEE = {"swap_fee": 0.003}

CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "momentum": ("momentum", 3, {}),
    "momentum with a fee": ("momentum", 3, {"fees": FEE}),
    "targets": ("min_variance", 3, {}),
    "targets with a fee": ("min_variance", 2, {"fees": FEE}),
    "tuned bounds and fee, curved ramps": (
        "momentum",
        3,
        {"parameters": TUNED, "update": {"interpolation": "optimal"}},
    ),
    "fee rule": ("momentum", 2, {"fees": {"rule": "volatility"}}),
    "batches": ("cow", 2, {"fees": FEE}),
    "held": ("hodl", 2, {}),
    "composite": (
        "momentum",
        3,
        {
            "pool": {"tokens": ["BTC", "pair"]},
            "subsidiaries": {"pair": {"tokens": ["ETH", "XRP"], "rule": "min_variance", "fees": FEE}},
        },
    ),
}
PATH = jax.jit(window_path, static_argnums=0)


def case_of(name: str) -> tuple[Experiment, Prices, list[dict[str, Any]]]:
    """An experiment, its prices, and parameters of one set for each part between the cuts; all start with equal weights."""
    rule, n_tokens, tables = CASES[name]
    experiment = make_experiment(rule, n_tokens, LAYOUT, **tables)
    shares = {each.human_name for each in experiment.layout if each.spec.human_name == "initial_weights"}
    sets = [drawn_params(experiment, seed, strength=3.0) for seed in range(1 + len(CUTS))]
    for params in sets:
        params |= {share: sets[0][share] for share in shares if share in params}
    return experiment, random_prices(LAYOUT, n_tokens, 4), sets


def path_of(evaluator: Evaluator, sets: list[dict[str, Any]], cuts: tuple[int, ...]) -> BarPath:
    """Every bar of a pool whose parameters change at these bars of the window; a plain simulation of one set without cuts."""
    first, n_bars = evaluator.splits["train"]
    plan, starts = evaluator.planner.plan(first, n_bars, ())
    rows, schedule = stacked(evaluator, *sets), None
    if cuts:
        schedule = schedule_of(evaluator, rows, [first, *(first + cut for cut in cuts)], n_bars)
    params = evaluator.arrays({name: row[0] for name, row in rows.items()})
    path, _ = PATH(plan, params, evaluator.market, evaluator.rates, starts[0], schedule)
    return jax.tree.map(np.asarray, path)


@pytest.mark.parametrize("name", CASES)
def test_equal_parameters_are_one_uninterrupted_simulation_and_others_change_nothing_before(name: str) -> None:
    experiment, prices, sets = case_of(name)
    evaluator = Evaluator(experiment, prices)
    plain = path_of(evaluator, sets[:1], ())
    same, other = path_of(evaluator, 4 * sets[:1], CUTS), path_of(evaluator, sets, CUTS)
    for part in ("value", "reserves", "weights", "prices", "fee_revenue"):
        np.testing.assert_allclose(getattr(same, part), getattr(plain, part), rtol=1e-12, atol=1e-14, err_msg=part)
    for part in ("value", "reserves", "weights"):
        np.testing.assert_allclose(
            getattr(other, part)[: CUTS[0]], getattr(plain, part)[: CUTS[0]], rtol=1e-12, err_msg=part
        )
    moved = np.abs(other.value / plain.value - 1.0)
    assert (moved[-1] > 1e-9) == (name not in ("batches", "held"))


@pytest.mark.parametrize("fees", [{}, FEE], ids=["zero", "fee"])
def test_a_change_is_what_the_plain_loops_do(fees: Mapping[str, float]) -> None:
    experiment = make_experiment("momentum", 3, LAYOUT, fees=fees)
    prices = random_prices(LAYOUT, 3, 4)
    sets = [drawn_params(experiment, seed, strength=3.0) for seed in range(4)]
    market = reference_market(experiment, sets[0], prices)
    changes = [(cut, reference_market(experiment, params, prices)) for cut, params in zip(CUTS, sets[1:], strict=True)]
    wanted = reference.run(dataclasses.replace(market, changes=changes))
    found = path_of(Evaluator(experiment, prices), sets, CUTS)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-10)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)


def test_a_huge_change_moves_weights_within_the_speed_limit_and_their_bounds() -> None:
    experiment = make_experiment(
        "min_variance", 3, LAYOUT, fees=FEE, pool={"minimum_weight": 0.1, "maximum_weight": 0.6}
    )
    prices = random_prices(LAYOUT, 3, 4)
    sets = [
        {"memory_days": days, "weight_memory_days": 0.2} for days in ([4.0, 0.4, 2.0], [0.4, 4.0, 0.3], [4.0, 0.3, 0.4])
    ]
    weights = path_of(Evaluator(experiment, prices), sets, (64, 136)).weights
    steps, fastest = np.abs(np.diff(weights, axis=0)), 30 * experiment.update.maximum_change_per_minute
    assert steps.max() <= fastest * (1 + 1e-9)
    assert weights.min() >= 0.1 - 1e-12
    assert weights.max() <= 0.6 + 1e-12
    assert steps[64:72].max() == pytest.approx(fastest)  # the first decision of the second set is a large one


def test_the_scan_modes_agree() -> None:
    """Bounds that change do not compose as clip maps."""
    experiment, prices = make_experiment("momentum", 2, LAYOUT, parameters=TUNED), random_prices(LAYOUT, 2, 4)
    sets = [drawn_params(experiment, seed, strength=3.0) for seed in range(4)]
    modes: tuple[ScanMode, ...] = ("kernel", "associative")
    one, other = (path_of(Evaluator(experiment, prices, scan_mode=mode), sets, CUTS) for mode in modes)
    np.testing.assert_allclose(other.value, one.value, rtol=1e-12)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-12)


def test_nothing_depends_on_later_prices() -> None:
    experiment, prices, sets = case_of("targets with a fee")
    plain = path_of(Evaluator(experiment, prices), sets, CUTS)
    for bar in (CUTS[0] - 1, CUTS[1] - 1, CUTS[1], CUTS[2]):
        table = prices.prices.copy()
        table[LAYOUT.history + bar + 1 :] *= np.linspace(0.5, 2.0, 2)
        other = path_of(Evaluator(experiment, prices_of(LAYOUT, table)), sets, CUTS)
        for part in ("value", "reserves", "weights"):
            np.testing.assert_array_equal(getattr(other, part)[: bar + 1], getattr(plain, part)[: bar + 1])
        assert other.value[bar + 1] != plain.value[bar + 1]


@pytest.mark.parametrize("name", ["momentum", "momentum with a fee", "targets"])
def test_daily_values_of_several_pools_are_those_of_their_paths(name: str) -> None:
    """In closed form, at every bar and with fees; of equal sets, too."""
    experiment, prices, sets = case_of(name)
    evaluator = Evaluator(experiment, prices)
    first, n_bars = evaluator.splits["train"]
    pools = [sets, 4 * sets[:1]]
    rows = [stacked(evaluator, *of_pool) for of_pool in pools]
    both = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    found = carried_values(evaluator, both, [first, *(first + cut for cut in CUTS)], n_bars)
    wanted = [path_of(evaluator, of_pool, CUTS).value[:: prices.bars_per_day] for of_pool in pools]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    evaluated = evaluator.evaluate(evaluator.experiment.initial_parameters(sets[0]), ["returns"])
    assert evaluated["train"]["returns"] == pytest.approx(
        path_of(evaluator, sets[:1], ()).value[-1] / 1e6 - 1, abs=1e-12
    )


def test_simulate_takes_changes_by_time() -> None:
    experiment, prices, sets = case_of("momentum with a fee")
    times = [prices.times[LAYOUT.history + cut] for cut in CUTS]
    result = simulate(experiment, sets[0], prices, changes=dict(zip(times, sets[1:], strict=True)))
    wanted = path_of(Evaluator(experiment, prices), sets, CUTS)
    np.testing.assert_allclose(result.value, wanted.value, rtol=1e-12)
    np.testing.assert_allclose(result.weights, wanted.weights, rtol=1e-12)
    assert result.metrics["returns"] == pytest.approx(wanted.value[-1] / wanted.value[0] - 1.0)
    with pytest.raises(WindowError, match="must ascend within the 203 bars"):
        simulate(experiment, sets[0], prices, changes={prices.times[LAYOUT.history]: sets[1]})
    with pytest.raises(PriceError, match="2029"):
        simulate(experiment, sets[0], prices, changes={"2029-01-01": sets[1]})


def test_pools_whose_parameters_cannot_change_are_refused(tmp_path: Path) -> None:
    prices, still = random_prices(LAYOUT, 2, 4), make_experiment("balancer", 2, LAYOUT)
    evaluator = Evaluator(still, prices)
    first, n_bars = evaluator.splits["train"]
    both = stacked(evaluator, {"initial_weights": [0.5, 0.5]}, {"initial_weights": [0.4, 0.6]})
    with pytest.raises(ConfigError, match="initial_weights differ between the parameter sets"):
        schedule_of(evaluator, both, [first, first + 8], n_bars)
    (tmp_path / "pools.py").write_text(OWN_POOL)
    own = Experiment.from_dict(
        {
            "data": {"tokens": list(prices.tokens)},
            "periods": still.periods.model_dump(),
            "pool": {"type": f"{tmp_path / 'pools.py'}:still"},
            "update": still.update.model_dump(),
        }
    )
    evaluator = Evaluator(own, prices)
    with pytest.raises(ConfigError, match="the parameters of this pool cannot change while it runs"):
        schedule_of(evaluator, {}, [first], n_bars)


OWN_POOL = """
from quantsim.pools import Path, Pool, ReserveRun


def run(setup, params, market, rates, window):
    prices = window.cut(market.prices)
    return ReserveRun((0.5 * setup.initial_value / prices[0])[None], prices, stride=window.n_bars)


still = Pool(name="still", description="half of each", run=run, paths=lambda setup, *, every_bar: {Path.PER_BAR: None})
"""
