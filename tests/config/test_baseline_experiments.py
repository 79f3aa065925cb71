"""The experiments of baselines: constant weights and HODL of every kind of pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pool_support import HALF_HOURS, make_experiment

from quantsim.config.baselines import baseline_experiment
from quantsim.errors import ConfigError

OWN_POOL = f"{Path(__file__).resolve().parents[2] / 'examples' / 'own_pool.py'}:band_pool"


def test_constant_weights_keep_the_initial_weights_and_all_costs() -> None:
    costs = {"arb_fee": 0.001, "gas_cost_usd": 2.0, "protocol_fee_split": 0.25}
    given = {"initial_weights": (0.8, 0.2), "swap_fee": 0.004}
    experiment = make_experiment(
        "index_market_cap",
        2,
        HALF_HOURS,
        fees=costs,
        pool={"minimum_weight": 0.1, "arb_frequency": 3, "initial_value_usd": 5e4},
        update={"interpolation": "optimal"},
        parameters={**given, "memory_days": 3.0, "minimum_weights": (0.1, 0.1)},
        series={"oracle": "oracle.csv", "trades": "trades.csv", "gas_cost_usd": None},
        objective={"n_periods": 3},
        sgd={"train": ["memory_days"], "starts": [{"memory_days": 1.0}, {"memory_days": 2.0}]},
        search={"objectives": ["returns", "turnover"]},
    )
    found = baseline_experiment(experiment, "constant_weights")
    assert (found.pool.rule, found.pool.minimum_weight) == ("balancer", None)
    assert (found.pool.arb_frequency, found.pool.initial_value_usd) == (3, 5e4)
    assert dict(found.parameters) == given
    assert (found.fees, found.data, found.periods, found.objective) == (
        experiment.fees,
        experiment.data,
        experiment.periods,
        experiment.objective,
    )
    assert (found.series.trades, found.series.oracle) == (experiment.series.trades, None)
    hodl = baseline_experiment(experiment, "hodl")
    assert (hodl.pool.mechanism, hodl.fees.any, hodl.series.trades) == ("hold", False, None)
    assert dict(hodl.parameters) == {"initial_weights": (0.8, 0.2)}
    assert baseline_experiment(experiment, "study") is experiment


def test_fee_rules_and_their_parameters_stay_with_constant_weights() -> None:
    fees: Any = {"rule": "volatility"}
    experiment = make_experiment("momentum", 2, HALF_HOURS, fees=fees, parameters={"fee": {"memory_days": 2.0}})
    found = baseline_experiment(experiment, "constant_weights")
    assert (found.fees, found.parameters) == (experiment.fees, experiment.parameters)
    assert not baseline_experiment(experiment, "hodl").parameters


@pytest.mark.parametrize(("rule", "fee"), [("balancer", 0.003), ("cow", 0.003), ("hodl", 0.0)])
def test_a_pool_of_constant_weights_is_its_own_baseline(rule: str, fee: float) -> None:
    experiment = make_experiment(rule, 2, HALF_HOURS, fees={"swap_fee": fee})
    assert baseline_experiment(experiment, "constant_weights").identity == experiment.identity


def test_ensembles_and_rules_that_output_weights_start_with_equal_weights() -> None:
    ensemble = {"rule": None, "ensemble": {"slow": "momentum", "fast": "anti_momentum"}}
    for experiment in (
        make_experiment("", 3, HALF_HOURS, pool=ensemble, parameters={"slow": {"memory_days": 4.0}}),
        make_experiment("min_variance", 3, HALF_HOURS, update={"published_look_ahead": True}),
    ):
        found = baseline_experiment(experiment, "constant_weights")
        assert (found.pool.rule, found.parameters, found.cautions) == ("balancer", (), ())
        assert found.human_parameters(found.initial_parameters())["initial_weights"] == pytest.approx([1 / 3] * 3)


def test_subsidiaries_have_constant_weights_or_hold_too() -> None:
    pair: dict[str, Any] = {
        "tokens": ["ETH", "XRP"],
        "rule": "momentum",
        "fees": {"swap_fee": 0.001},
        "update": {"chunk_minutes": 720, "published_look_ahead": False},
    }
    experiment = make_experiment(
        "momentum",
        3,
        HALF_HOURS,
        pool={"tokens": ["BTC", "pair"]},
        subsidiaries={"pair": pair},
        parameters={"initial_weights": (0.6, 0.4), "pair": {"initial_weights": (0.3, 0.7), "memory_days": 2.0}},
    )
    kept = {"initial_weights": (0.6, 0.4), "pair.initial_weights": (0.3, 0.7)}
    found = baseline_experiment(experiment, "constant_weights")
    (part,) = dict(found.subsidiaries).values()
    assert (found.pool.rule, part.rule, part.fees.swap_fee, part.update.chunk_minutes) == (
        "balancer",
        "balancer",
        0.001,
        720,
    )
    assert dict(found.parameters) == kept
    hodl = baseline_experiment(experiment, "hodl")
    assert [pool.pool.mechanism for pool in hodl.pools] == ["hold", "hold"]
    assert dict(hodl.parameters) == kept


def test_a_pool_of_a_file_is_compared_with_a_weighted_pool_of_given_weights() -> None:
    own: dict[str, Any] = {"type": OWN_POOL, "rule": None, "arb_frequency": 2}
    experiment = make_experiment("", 2, HALF_HOURS, fees={"swap_fee": 0.002}, pool=own, parameters={"band": 0.1})
    found = baseline_experiment(experiment, "constant_weights", (0.75, 0.25))
    assert (found.pool.mechanism, found.pool.rule, found.pool.arb_frequency) == ("weighted", "balancer", 2)
    assert (found.fees, dict(found.parameters)) == (experiment.fees, {"initial_weights": (0.75, 0.25)})
    assert dict(baseline_experiment(experiment, "hodl", (0.75, 0.25)).parameters) == {"initial_weights": (0.75, 0.25)}


def test_unknown_baselines_are_refused() -> None:
    with pytest.raises(ConfigError, match="baseline 'hold': did you mean 'hodl'"):
        baseline_experiment(make_experiment("momentum", 2, HALF_HOURS), "hold")
