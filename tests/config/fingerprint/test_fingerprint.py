"""Translation of quantammsim's configuration dictionaries, and errors."""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from quantsim import Experiment, FingerprintWarning
from quantsim.errors import ConfigError
from quantsim.objective import even_periods
from quantsim.search_space import load_search_space

SMALLEST: dict[str, Any] = {
    "tokens": ["BTC", "ETH"],
    "rule": "momentum",
    "startDateString": "2023-01-01 00:00:00",
    "endDateString": "2023-05-31 00:00:00",
}


def read(**changes: Any) -> Experiment:
    """Returns the study, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FingerprintWarning)
        return Experiment.from_fingerprint({**SMALLEST, **changes})


def warnings_of(**changes: Any) -> str:
    """Returns the text of the warnings; empty if there are none."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        Experiment.from_fingerprint({**SMALLEST, **changes})
    return "\n".join(str(one.message) for one in raised)


def optimised(**settings: Any) -> dict[str, Any]:
    return {"optimisation_settings": settings}


def searched(**settings: Any) -> dict[str, Any]:
    return optimised(method="optuna", optuna_settings=settings)


def test_missing_keys_have_the_defaults_of_quantammsim() -> None:
    experiment = read()
    assert experiment.data.tokens == ("BTC", "ETH")
    cut = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=120)  # 150 · 0.8
    assert experiment.periods.splits() == {
        "train": (datetime(2023, 1, 1, tzinfo=UTC), cut),
        "validation": (cut, datetime(2023, 5, 31, tzinfo=UTC)),
    }
    assert experiment.update.chunk_minutes == experiment.update.interpolation_minutes == 1440
    assert experiment.update.maximum_change_per_minute == 3e-4
    assert experiment.update.max_memory_days == 365.0
    assert experiment.pool.initial_value_usd == 1e6
    assert experiment.pool.minimum_weight is None
    assert not experiment.fees.any
    assert experiment.objective.metric == "daily_log_sharpe"
    assert experiment.objective.bout_offset_days == 7.0
    assert (experiment.driver, experiment.seed) == ("sgd", 0)
    sgd, search = experiment.sgd, experiment.search
    assert (sgd.optimiser, sgd.learning_rate, sgd.weight_decay, sgd.schedule) == ("adamw", 0.1, 0.01, "constant")
    assert (sgd.steps, sgd.batch_size, sgd.n_parameter_sets, sgd.initial_spread) == (1000, 8, 4, 0.1)
    assert sgd.early_stopping_reports == 200 // sgd.report_every
    assert (sgd.clip_norm, sgd.sampling, sgd.initial) == (10.0, "uniform", "gaussian")
    assert (search.trials, search.jobs, search.n_startup_trials, search.max_minutes) == (20, 4, 10, 120.0)
    assert (search.sampler, search.multivariate, search.overfitting_penalty) == ("tpe", True, 0.2)


def test_the_default_ramp_is_at_most_the_chunk() -> None:
    assert read(chunk_period=60).update.interpolation_minutes == 60
    assert read(chunk_period=4320).update.interpolation_minutes == 1440


EVERY_KEY: dict[str, Any] = {
    "tokens": ["ETH", "BTC", "XRP"],
    "rule": "anti_momentum",
    "chunk_period": 60,
    "weight_interpolation_period": 30,
    "weight_interpolation_method": "approx_optimal",
    "initial_pool_value": 5e4,
    "fees": 0.003,
    "arb_fees": 0.0005,
    "gas_cost": 7.0,
    "noise_trader_ratio": 1.5,
    "protocol_fee_split": 0.25,
    "maximum_change": 1e-4,
    "minimum_weight": 0.02,
    "max_memory_days": 100.0,
    "use_alt_lamb": True,
    "arb_frequency": 15,
    "do_arb": False,
    "bout_offset": 1440 * 14,
    "return_val": "returns_over_hodl",
    "endTestDateString": "2023-08-01 00:00:00",
    "initial_memory_length": 20.0,
    "initial_memory_length_delta": 5.0,
    "initial_k_per_day": 3.0,
    "initial_weights_logits": [0.0, 1.0, 0.5],
    "freq": "minute",
    "n_assets": 3,
    "optimisation_settings": {
        "base_lr": 0.1,
        "optimiser": "adam",
        "batch_size": 4,
        "n_iterations": 77,
        "n_parameter_sets": 3,
        "initial_random_key": 9,
        "val_fraction": 0.2,
        "optuna_settings": {"n_trials": 12, "n_jobs": 2, "n_startup_trials": 5, "timeout": 60},
        "decay_lr_ratio": 0.8,
    },
}


def test_keys_are_translated() -> None:
    experiment = read(**EVERY_KEY)
    assert experiment.data.tokens == ("ETH", "BTC", "XRP")
    assert (experiment.update.chunk_minutes, experiment.update.interpolation_minutes) == (60, 30)
    assert experiment.update.interpolation == "published_optimal"
    assert experiment.update.maximum_change_per_minute == 1e-4
    assert experiment.update.max_memory_days == 100.0
    assert experiment.update.use_alt_lamb
    fees = experiment.fees
    assert fees == fees.model_validate(
        {
            "swap_fee": 0.003,
            "arb_fee": 0.0005,
            "gas_cost_usd": 7.0,
            "noise_trader_ratio": 1.5,
            "protocol_fee_split": 0.25,
            "rebalancing_cost": 0.0005,
        }
    )
    assert experiment.pool.model_dump() == {
        "rule": "anti_momentum",
        "ensemble": {},
        "tokens": None,
        "maximum_weight": None,
        "trading_minutes": None,
        "type": None,
        "initial_value_usd": 5e4,
        "minimum_weight": 0.02,
        "do_arb": False,
        "arb_frequency": 15,
    }
    assert experiment.objective.metric == "returns_over_hodl"
    assert experiment.objective.bout_offset_days == 14.0
    assert experiment.seed == 9
    assert (experiment.sgd.learning_rate, experiment.sgd.steps, experiment.sgd.n_parameter_sets) == (0.1, 77, 3)
    assert (experiment.search.trials, experiment.search.jobs, experiment.search.n_startup_trials) == (12, 2, 5)
    splits = experiment.periods.splits()
    assert splits["validation"][1] == datetime(2023, 5, 31, tzinfo=UTC)
    assert splits["test"][1] == datetime(2023, 8, 1, tzinfo=UTC)
    share = (splits["train"][1] - splits["train"][0]) / (splits["validation"][1] - splits["train"][0])
    assert share == pytest.approx(0.8, abs=1e-3)
    minutes = (splits["train"][1] - splits["train"][0]).total_seconds() / 60
    assert minutes % 60 == 0, "training ends on a chunk boundary"
    parameters = dict(experiment.parameters)
    assert (parameters["memory_days"], parameters["alt_memory_days"], parameters["k_per_day"]) == (20.0, 25.0, 3.0)
    logits = experiment.initial_parameters()["initial_weights_logits"]
    np.testing.assert_array_equal(logits, [1.0, 0.0, 0.5], "given for BTC, ETH, XRP: there, tokens are sorted")


def test_tables_given_extend_the_translated_ones() -> None:
    experiment = Experiment.from_fingerprint(
        {**SMALLEST, "fees": 0.003}, data={"source": "somewhere"}, fees={"arb_fee": 0.001}, name="mine", seed=5
    )
    assert experiment.data.source.endswith("somewhere")
    assert experiment.data.tokens == ("BTC", "ETH")
    assert (experiment.fees.swap_fee, experiment.fees.arb_fee) == (0.003, 0.001)
    assert (experiment.name, experiment.seed) == ("mine", 5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"chunk_periods": 60}, ("'chunk_periods'", "did you mean 'chunk_period'?")),
        ({"fee": 0.1}, ("'fee'", "did you mean 'fees'?")),
        ({"optimisation_settings": {"base_lrr": 1.0}}, ("optimisation_settings", "did you mean 'base_lr'?")),
        ({"optimisation_settings": {"optuna_settings": {"n_trails": 5}}}, ("'n_trails'", "did you mean 'n_trials'?")),
        ({"freq": "hour"}, ("freq = 'hour'", "not supported", "'minute'")),
        ({"arb_quality": 0.8}, ("arb_quality = 0.8", "'batch'")),
        ({"numeraire": "ETH"}, ("numeraire = 'ETH'", "not supported")),
        ({"optimisation_settings": {"val_fraction": 1.0}}, ("val_fraction = 1.0", "below 1")),
        ({"weight_interpolation_method": "liner"}, ("'liner'", "did you mean 'linear'?")),
        ({"startDateString": "1st of May"}, ("startDateString = '1st of May'", "'2023-01-31 00:00:00'")),
        ({"rule": "momentun"}, ("did you mean 'momentum'?",)),
        ({"fees": 1.5}, ("fees.swap_fee", "less than 1")),
        ({"return_val": "shape"}, ("objective.metric", "did you mean 'sharpe'?")),
        ({"endDateString": "2022-01-01 00:00:00"}, ("train_end = 2022-01-01", "after")),
        ({"weight_interpolation_period": 2880}, ("interpolation_minutes = 2880", "chunk_minutes = 1440")),
        ({"initial_weights_logits": [0.0, 1.0, 2.0]}, ("initial_weights_logits = [0.0, 1.0, 2.0]", "each of BTC, ETH")),
        ({"optimisation_settings": {"initial_random_key": -4}}, ("seed", "-4")),
        ({"n_ensemble_members": 0}, ("n_ensemble_members = 0", "at least 1")),
        ({"n_ensemble_members": 2, "initial_memory_length": -1.0}, ("memory_days = [-1.0, -1.0]", "positive")),
        ({"n_ensemble_members": 2.5}, ("n_ensemble_members = 2.5", "whole number")),
        ({"rule": "balancer", "n_ensemble_members": 2}, ("ensemble", "balancer")),
        ({"rule": "bounded__momentum"}, ("needs learnable_bounds_settings.min_weights_per_asset",)),
        ({"subsidary_pools": [{"tokens": ["BTC", "DAI"]}]}, ("subsidary_pools[0] has no 'rule'",)),
        ({"subsidary_pools": [{"tokens": ["BTC"], "rul": "hodl"}]}, ("subsidary_pools[0]", "did you mean 'rule'?")),
        ({"do_trades": True}, ("do_trades = True", "series.trades")),
        ({"initial_k_per_day": [[1.0, 2.0]] * 3}, ("3 rows", "4 parameter sets")),
        (
            {"initial_memory_length": [[1.0, 2.0]] * 3, "initial_memory_length_delta": [[1.0, 2.0]] * 2},
            ("2 and 3 rows", "4 parameter sets"),
        ),
        ({"initial_k_per_day": 0}, ("k_per_day = [0.0, 0.0]", "initial_k_per_day of the fingerprint")),
        ({"turnover_penalty": -1.0}, ("turnover_penalty = -1.0", "at least 0")),
        ({"tokens": ["BTC", "ETH", "BTC"]}, ("tokens = ['BTC', 'ETH', 'BTC']", "twice")),
        (
            searched(parameter_config={"memory_length": {"low": 300}}),
            ("parameter_config.memory_length", "low must be below high", "low = 300 and high = 200"),
        ),
        (searched(parameter_config={"k_per_day": {"low": 0}}), ("parameter_config.k_per_day", "must be positive")),
        ({"initial_k_per_day": "much"}, ("initial_k_per_day = 'much' must be a number",)),
        ({"bout_offset": 1440 * 150, **searched()}, ("bout_offset = 216000 minutes", "lower it")),
        ({"bout_offset": 0, **searched(multi_objective=True)}, ("multi_objective", "bout_offset = 0")),
        (optimised(optuna_settings={"multi_objective": True}), ("multi_objective", "method = 'optuna'")),
        (optimised(method="optunq"), ("method = 'optunq'", "did you mean 'optuna'?")),
        (optimised(min_lr=1.0, optimiser="sgd"), ("min_lr = 1.0", "base_lr = 0.1")),
        (optimised(sample_method="unifrom"), ("sample_method", "did you mean 'uniform'?")),
        (
            searched(parameter_config={"log_k": {"low": -1.0}, "k_per_day": {"low": 2.0}}),
            ("parameter_config.log_k and parameter_config.k_per_day", "set the range of k_per_day"),
        ),
    ],
)
def test_unsupported_values_are_refused(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    for part in expected:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize("key", SMALLEST)
def test_required_keys(key: str) -> None:
    with pytest.raises(ConfigError, match=f"no '{key}', which is required"):
        Experiment.from_fingerprint({name: value for name, value in SMALLEST.items() if name != key})


def test_parameters_of_the_channel_rules_are_translated() -> None:
    experiment = read(
        rule="mean_reversion_channel",
        initial_log_amplitude=1.0,
        initial_raw_width=-5.0,
        initial_raw_exponents=0.5,
        initial_pre_exp_scaling=0.25,
    )
    raw = experiment.initial_parameters()
    assert experiment.update.pre_exp_scaling == "log2"
    for name, value in {
        "log_amplitude": 1.0,
        "raw_width": -5.0,
        "raw_exponents": 0.5,
        "raw_pre_exp_scaling": -2.0,
    }.items():
        np.testing.assert_allclose(raw[name], value, err_msg=name)
    assert read(rule="power_channel", use_pre_exp_scaling=True).update.pre_exp_scaling == "log2"
    off = read(rule="power_channel", use_pre_exp_scaling=False)
    assert off.update.pre_exp_scaling == "off"
    assert "raw_pre_exp_scaling" not in off.trainable


def test_min_variance_has_the_published_look_ahead() -> None:
    assert read(rule="min_variance").update.published_look_ahead
    assert "rule: min_variance looks ahead, as in quantammsim: it uses the price" in warnings_of(rule="min_variance")
    assert not read(rule="momentum").update.published_look_ahead


@pytest.mark.parametrize("rule", ["momentum", "ensemble__momentum"])
def test_ensembles_become_members_of_one_rule(rule: str) -> None:
    experiment = read(rule=rule, n_ensemble_members=3, initial_memory_length=7.0, initial_weights_logits=[0.0, 1.0])
    warned = warnings_of(rule=rule, n_ensemble_members=3, initial_memory_length=7.0)
    assert ("n_ensemble_members: makes an ensemble here; in quantammsim only with `ensemble__`" in warned) == (
        rule == "momentum"
    )
    assert experiment.pool.ensemble == tuple((f"member{number}", "momentum") for number in (1, 2, 3))
    raw = experiment.initial_parameters()
    np.testing.assert_allclose(experiment.human_parameters(raw)["member1.memory_days"], 7.0)
    np.testing.assert_array_equal(raw["initial_weights_logits"], [0.0, 1.0])
    for name in ("logit_lamb", "log_k"):
        members = np.stack([raw[f"member{number}.{name}"] for number in (1, 2, 3)])
        assert len(np.unique(members[:, 0])) == 3, "members that start alike would stay alike in training"
        assert np.abs(members - members[0]).max() < 3.0


def test_the_spread_of_an_ensemble_is_repeatable_and_can_be_none() -> None:
    assert read(n_ensemble_members=2).identity == read(n_ensemble_members=2).identity
    assert read(n_ensemble_members=2).identity != read(n_ensemble_members=2, ensemble_init_seed=1).identity
    raw = read(n_ensemble_members=2, ensemble_init_scale=0.0).initial_parameters()
    np.testing.assert_array_equal(raw["member1.logit_lamb"], raw["member2.logit_lamb"])
    assert read(rule="ensemble__momentum").pool.rule == "momentum", "an ensemble of one is its member"


@pytest.mark.parametrize("method", ["lhs", "centered_lhs", "sobol", "grid"])
def test_members_can_be_points_of_the_parameter_ranges(method: str) -> None:
    experiment = read(n_ensemble_members=4, ensemble_init_method=method)
    human = experiment.human_parameters(experiment.initial_parameters())
    memories = np.array([human[f"member{number}.memory_days"] for number in (1, 2, 3, 4)])
    assert len(np.unique(np.hstack([memories, [human[f"member{n}.k_per_day"] for n in (1, 2, 3, 4)]]), axis=0)) == 4
    assert (memories >= 1.0).all()
    assert (memories <= 200.0).all()
    if method != "grid":  # each fourth of the range, on its logarithmic scale, holds one
        shares = np.log(memories) / math.log(200.0)
        if method != "sobol":
            np.testing.assert_array_equal(np.sort(np.floor(4 * shares), axis=0), np.tile(np.arange(4.0)[:, None], 2))
        if method == "centered_lhs":
            np.testing.assert_allclose(4 * shares % 1.0, 0.5, rtol=1e-9)
    assert "ensemble_init_scale" in warnings_of(
        n_ensemble_members=4, ensemble_init_method=method, ensemble_init_scale=0.1
    )


def test_lists_per_token_are_in_sorted_order_and_a_warning_says_so() -> None:
    values = {"initial_weights_logits": [2.0, -2.0], "initial_memory_length": [5.0, 30.0]}
    experiment = read(tokens=["ETH", "BTC"], rule="balancer", **values)
    weights = experiment.human_parameters(experiment.initial_parameters())["initial_weights"]
    assert dict(zip(experiment.tokens, weights, strict=True))["BTC"] == pytest.approx(1 / (1 + math.exp(-4.0)))
    values["initial_weights_logits"] = [1.0, -1.0]
    assert dict(read(tokens=["ETH", "BTC"], **values).parameters)["memory_days"] == (30.0, 5.0)
    assert "tokens: quantammsim sorts ETH, BTC" in warnings_of(tokens=["ETH", "BTC"], **values)
    assert not warnings_of(tokens=["ETH", "BTC"], initial_memory_length=[5.0, 5.0]), "the order does not matter"
    assert not warnings_of(tokens=["BTC", "ETH"], **values)


def test_initial_values_are_numbers_or_of_each_token_or_of_each_parameter_set() -> None:
    rows = [[5.0, 10.0], [20.0, 40.0]]
    experiment = read(
        tokens=["ETH", "BTC"], initial_memory_length=rows, initial_k_per_day=3.0, **optimised(n_parameter_sets=2)
    )
    assert dict(experiment.parameters)["memory_days"] == (10.0, 5.0)
    assert [dict(start)["memory_days"] for start in experiment.sgd.starts] == [(10.0, 5.0), (40.0, 20.0)]
    assert [dict(start)["k_per_day"] for start in experiment.sgd.starts] == [3.0, 3.0]
    one = read(initial_memory_length=rows[:1])
    assert one.sgd.starts == ()
    assert dict(one.parameters)["memory_days"] == (5.0, 10.0)
    difference = read(use_alt_lamb=True, initial_memory_length=[5.0, 10.0], initial_memory_length_delta=2.0)
    assert dict(difference.parameters)["alt_memory_days"] == (7.0, 12.0)


def test_bounds_of_each_token() -> None:
    bounds = {"min_weights_per_asset": [0.01, 0.2], "max_weights_per_asset": [0.6, 0.7]}
    learned = read(rule="bounded__momentum", tokens=["ETH", "BTC"], learnable_bounds_settings=bounds)
    assert learned.pool.rule == "momentum"
    assert dict(learned.parameters)["minimum_weights"] == (0.2, 0.01)
    assert "logit_maximum_weights" in learned.trainable
    frozen = read(rule="bounded__momentum", learnable_bounds_settings={**bounds, "freeze_bounds": True})
    assert frozen.pool.minimum_weight == (0.05, 0.2), "0.1/n holds, too"
    assert frozen.pool.maximum_weight == (0.6, 0.7)
    assert "logit_maximum_weights" not in frozen.trainable
    both = read(rule="ensemble__bounded__momentum", n_ensemble_members=2, learnable_bounds_settings=bounds)
    assert both.pool.ensemble
    assert "logit_minimum_weights" in both.trainable


def test_subsidiaries_have_the_settings_of_the_pool_unless_they_have_their_own() -> None:
    part = {
        "tokens": ["XRP", "LTC"],
        "update_rule": "anti_momentum",
        "initial_memory_length": [3.0, 6.0],
        "fees": 0.001,
    }
    experiment = read(fees=0.003, chunk_period=720, initial_k_per_day=2.0, subsidary_pools=[part])
    assert experiment.data.tokens == ("BTC", "ETH", "XRP", "LTC")
    assert experiment.tokens == ("BTC", "ETH", "subsidiary1")
    ((name, subsidiary),) = experiment.subsidiaries
    assert (name, subsidiary.tokens, subsidiary.rule) == ("subsidiary1", ("XRP", "LTC"), "anti_momentum")
    assert (experiment.fees.swap_fee, subsidiary.fees.swap_fee) == (0.003, 0.001)
    assert subsidiary.update is not None
    assert subsidiary.update.chunk_minutes == 720
    human = experiment.human_parameters(experiment.initial_parameters())
    np.testing.assert_allclose(human["subsidiary1.memory_days"], [6.0, 3.0], err_msg="given for LTC, XRP")
    np.testing.assert_allclose(human["subsidiary1.k_per_day"], [2.0, 2.0])
    np.testing.assert_allclose(human["k_per_day"], [2.0, 2.0, 2.0])


def test_gas_is_that_of_the_main_pool() -> None:
    part = {"tokens": ["XRP", "LTC"], "update_rule": "anti_momentum"}
    assert "gas_cost: is that of the main pool" in warnings_of(gas_cost=5.0, subsidary_pools=[part])
    experiment = read(gas_cost=5.0, subsidary_pools=[part])
    assert (experiment.fees.gas_cost_usd, dict(experiment.subsidiaries)["subsidiary1"].fees.gas_cost_usd) == (5.0, 0.0)
    with pytest.raises(ConfigError, match=r"subsidiaries.subsidiary1.fees.gas_cost_usd = 5"):
        read(subsidary_pools=[{**part, "gas_cost": 5.0}])


def test_a_search_uses_even_and_random_windows_shorter_by_bout_offset() -> None:
    experiment = read(bout_offset=20 * 1440, **searched(multi_objective=True), return_val="sharpe")
    objective = experiment.objective
    assert (objective.n_periods, objective.n_random_periods, objective.bout_offset_days) == (20, 20, 0.0)
    n_bars = 120 * 24
    periods = even_periods(n_bars, objective.n_periods, objective.period_overlap)
    assert {abs(period.n_bars - 100 * 24) for period in periods} <= {0, 1}
    assert (periods[0].first, periods[-1].end) == (0, n_bars)
    assert experiment.search.objectives == ("sharpe.mean", "sharpe.worst", "-sharpe.std")
    assert experiment.search.overfitting_penalty == 0.0
    assert read(bout_offset=0, **searched()).objective.n_periods == 1
    assert read().objective.n_periods == 1, "gradients draw one window at a time"


def test_ranges_go_to_the_study() -> None:
    config = {"memory_length": {"low": 2.0, "high": 50.0}, "log_k": {"low": -1.0, "high": 3.0, "scalar": True}}
    space = load_search_space(read(**searched(parameter_config=config))).describe()
    assert space == {
        "memory_days[BTC]": [2.0, 50.0, True],
        "memory_days[ETH]": [2.0, 50.0, True],
        "k_per_day": [0.5, 8.0, True],
    }
    scalar = load_search_space(read(**searched(parameter_config=config, make_scalar=True))).describe()
    assert list(scalar) == ["memory_days", "k_per_day"]
    whole = load_search_space(read(**searched(expand_around=False))).describe()
    assert whole["memory_days[BTC]"] == [1.0, 200.0, True]
    around = load_search_space(read(**searched())).describe()
    low, high, _ = around["k_per_day[BTC]"]
    assert (math.log2(low), math.log2(high)) == pytest.approx((math.log2(20.0) - 0.1, math.log2(20.0) + 0.1))
    assert "expand_around: parameters without a range" in warnings_of(**searched())
    assert "expand_around" not in warnings_of()
    every = {"memory_length": {"low": 1.0}, "k_per_day": {"low": 0.1}}
    assert "expand_around: parameter_config has ranges for all" in warnings_of(**searched(parameter_config=every))
    assert not warnings_of(**searched(parameter_config=every, expand_around=False))


def test_other_methods_become_the_nearest_driver() -> None:
    quasi_newton = read(**optimised(method="bfgs", bfgs_settings={"maxiter": 7, "n_evaluation_points": 3}))
    assert (quasi_newton.driver, quasi_newton.sgd.optimiser, quasi_newton.sgd.steps) == ("sgd", "lbfgs", 7)
    assert (quasi_newton.objective.n_periods, quasi_newton.objective.bout_offset_days) == (3, 0.0)
    evolution = read(**optimised(method="cma_es", cma_es_settings={"n_generations": 5, "population_size": 6}))
    assert (evolution.driver, evolution.search.sampler, evolution.search.trials) == ("search", "cmaes", 30)
    assert read(**optimised(method="cma_es")).search.trials == 300 * 8
    assert "bfgs_settings.tol" in warnings_of(**optimised(method="bfgs", bfgs_settings={"tol": 1e-3}))


def test_learning_rates_decay_as_in_quantammsim() -> None:
    plain = read(**optimised(optimiser="sgd", base_lr=0.01, decay_lr_plateau=200, min_lr=1e-4)).sgd
    assert (plain.schedule, plain.plateau_patience, plain.plateau_factor, plain.plateau_steps) == (
        "plateau",
        200,
        0.8,
        1,
    )
    assert plain.final_fraction == pytest.approx(0.01)
    lowered = read(**optimised(use_plateau_decay=True, min_lr=0.01)).sgd
    assert (lowered.schedule, lowered.final_fraction) == ("plateau", pytest.approx(0.0, abs=1e-9)), "no floor there"
    assert "min_lr: has no effect here" in warnings_of(**optimised(use_plateau_decay=True, min_lr=0.01))
    assert "decay_lr_plateau: has no effect here" in warnings_of(**optimised(decay_lr_plateau=50))
    cosine = read(**optimised(lr_schedule_type="warmup_cosine", warmup_steps=30, lr_decay_ratio=50)).sgd
    assert (cosine.schedule, cosine.warmup_steps, cosine.final_fraction) == ("warmup_cosine", 30, 0.02)
    assert "use_plateau_decay" in warnings_of(**optimised(lr_schedule_type="cosine", use_plateau_decay=True))
    assert "warmup_steps: the rate rises from 0" in warnings_of(**optimised(lr_schedule_type="warmup_cosine"))


def test_plain_ascent_has_no_clipping_and_no_schedule_but_the_plateau() -> None:
    """There, the optimiser ``sgd`` adds the gradient times the rate, and lowers the rate; multi-period training does not."""
    plain = read(**optimised(optimiser="sgd", lr_schedule_type="cosine", clip_norm=1.0)).sgd
    assert (plain.schedule, plain.clip_norm) == ("plateau", 1e12)
    warned = warnings_of(**optimised(optimiser="sgd", lr_schedule_type="cosine", clip_norm=1.0))
    assert "lr_schedule_type: has no effect here" in warned
    assert "clip_norm: has no effect here" in warned
    chained = read(multi_period={"max_epochs": 40}, **optimised(optimiser="sgd", clip_norm=1.0)).sgd
    assert (chained.optimiser, chained.schedule, chained.clip_norm) == ("sgd", "constant", 1.0)
    falls = warnings_of(multi_period={"max_epochs": 40}, **optimised(lr_schedule_type="cosine"))
    assert "lr_schedule_type: decays over multi_period.max_epochs" in falls


def test_differences_of_meaning_are_warned_about() -> None:
    assert "price_noise_sigma: the rule and the arbitrageurs see the noise here" in warnings_of(price_noise_sigma=0.001)
    assert "in quantammsim they are not used if there is validation data" in warnings_of(**optimised(use_swa=True))
    alone = optimised(use_swa=True, val_fraction=0.0, early_stopping=False)
    assert "use_swa: averages are stored as additional sets here" in warnings_of(**alone)
    assert "in quantammsim they are the result of training" in warnings_of(**alone)
    call = {"n_periods": 3, "overlap_fraction": 0.5}
    assert "use_swa: has no effect here" in warnings_of(multi_period=call, **optimised(use_swa=True))
    assert "overlap_fraction: the periods cover all of training here" in warnings_of(multi_period=call)
    for other in (searched(), {"multi_period": call}):
        assert "turnover_penalty: counts here" in warnings_of(turnover_penalty=0.1, **other)
    assert not warnings_of(turnover_penalty=0.1)


@pytest.mark.parametrize(
    ("return_val", "metric", "expected"),
    [
        ("sharpe", None, "daily_log_sharpe, the default of quantammsim, is not used here: return_val = sharpe"),
        ("sharpe", "sharpe", "early_stopping_metric: sharpe is not used here: return_val = sharpe"),
        ("daily_sharpe", "sharpe", ""),
        ("returns", "return", ""),
        ("daily_log_sharpe", None, ""),
    ],
)
def test_another_early_stopping_metric_is_warned_about(return_val: str, metric: str | None, expected: str) -> None:
    found = warnings_of(return_val=return_val, **optimised(early_stopping_metric=metric))
    assert expected in found
    assert ("is not used here" in found) == bool(expected)
    assert "is not used here" not in warnings_of(return_val=return_val, **searched())


def test_settings_of_gradient_training() -> None:
    experiment = read(
        price_noise_sigma=0.001,
        turnover_penalty=0.72,
        ste_max_change=True,
        ste_min_max_weight=True,
        **optimised(
            use_swa=True, swa_start_frac=0.5, swa_freq=5, include_flipped_training_data=True, train_on_hessian_trace=True,
            use_gradient_clipping=False, sample_method="exponential", track_checkpoints=True, checkpoint_interval=40,
            early_stopping_patience=100,
        ),
    )  # fmt: skip
    sgd = experiment.sgd
    assert (sgd.average_from_step, sgd.average_every, sgd.time_reversed, sgd.price_noise) == (500, 5, True, 0.001)
    assert (sgd.hessian_penalty, sgd.hessian_samples > 0, sgd.clip_norm) == (1e-4, True, 1e12)
    assert (sgd.sampling, sgd.report_every, sgd.early_stopping_reports) == ("exponential", 40, 3)
    assert sgd.straight_through == ("maximum_change", "weight_bounds")
    assert dict(experiment.objective.weights) == {"turnover": pytest.approx(0.001)}


def test_training_without_validation_data_does_not_stop_early() -> None:
    assert read(**optimised(val_fraction=0.0)).sgd.early_stopping_reports is None
    assert "early_stopping: needs validation data" in warnings_of(**optimised(val_fraction=0.0))
    assert not warnings_of(**optimised(val_fraction=0.0, early_stopping=False))


def test_multi_period_training_is_one_window_in_parts() -> None:
    call = {
        "n_periods": 3,
        "overlap_fraction": 0.5,
        "max_epochs": 40,
        "aggregation": "softmin",
        "softmin_temperature": 0.5,
    }
    experiment = read(multi_period=call, **optimised(optimiser="adam"))
    objective, sgd = experiment.objective, experiment.sgd
    assert (objective.n_periods, objective.period_overlap, objective.aggregate) == (3, 0.5, "softmin")
    assert (objective.softmin_temperature, objective.bout_offset_days) == (0.5, 0.0)
    assert (sgd.steps, sgd.n_parameter_sets, sgd.batch_size, sgd.early_stopping_reports) == (40, 1, 1, None)
    assert not experiment.periods.has_validation
    assert "aggregation: softmin is" in warnings_of(multi_period=call)


def test_keys_of_the_other_driver_are_warned_about() -> None:
    assert "force_scalar: gradients change" in warnings_of(**optimised(force_scalar=True))
    assert "force_scalar" not in warnings_of(**optimised(method="optuna", force_scalar=True))
    assert "price_noise_sigma: is only for gradient training" in warnings_of(price_noise_sigma=0.001, **searched())
    several = searched(multi_objective=True, early_stopping={"enabled": True})
    assert "turnover_penalty: does not count" in warnings_of(turnover_penalty=0.1, **several)
    assert "early_stopping.enabled: a search with several objectives" in warnings_of(**several)


def test_numpy_values_are_accepted() -> None:
    plain = read(initial_memory_length=[5.0, 10.0], fees=0.003, chunk_period=60)
    arrays = {"initial_memory_length": np.array([5.0, 10.0]), "fees": np.float64(0.003), "chunk_period": np.int64(60)}
    assert read(**arrays) == plain
    assert not warnings_of(**arrays)


def test_another_start_of_validation_is_warned_about() -> None:
    """80 % of three days of daily chunks is in the middle of the third; of five days, the end of the fourth."""
    given = {"startDateString": "2023-01-01 00:00:00", "chunk_period": 1440, **optimised(val_fraction=0.2)}
    assert "validation starts with a chunk, at 2023-01-03 00:00, but in quantammsim at 2023-01-03 09:36" in warnings_of(
        **given, endDateString="2023-01-04 00:00:00"
    )
    assert "val_fraction" not in warnings_of(**given, endDateString="2023-01-06 00:00:00")
