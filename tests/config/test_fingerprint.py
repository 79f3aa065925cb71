"""Configuration dictionaries of the published implementation: what they become, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantsim import Experiment
from quantsim.errors import ConfigError

SMALLEST: dict[str, Any] = {
    "tokens": ["BTC", "ETH"],
    "rule": "momentum",
    "startDateString": "2023-01-01 00:00:00",
    "endDateString": "2023-06-01 00:00:00",
}


def read(**changes: Any) -> Experiment:
    return Experiment.from_fingerprint({**SMALLEST, **changes})


def test_what_is_left_out_takes_the_defaults_of_that_implementation() -> None:
    experiment = read()
    assert experiment.data.tokens == ("BTC", "ETH")
    assert experiment.periods.splits() == {
        "train": (datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC))
    }
    assert experiment.update.chunk_minutes == experiment.update.interpolation_minutes == 1440
    assert experiment.update.maximum_change_per_minute == 3e-4
    assert experiment.update.max_memory_days == 365.0
    assert experiment.pool.initial_value_usd == 1e6
    assert experiment.pool.minimum_weight is None
    assert not experiment.fees.any
    assert experiment.objective.metric == "sharpe"
    assert experiment.objective.bout_offset_days == 0.0


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


def test_every_key_that_counts_is_translated() -> None:
    experiment = read(**EVERY_KEY)
    assert experiment.data.tokens == ("ETH", "BTC", "XRP")
    assert (experiment.update.chunk_minutes, experiment.update.interpolation_minutes) == (60, 30)
    assert experiment.update.interpolation == "published_optimal"
    assert experiment.update.maximum_change_per_minute == 1e-4
    assert experiment.update.max_memory_days == 100.0
    assert experiment.update.use_alt_lamb
    assert experiment.fees.model_dump() == {
        "swap_fee": 0.003,
        "arb_fee": 0.0005,
        "gas_cost_usd": 7.0,
        "noise_trader_ratio": 1.5,
        "protocol_fee_split": 0.25,
        "rule": None,
        "rebalancing_cost": 0.0005,
    }
    assert experiment.pool.model_dump() == {
        "rule": "anti_momentum",
        "ensemble": {},
        "tokens": None,
        "maximum_weight": None,
        "arb_quality": 1.0,
        "published_band_trades": False,
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
    assert splits["validation"][1] == datetime(2023, 6, 1, tzinfo=UTC)
    assert splits["test"][1] == datetime(2023, 8, 1, tzinfo=UTC)
    share = (splits["train"][1] - splits["train"][0]) / (splits["validation"][1] - splits["train"][0])
    assert share == pytest.approx(0.8, abs=1e-3)
    minutes = (splits["train"][1] - splits["train"][0]).total_seconds() / 60
    assert minutes % 60 == 0, "training ends on a chunk boundary"
    parameters = dict(experiment.parameters)
    assert (parameters["memory_days"], parameters["alt_memory_days"], parameters["k_per_day"]) == (20.0, 25.0, 3.0)
    np.testing.assert_array_equal(experiment.initial_parameters()["initial_weights_logits"], [0.0, 1.0, 0.5])


def test_tables_given_extend_the_translated_ones() -> None:
    experiment = Experiment.from_fingerprint(
        {**SMALLEST, "fees": 0.003}, data={"source": "somewhere"}, fees={"arb_fee": 0.001}, name="mine", seed=5
    )
    assert experiment.data.source == str(Path.cwd() / "somewhere")
    assert experiment.data.tokens == ("BTC", "ETH")
    assert (experiment.fees.swap_fee, experiment.fees.arb_fee) == (0.003, 0.001)
    assert (experiment.name, experiment.seed) == ("mine", 5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chunk_periods": 60}, ("'chunk_periods'", "did you mean 'chunk_period'?")),
        ({"fee": 0.1}, ("'fee'", "did you mean 'fees'?")),
        ({"optimisation_settings": {"base_lrr": 1.0}}, ("optimisation_settings", "did you mean 'base_lr'?")),
        ({"optimisation_settings": {"optuna_settings": {"n_trails": 5}}}, ("'n_trails'", "did you mean 'n_trials'?")),
        ({"freq": "hour"}, ("freq = 'hour'", "not supported", "'minute'")),
        ({"arb_quality": 0.8}, ("arb_quality = 0.8", "batches", "'cow'")),
        ({"numeraire": "ETH"}, ("numeraire = 'ETH'", "not supported")),
        ({"optimisation_settings": {"use_swa": True}}, ("optimisation_settings.use_swa = True", "not supported")),
        ({"optimisation_settings": {"val_fraction": 1.0}}, ("val_fraction = 1.0", "below 1")),
        ({"weight_interpolation_method": "liner"}, ("'liner'", "did you mean 'linear'?")),
        ({"startDateString": "1st of May"}, ("startDateString = '1st of May'", "'2023-01-31 00:00:00'")),
        ({"rule": "momentun"}, ("did you mean 'momentum'?",)),
        ({"fees": 1.5}, ("fees.swap_fee", "less than 1")),
        ({"return_val": "shape"}, ("objective.metric", "did you mean 'sharpe'?")),
        ({"endDateString": "2022-01-01 00:00:00"}, ("train_end = 2022-01-01", "after")),
        ({"weight_interpolation_period": 2880}, ("interpolation_minutes = 2880", "chunk_minutes = 1440")),
        ({"initial_weights_logits": [0.0, 1.0, 2.0]}, ("initial_weights_logits", "(3,)")),
        ({"optimisation_settings": {"initial_random_key": -4}}, ("seed", "-4")),
        ({"n_ensemble_members": 0}, ("n_ensemble_members = 0", "at least 1")),
        ({"n_ensemble_members": 2, "initial_memory_length": -1.0}, ("memory_days = [-1.0, -1.0]", "positive")),
        ({"n_ensemble_members": 2.5}, ("n_ensemble_members = 2.5", "whole number")),
        ({"rule": "balancer", "n_ensemble_members": 2}, ("ensemble", "balancer")),
        ({"rule": "bounded__momentum"}, ("unknown rule 'bounded__momentum'",)),
        ({"subsidary_pools": [{"tokens": ["BTC", "DAI"]}]}, ("subsidary_pools", "not supported")),
        ({"ste_max_change": True}, ("ste_max_change = True", "not supported")),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    for part in said:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize("key", SMALLEST)
def test_required_keys(key: str) -> None:
    with pytest.raises(ConfigError, match=f"no '{key}', and it is required"):
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


def test_the_published_look_ahead_comes_with_the_rule_that_has_it() -> None:
    assert read(rule="min_variance").update.published_look_ahead
    assert not read(rule="momentum").update.published_look_ahead


@pytest.mark.parametrize("rule", ["momentum", "ensemble__momentum"])
def test_ensembles_become_members_of_one_rule(rule: str) -> None:
    experiment = read(rule=rule, n_ensemble_members=3, initial_memory_length=7.0, initial_weights_logits=[0.0, 1.0])
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
