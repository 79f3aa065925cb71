"""Random prices, parameters and experiments for the tests of the simulator."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path as FilePath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pool_reference as reference
import pytest

import quantsim
from quantsim import Evaluator, Experiment, Prices
from quantsim.api.simulation import Simulation
from quantsim.pools import Market, Path, PoolSetup, Window
from quantsim.pools.registry import pool_type
from quantsim.pools.steered.steering import window_ramps
from quantsim.pools.steered.weights import Ramps, Steering
from quantsim.rules import get_rule, rule_names
from quantsim.simulator import Plan
from quantsim.simulator import result as result_module
from quantsim.simulator.bar_path import BarPath
from quantsim.simulator.evaluate import window_path
from quantsim.simulator.setup import pool_setup
from quantsim.simulator.signals import chunk_signals

TOKENS = ("BTC", "ETH", "XRP", "LTC", "EOS", "SUI", "ADA", "DOT")
FIRST = datetime(2021, 3, 1, tzinfo=UTC)

FEES: dict[str, dict[str, float]] = {
    "zero": {},
    "fee": {"swap_fee": 0.003},
    "gas": {"swap_fee": 0.003, "arb_fee": 0.001, "gas_cost_usd": 4.0},
    "noise": {"swap_fee": 0.003, "noise_trader_ratio": 1.5},
    "protocol": {"swap_fee": 0.004, "arb_fee": 0.0005, "protocol_fee_split": 0.5},
}
SWAPPED = [name for name in rule_names() if pool_type({"rule": name}) == "weighted" and not get_rule(name).given]


GOLDEN_POOLS = FilePath(__file__).resolve().parents[2] / "shared" / "golden" / "pools.json"
"""Values of pools on real minutes, computed by other programs."""


def golden_pools(kind: str, which: str = "") -> list[dict[str, Any]]:
    """The reference cases of a type of pool; none without the file."""
    cases = json.loads(GOLDEN_POOLS.read_text())["cases"] if GOLDEN_POOLS.exists() else []
    return [case for case in cases if case["pool"] == kind and which in case["name"]]


def golden_parameters(kind: str) -> list[Any]:
    """They, as parameters of a test, which is skipped without the file."""
    if not GOLDEN_POOLS.exists():
        return [pytest.param({}, id="absent", marks=pytest.mark.skip(reason=f"no reference data: {GOLDEN_POOLS}"))]
    return [pytest.param(case, id=case["name"]) for case in golden_pools(kind)]


def golden_study(case: dict[str, Any], *names: str, **tables: Any) -> Experiment:
    """The study of a reference case, with the parameters of these names, or all of them."""
    end = date.fromisoformat(case["start"]) + timedelta(days=case["days"])
    return Experiment.from_dict(
        {
            "data": {"tokens": case["tokens"], "source": str(GOLDEN_POOLS.parents[1] / "data" / "minute")},
            "periods": {"train_start": case["start"], "train_end": end},
            "pool": {"type": case["pool"], "initial_value_usd": case["initial_value"]},
            "fees": {"swap_fee": case["swap_fee"]},
            "parameters": {name: case["params"][name] for name in names or case["params"]},
            **tables,
        }
    )


def golden_simulation(study: Experiment) -> Simulation:
    """The simulation of a study, with no more than one metric: others would only be compiled."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(result_module, "metric_names", lambda: ("returns",))
        return quantsim.simulate(study)


def check_golden_simulation(case: dict[str, Any], result: Simulation, rtol: float) -> None:
    """That a simulation has the values and reserves of a reference case."""
    np.testing.assert_allclose(result.value[::1440], case["value_daily"], rtol=rtol)
    np.testing.assert_allclose(result.value[-1], case["final_value"], rtol=rtol)
    np.testing.assert_allclose(result.reserves[-1], case["reserves_final"], rtol=rtol)


def check_golden_drivers(
    case: dict[str, Any], study: Experiment, own: dict[str, float], moved: Iterable[str], folder: FilePath
) -> None:
    """That a search and gradient training evaluate the parameters of a reference case, and that training moves some of them."""
    once = {"objective": {"metric": "returns", "report": ["returns"]}, "sgd": {"steps": 1, "n_parameter_sets": 1}}
    study = study.replace(parameters=own, **once)
    searched = quantsim.search(study, trials=1, start=[own], store=folder / "searched.db", progress=False)
    trained = quantsim.train(study, store=folder / "trained.db", progress=False)
    for found in (searched, trained):
        first = found.to_frame().iloc[0]
        assert first["objective"] == pytest.approx(case["final_value"] / case["initial_value"] - 1.0, rel=1e-9)
        assert {name: first[name] for name in own} == pytest.approx(own, rel=1e-12)
    second = trained.to_frame().iloc[1]
    assert all(second[name] != first[name] for name in moved)
    assert np.isfinite(second["objective"])


@dataclass(frozen=True)
class Layout:
    """Bars, chunks and periods of a test; by default the window starts inside a chunk of the grid laid from bar 0."""

    bar_minutes: int
    chunk_minutes: int
    ramp_minutes: int
    history: int
    n_bars: int
    max_memory_days: float
    volatility: float
    test_bars: int = 0

    @property
    def total(self) -> int:
        return self.history + self.n_bars + self.test_bars


HALF_HOURS = Layout(30, 240, 240, history=237, n_bars=203, max_memory_days=5.0, volatility=0.008)
MINUTES = Layout(1, 60, 45, history=337, n_bars=251, max_memory_days=0.25, volatility=0.0015)


def random_prices(layout: Layout, n_tokens: int, seed: int, bars: int | None = None) -> Prices:
    """Correlated random walks, with a jump now and then."""
    generator = np.random.default_rng([seed, n_tokens])
    bars = layout.total if bars is None else bars
    steps = generator.standard_normal((bars, n_tokens)) + 0.7 * generator.standard_normal((bars, 1))
    steps *= np.where(generator.random((bars, 1)) < 0.02, 5.0, 1.0) * layout.volatility
    levels = np.exp(generator.uniform(-5, 11, n_tokens))
    return prices_of(layout, levels * np.exp(np.cumsum(steps, axis=0)))


def prices_of(layout: Layout, prices: np.ndarray, tokens: tuple[str, ...] | None = None) -> Prices:
    minutes = layout.bar_minutes * np.arange(prices.shape[0])
    times = np.datetime64(FIRST.replace(tzinfo=None), "s") + minutes.astype("timedelta64[m]")
    return Prices(times, prices, tokens or TOKENS[: prices.shape[1]], layout.bar_minutes)


def random_params(rule: str, layout: Layout, n_tokens: int, seed: int, strength: float = 1.0) -> dict[str, Any]:
    """Human-readable parameters of a rule; ``strength`` scales how hard it pushes the weights."""
    generator = np.random.default_rng([seed, n_tokens, 7])
    shares = 0.3 / n_tokens + 0.7 * generator.dirichlet(np.full(n_tokens, 2.0))
    params: dict[str, Any] = {"initial_weights": (shares / shares.sum()).tolist()}
    if rule not in ("balancer", "hodl"):
        longest = layout.max_memory_days
        params["memory_days"] = (longest * np.exp(generator.uniform(-3.0, -0.2, n_tokens))).tolist()
        k = np.exp(generator.uniform(0.0, 3.0, n_tokens)) * strength / longest
        params["k_per_day"] = k.tolist()
    return params


def make_experiment(
    rule: str,
    n_tokens: int,
    layout: Layout,
    *,
    fees: Mapping[str, float] | None = None,
    tokens: tuple[str, ...] | None = None,
    **tables: Mapping[str, Any],
) -> Experiment:
    """An experiment whose training period is the layout's window, with further settings per table."""
    start = FIRST + timedelta(minutes=layout.bar_minutes * layout.history)
    end = start + timedelta(minutes=layout.bar_minutes * layout.n_bars)
    periods: dict[str, Any] = {"train_start": start, "train_end": end}
    if layout.test_bars:
        periods["test_end"] = end + timedelta(minutes=layout.bar_minutes * layout.test_bars)
    update = {
        "chunk_minutes": layout.chunk_minutes,
        "interpolation_minutes": layout.ramp_minutes,
        "max_memory_days": layout.max_memory_days,
    }
    values: dict[str, Any] = {
        "data": {"tokens": list(tokens or TOKENS[:n_tokens])},
        "periods": periods,
        "pool": {"rule": rule, **tables.get("pool", {})},
        "update": {**update, **tables.get("update", {})},
        "fees": dict(fees or {}),
        **{name: dict(table) for name, table in tables.items() if name not in ("pool", "update")},
    }
    return Experiment.from_dict(values)


def expected(
    experiment: Experiment, params: Mapping[str, Any], prices: Prices, split: str = "train", **varying: Any
) -> reference.Run:
    """The same experiment through the plain reference; ``varying`` takes the place of costs, per bar of the split."""
    return reference.run(dataclasses.replace(reference_market(experiment, params, prices, split), **varying))


def reference_market(
    experiment: Experiment, params: Mapping[str, Any], prices: Prices, split: str = "train"
) -> reference.Market:
    """What the experiment says, for the plain reference."""
    start, end = experiment.periods.splits()[split]
    warm_up = round(experiment.update.max_memory_days * prices.bars_per_day)
    bar = timedelta(minutes=prices.bar_minutes)
    raw = experiment.initial_parameters(params)
    weights = np.exp(raw["initial_weights_logits"])
    pool, update, fees = experiment.pool, experiment.update, experiment.fees
    return reference.Market(
        prices=np.array(prices.prices),
        begin=max(0, round((experiment.periods.train_start - FIRST) / bar) - warm_up),
        start=round((start - FIRST) / bar),
        n_bars=round((end - start) / bar),
        bar_minutes=prices.bar_minutes,
        chunk_minutes=update.chunk_minutes,
        ramp_minutes=update.interpolation_minutes or update.chunk_minutes,
        minimum_weight=0.1 / weights.size if pool.minimum_weight is None else pool.minimum_weight,
        rule=pool.rule,
        logit_lamb=raw.get("logit_lamb"),
        log_k=raw.get("log_k"),
        logit_delta_lamb=raw.get("logit_delta_lamb") if update.use_alt_lamb else None,
        initial_weights=weights / weights.sum(),
        max_memory_days=update.max_memory_days,
        maximum_change_per_minute=update.maximum_change_per_minute,
        initial_value=pool.initial_value_usd,
        swap_fee=fees.swap_fee,
        arb_fee=fees.arb_fee,
        gas_cost=fees.gas_cost_usd,
        noise_trader_ratio=fees.noise_trader_ratio,
        protocol_fee_split=fees.protocol_fee_split,
        arb_frequency=pool.arb_frequency,
        do_arb=pool.do_arb,
        trading_minutes=getattr(pool, "trading_minutes", None),
        interpolation=update.interpolation,
    )


def steering_of(experiment: Experiment, bar_minutes: int = HALF_HOURS.bar_minutes) -> Steering:
    """What steers the weights of an experiment's pool."""
    steering: Steering = pool_setup(experiment, bar_minutes).own
    return steering


def ramps_of(
    setup: PoolSetup[Steering], raw: Mapping[str, jax.Array], market: Market, start: jax.Array | int, n_bars: int
) -> Ramps:
    """The weights of a window, as the weighted pool finds them."""
    phase = start % setup.chunk_bars
    decisions = chunk_signals(setup, raw, market, phase).decisions
    return window_ramps(setup, raw, Window(jnp.asarray(start), n_bars, Path.PER_BAR, phase, decisions))


def stacked(evaluator: Evaluator, *sets: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Parameter sets as the evaluator takes them: raw name → (S, n)."""
    raw = [evaluator.experiment.initial_parameters(params) for params in sets]
    return {name: np.stack([one[name] for one in raw]) for name in raw[0]}


@functools.partial(jax.jit, static_argnums=0)
def _path(plan: Plan, *arguments: Any) -> BarPath:
    return window_path(plan, *arguments)[0]


def bar_by_bar(
    experiment: Experiment,
    params: Mapping[str, Any],
    prices: Prices,
    split: str = "train",
    series: Mapping[str, Any] | None = None,
) -> BarPath:
    """What ``simulate`` computes, less the metrics: those take longer to compile than all the rest."""
    evaluator = Evaluator(experiment, prices, series)
    first, n_bars = evaluator.splits[split]
    plan, starts = evaluator.planner.plan(first, n_bars, ())
    raw = evaluator.arrays(experiment.initial_parameters(params))
    return jax.tree.map(np.asarray, _path(plan, raw, evaluator.market, evaluator.rates, starts[0]))


def drawn_params(experiment: Experiment, seed: int, strength: float = 1.0) -> dict[str, Any]:
    """Human-readable parameters of any pool, inside what its parameters admit, under their names in groups."""
    generator = np.random.default_rng([seed, 11])
    longest = experiment.update.max_memory_days
    params: dict[str, Any] = {}
    for parameter in experiment.active_parameters:
        spec, size = parameter.spec, parameter.size
        if spec.human_name == "initial_weights":
            shares = 0.4 / size + 0.6 * generator.dirichlet(np.full(size, 2.0))
            values = shares / shares.sum()
        elif spec.human_name.endswith("memory_days"):
            values = longest * np.exp(generator.uniform(-3.0, -0.2, size))
        elif spec.human_name == "k_per_day":
            values = strength * np.exp(generator.uniform(0.0, 3.0, size)) / longest
        elif spec.log:
            values = np.exp(generator.uniform(np.log(spec.low), np.log(spec.high), size))
        else:
            values = generator.uniform(spec.low, min(spec.high, 2.0), size)
        params[parameter.human_name] = values.tolist()
    return params


def oracle_table(rule: str | None) -> dict[str, Any]:
    """What a study says where the rule needs an oracle; :func:`oracle_series` takes the place of the file."""
    return {"series": {"oracle": "oracle.csv"}} if rule is not None and get_rule(rule).needs_oracle else {}


def oracle_series(rule: str | None, prices: Prices) -> dict[str, Any] | None:
    """Market caps, as it were, which rise faster than prices, and begin at the same order for all tokens."""
    if not oracle_table(rule):
        return None
    return {"oracle": 1e9 * (prices.prices / prices.prices[0]) ** 1.5}


def along_coordinates(
    evaluator: Evaluator, sets: Mapping[str, np.ndarray], coordinates: list[tuple[str, int]], step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the return over the training period along coordinates: the gradient's, and finite differences."""
    first, n_bars = evaluator.splits["train"]
    many = {name: np.repeat(value, 1 + 2 * len(coordinates), axis=0) for name, value in sets.items()}
    for row, (name, at) in enumerate(coordinates):
        many[name][1 + 2 * row, at] += step
        many[name][2 + 2 * row, at] -= step
    values, gradients = evaluator.value_and_grad(many, [first], n_bars, "returns")
    slopes = (values[1::2] - values[2::2]) / (2 * step)
    return np.array([gradients[name][0, at] for name, at in coordinates]), slopes
