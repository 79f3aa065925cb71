"""Experiments: errors and their messages, identity, overrides, and the tables of a study file."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from quantsim import Experiment
from quantsim.config.locate import find_study
from quantsim.errors import ConfigError, QuantsimError
from quantsim.pools.steered.steering import weight_bounds

STUDY: dict[str, Any] = {
    "name": "two tokens",
    "data": {"tokens": ["BTC", "ETH"]},
    "periods": {"train_start": "2018-01-01", "train_end": "2018-06-01", "test_end": "2018-09-01"},
    "pool": {"rule": "momentum"},
    "parameters": {"memory_days": [10.0, 20.0], "k_per_day": 5.0},
}


def study(**changes: Any) -> dict[str, Any]:
    """The study with ``table__key=value`` set."""
    values = copy.deepcopy(STUDY)
    for path, value in changes.items():
        *tables, key = path.split("__")
        target = values
        for table in tables:
            target = target.setdefault(table, {})
        target[key] = value
    return values


# changes → parts of the message: the key, the value, the remedy
BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "misspelt table": ({"fes": {"swap_fee": 0.1}}, ("'fes'", "did you mean 'fees'?")),
    "misspelt key": ({"fees__swap_fees": 0.003}, ("fees", "'swap_fees'", "did you mean 'swap_fee'?")),
    "misspelt key of a driver": ({"sgd__learning_rat": 0.1}, ("sgd", "did you mean 'learning_rate'?")),
    "fee of 150 percent": ({"fees__swap_fee": 1.5}, ("fees.swap_fee", "less than 1", "1.5")),
    "fee of one": ({"fees__swap_fee": 1.0}, ("fees.swap_fee", "less than 1")),
    "negative fee": ({"fees__swap_fee": -0.01}, ("fees.swap_fee", "greater than or equal to 0", "-0.01")),
    "negative cost": ({"fees__arb_fee": -0.01}, ("fees.arb_fee", "-0.01")),
    "negative gas": ({"fees__gas_cost_usd": -1}, ("fees.gas_cost_usd", "-1")),
    "negative noise": ({"fees__noise_trader_ratio": -0.5}, ("fees.noise_trader_ratio", "-0.5")),
    "split beyond one": ({"fees__protocol_fee_split": 1.1}, ("fees.protocol_fee_split", "1.1", "less than or equal to 1")),
    "nan fee": ({"fees__swap_fee": float("nan")}, ("fees.swap_fee", "finite")),
    "infinite gas": ({"fees__gas_cost_usd": float("inf")}, ("fees.gas_cost_usd", "finite")),
    "gas of a subsidiary": (
        {
            "pool__tokens": ["BTC", "lp"],
            "subsidiaries__lp": {"tokens": ["BTC", "ETH"], "rule": "balancer", "fees": {"gas_cost_usd": 5.0}},
        },
        ("subsidiaries.lp.fees.gas_cost_usd = 5", "no size in USD", "Leave it out"),
    ),
    "fee as text": ({"fees__swap_fee": "low"}, ("fees.swap_fee", "'low'", "number")),
    "no room between guardrails": ({"pool__minimum_weight": 0.6}, ("pool.minimum_weight = 0.6", "at most 1/2", "2 tokens")),
    "no minimum weight": ({"pool__minimum_weight": 0.0}, ("pool.minimum_weight", "greater than")),
    "negative pool value": ({"pool__initial_value_usd": -5.0}, ("pool.initial_value_usd", "-5.0", "greater than")),
    "empty pool": ({"pool__initial_value_usd": 0}, ("pool.initial_value_usd", "greater than")),
    "unknown rule": ({"pool__rule": "momentun"}, ("pool.rule", "'momentun'", "did you mean 'momentum'?")),
    "unknown metric": ({"objective__metric": "daily_shape"}, ("objective.metric", "'daily_shape'", "'daily_sharpe'?")),
    "unknown reported metric": ({"objective__report": ["returns", "nope"]}, ("objective.report.1", "'nope'")),
    "dates out of order": ({"periods__train_end": "2017-06-01"}, ("train_end = 2017-06-01", "after train_start = 2018-01-01")),
    "empty period": ({"periods__test_end": "2018-06-01"}, ("test_end = 2018-06-01", "after train_end = 2018-06-01")),
    "validation after test": (
        {"periods__validation_end": "2018-10-01"},
        ("test_end = 2018-09-01", "after validation_end = 2018-10-01"),
    ),
    "no date": ({"periods__train_start": "soon"}, ("periods.train_start", "'soon'")),
    "ramp longer than its chunk": (
        {"update__chunk_minutes": 60, "update__interpolation_minutes": 90},
        ("interpolation_minutes = 90", "chunk_minutes = 60"),
    ),
    "no chunk": ({"update__chunk_minutes": 0}, ("update.chunk_minutes", "greater than")),
    "broken chunk": ({"update__chunk_minutes": 1.5}, ("update.chunk_minutes", "1.5")),
    "unknown interpolation": ({"update__interpolation": "cubic"}, ("update.interpolation", "'cubic'", "'linear'", "'optimal'")),
    "tokens twice": ({"data__tokens": ["BTC", "ETH", "BTC"]}, ("data.tokens", "BTC", "each once")),
    "one token": ({"data__tokens": ["BTC"]}, ("data.tokens", "must have at least 2 items, not 1")),
    "unknown parameter": ({"parameters__memory_day": 3.0}, ("'memory_day'", "did you mean 'memory_days'?")),
    "parameter in both forms": ({"parameters__logit_lamb": 3.0}, ("'logit_lamb'", "'memory_days'", "give one of them")),
    "parameter of a wrong shape": ({"parameters__k_per_day": [1.0, 2.0, 3.0]}, ("k_per_day", "(3,)", "2 numbers")),
    "weight below the minimum": (
        {"parameters__initial_weights": [0.04, 0.96]},
        ("parameters.initial_weights", "0.04", "pool.minimum_weight = 0.05"),
    ),
    "weights that do not add up": ({"parameters__initial_weights": [0.5, 0.6]}, ("initial_weights", "1.1", "sum to 1")),
    "weight decay without its optimiser": ({"sgd__weight_decay": 0.1}, ("weight_decay = 0.1", "'adamw' or 'lion'", "'adam'")),
    "momentum without its optimiser": ({"sgd__momentum": 0.9}, ("momentum = 0.9", "optimiser = 'sgd'", "'adam'")),
    "warm-up of another schedule": (
        {"sgd__warmup_steps": 9, "sgd__schedule": "cosine"},
        ("warmup_steps = 9", "'warmup_cosine'", "'cosine'"),
    ),
    "penalty without directions": ({"sgd__hessian_penalty": 0.1}, ("hessian_penalty = 0.1", "hessian_samples of at least 1")),
    "schedule of a line search": (
        {"sgd__optimiser": "lbfgs", "sgd__schedule": "cosine"},
        ("schedule = 'cosine'", "'lbfgs'", "remove it"),
    ),
    "line search in noise": (
        {"sgd__optimiser": "lbfgs", "sgd__price_noise": 0.01},
        ("price_noise = 0.01", "'lbfgs' needs a fixed one", "remove one"),
    ),
    "line search in random directions": (
        {"sgd__optimiser": "lbfgs", "sgd__hessian_samples": 2, "sgd__hessian_penalty": 0.1},
        ("hessian_penalty = 0.1", "'lbfgs' needs a fixed one", "remove one"),
    ),
    "unknown optimiser": ({"sgd__optimiser": "adamm"}, ("sgd.optimiser", "'adamm'", "'adam'", "'lbfgs'")),
    "unknown sampling": ({"sgd__sampling": "random"}, ("sgd.sampling", "'random'", "'exhaustive'")),
    "no tolerance": ({"sgd__plateau_tolerance": 0.0}, ("sgd.plateau_tolerance", "greater than")),
    "unknown limit": ({"sgd__straight_through": ["fees"]}, ("sgd.straight_through", "'fees'", "'weight_bounds'")),
    "unknown trained parameter": (
        {"sgd__train": ["memory_days", "k_per_dya"]},
        ("sgd.train", "'k_per_dya'", "did you mean 'k_per_day'?"),
    ),
    "trained parameter that cannot be": ({"sgd__train": ["initial_weights"]}, ("sgd.train", "'initial_weights'")),
    "reversal with series": (
        {"sgd__time_reversed": True, "series__swap_fee": "fees.csv"},
        ("sgd.time_reversed", "series.swap_fee", "remove one of them"),
    ),
    "patience without validation": (
        {"sgd__early_stopping_reports": 3},
        ("early_stopping_reports = 3", "periods.validation_end or periods.holdout_fraction"),
    ),
    "validation twice": (
        {"periods__validation_end": "2018-07-01", "periods__holdout_fraction": 0.2},
        ("holdout_fraction = 0.2", "validation_end", "give one of them"),
    ),
    "hold out less than a day": ({"periods__holdout_fraction": 0.003}, ("holdout_fraction = 0.003", "at least one")),
    "hold out nearly all": ({"periods__holdout_fraction": 0.997}, ("holdout_fraction = 0.997", "at least one day each")),
    "hold out all": ({"periods__holdout_fraction": 1.0}, ("periods.holdout_fraction", "less than 1")),
    "warm-up longer than the run": ({"sgd__warmup_steps": 500}, ("warmup_steps = 500", "steps = 500")),
    "no steps": ({"sgd__steps": 0}, ("sgd.steps", "greater than")),
    "negative seed": ({"seed": -1}, ("seed", "-1")),
    "several at once": ({"fees__swap_fee": 2.0, "pool__arb_frequency": 0}, ("fees.swap_fee", "pool.arb_frequency")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    changes, expected = BAD[name]
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict(study(**changes), "momentum.toml")
    message = str(caught.value)
    assert message.startswith("momentum.toml is not valid")
    for part in expected:
        assert part in message, message
    assert isinstance(caught.value, QuantsimError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("table", ["data", "periods", "pool"])
def test_a_missing_table_is_named(table: str) -> None:
    values = study()
    del values[table]
    with pytest.raises(ConfigError, match=f"{table}: is missing"):
        Experiment.from_dict(values)


def test_values_at_their_bounds_are_accepted() -> None:
    Experiment.from_dict(study(pool__minimum_weight=0.5, parameters__initial_weights=[0.5, 0.5]))
    Experiment.from_dict(study(parameters__initial_weights=[0.05, 0.95]))
    Experiment.from_dict(study(fees__swap_fee=0.0, fees__protocol_fee_split=1.0))
    Experiment.from_dict(study(update__chunk_minutes=60, update__interpolation_minutes=60))
    hold = study(pool__rule="hodl", parameters__initial_weights=[0.01, 0.99])
    del hold["parameters"]["memory_days"], hold["parameters"]["k_per_day"]
    Experiment.from_dict(hold)  # nothing moves, so there is no guardrail to keep


def test_frozen_and_hashable() -> None:
    one, other = Experiment.from_dict(study()), Experiment.from_dict(study())
    with pytest.raises(ValidationError, match="frozen"):
        one.seed = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        one.fees.swap_fee = 0.5  # type: ignore[misc]
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, one.override(["seed=1"])}) == 2
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301


def test_identity_depends_on_the_content() -> None:
    plain = Experiment.from_dict(study())
    assert len(plain.identity) == 64
    assert plain.identity == Experiment.from_dict(study(name="other", description="words")).identity
    reordered = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in STUDY.items()
    }
    assert Experiment.from_dict(dict(reversed(reordered.items()))).identity == plain.identity
    assert Experiment.from_dict(study(fees__swap_fee=0.0)).identity == plain.identity  # the default, spelt out
    assert Experiment.from_dict(study(periods__train_start="2018-01-01T01:00:00+01:00")).identity == plain.identity
    assert Experiment.from_dict(study(periods__train_start=datetime(2018, 1, 1, tzinfo=UTC))).identity == plain.identity
    assert Experiment.from_dict(study(pool__initial_value_usd=1_000_000)).identity == plain.identity
    whole = study(parameters__k_per_day=5, parameters__memory_days=[10, 20])
    assert Experiment.from_dict(whole).identity == plain.identity
    assert Experiment.from_dict(plain.model_dump(mode="json")).identity == plain.identity
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"data__tokens": ["ETH", "BTC"]},
        {"periods__test_end": "2018-09-02"},
        {"fees__swap_fee": 1e-12},
        {"update__chunk_minutes": 720},
        {"parameters__memory_days": [10.0, 20.000001]},
        {"parameters__memory_days": [20.0, 10.0]},
        {"objective__metric": "returns"},
        {"sgd__steps": 499},
        {"sgd__train": ["memory_days"]},
        {"periods__holdout_fraction": 0.1},
        {"search__sampler": "random"},
    ]
    identities = {Experiment.from_dict(study(**change)).identity for change in changes}
    assert len(identities | {plain.identity}) == len(changes) + 1


def test_identity_is_the_same_in_every_process() -> None:
    code = f"import quantsim; print(quantsim.Experiment.from_dict({STUDY!r}).identity)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert found == {Experiment.from_dict(study()).identity}


def test_times_without_a_zone_are_utc() -> None:
    periods = Experiment.from_dict(study(periods__test_end="2018-09-01T02:00:00+02:00")).periods
    assert periods.splits() == {
        "train": (datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 6, 1, tzinfo=UTC)),
        "test": (datetime(2018, 6, 1, tzinfo=UTC), datetime(2018, 9, 1, tzinfo=UTC)),
    }
    three = Experiment.from_dict(study(periods__validation_end="2018-07-01")).periods.splits()
    assert list(three) == ["train", "validation", "test"]
    assert three["validation"][1] == three["test"][0]


@pytest.mark.parametrize(("start", "fraction", "days"), [("2018-01-01", 0.2, 30), ("2018-01-01T06:00", 0.25, 38)])
def test_holdout_is_whole_days_at_the_end_of_training(start: str, fraction: float, days: int) -> None:
    periods = Experiment.from_dict(study(periods__train_start=start, periods__holdout_fraction=fraction)).periods
    splits, end = periods.splits(), datetime(2018, 6, 1, tzinfo=UTC)
    assert list(splits) == ["train", "validation", "test"]
    assert splits["validation"] == (end - timedelta(days=days), end)
    assert splits["train"] == (periods.train_start, splits["validation"][0]), "no day twice, none left out"
    assert splits["test"] == (end, periods.test_end)
    assert periods.has_validation
    patient = study(periods__train_start=start, periods__holdout_fraction=fraction, sgd__early_stopping_reports=3)
    assert Experiment.from_dict(patient).sgd.early_stopping_reports == 3
    late = study(periods__holdout_fraction=fraction, objective__periods=[["2018-03-01", "2018-05-20"]])
    with pytest.raises(ConfigError, match="must lie within the training period, 2018-01-01"):
        Experiment.from_dict(late)


def test_parameters_in_the_order_of_the_tokens() -> None:
    experiment = Experiment.from_dict(study(data__tokens=["ETH", "BTC"], parameters__memory_days=[30.0, 3.0]))
    raw = experiment.initial_parameters()
    assert raw["logit_lamb"][0] > raw["logit_lamb"][1]
    assert set(raw) == {"initial_weights_logits", "logit_lamb", "logit_delta_lamb", "log_k"}
    given = experiment.initial_parameters({"memory_days": [3.0, 30.0]})
    np.testing.assert_array_equal(given["logit_lamb"], raw["logit_lamb"][::-1])
    np.testing.assert_array_equal(given["log_k"], raw["log_k"])  # the experiment's own, as it is not given


def test_defaults_depend_on_the_pool() -> None:
    experiment = Experiment.from_dict(study(update__chunk_minutes=360))
    assert weight_bounds(experiment.pools[-1])[0][0] == pytest.approx(0.05)
    assert experiment.pools[-1].interpolation_minutes == 360
    assert experiment.trainable == {"logit_lamb", "log_k"}
    assert Experiment.from_dict(study(update__use_alt_lamb=True)).trainable == {
        "logit_lamb",
        "log_k",
        "logit_delta_lamb",
    }
    assert Experiment.from_dict(study(sgd__train=["k_per_day"])).trainable == {"log_k"}
    assert Experiment.from_dict(study(sgd__train=["logit_lamb"])).trainable == {"logit_lamb"}


# Overrides


def test_overrides_are_read_as_toml() -> None:
    plain = Experiment.from_dict(study())
    changed = plain.override(
        [
            "fees.swap_fee=0.003",
            "sgd.steps = 1_000",
            "pool.rule=anti_momentum",  # a bare word is a string
            'description="a = b"',
            "data.tokens=['ETH', 'BTC']",
            "pool.do_arb=false",
            "periods.test_end=2018-08-01",
            "parameters.k_per_day=[1.0, 2.0]",
            "objective.report=['returns']",
        ]
    )
    assert changed.fees.swap_fee == 0.003
    assert changed.sgd.steps == 1000
    assert changed.pool.rule == "anti_momentum"
    assert changed.description == "a = b"
    assert changed.data.tokens == ("ETH", "BTC")
    assert changed.pool.do_arb is False
    assert changed.periods.test_end == datetime(2018, 8, 1, tzinfo=UTC)
    assert dict(changed.parameters)["k_per_day"] == (1.0, 2.0)
    assert dict(changed.parameters)["memory_days"] == (10.0, 20.0)
    assert changed.objective.report == ("returns",)
    assert plain == Experiment.from_dict(study()), "the original stays"
    assert plain.override([]) == plain


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("fees.swap_fee", "'fees.swap_fee' must have the form key=value"),
        ("fees.swap_fees=0.1", "did you mean 'swap_fee'?"),
        ("fee.swap_fee=0.1", "did you mean 'fees'?"),
        ("fees.swap_fee=much", "fees.swap_fee"),
        ("fees.swap_fee=1.5", "less than 1"),
        ("seed.value=1", "'seed' is not a table"),
        ("pool.rule=momentun", "did you mean 'momentum'?"),
    ],
)
def test_bad_overrides_are_refused(assignment: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict(study()).override([assignment])
    assert expected in str(caught.value)


# Files

TOML = """
[data]
tokens = ["BTC", "ETH"]

[periods]
train_start = 2018-01-01
train_end = 2018-06-01T00:00:00Z
test_end = "2018-09-01"

[pool]
rule = "momentum"

[parameters]
memory_days = [10.0, 20.0]
k_per_day = 5.0
"""


def test_a_study_file_is_the_same_experiment(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(TOML)
    experiment = Experiment.load(path)
    assert experiment.name == "two"
    assert experiment.identity == Experiment.from_dict(study()).identity


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml': it is not a file and not a bundled name"):
        Experiment.load(tmp_path / "missing.toml")
    broken, wrong = tmp_path / "broken.toml", tmp_path / "wrong.toml"
    broken.write_text("[data\n")
    wrong.write_text(TOML.replace("k_per_day", "k_per_dya"))
    with pytest.raises(ConfigError, match=r"broken\.toml is not TOML"):
        Experiment.load(broken)
    with pytest.raises(ConfigError, match=r"wrong\.toml is not valid(.|\n)*did you mean 'k_per_day'"):
        Experiment.load(wrong)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"parameters": {"zz": 1.0, "memory_days": "long"}}, "parameters.memory_days: must be a number (got 'long')"),
        ({"parameters": {"memory_days": 1.0, "k_per_day": [1.0, "b"]}}, "parameters.k_per_day.1: must be a number"),
        ({"parameters": {"fast": {"memory_days": True}}}, "parameters.fast.memory_days: must not be true or false"),
        ({"parameters": {"memory_days": {}}}, "parameters: memory_days is an empty table"),
        ({"search": {"fixed": {"b": 1.0, "a": "x"}}}, "search.fixed.a: must be a number (got 'x')"),
        ({"objective": {"weights": {"returns": 1.0, "turnover": True}}}, "objective.weights.turnover: must not be"),
        ({"fees": {"swap_fee": False}}, "fees.swap_fee: must not be true or false (got False)"),
        (
            {"pool": {"rule": "momentum", "minimum_weight": [0.1, True]}},
            "pool.minimum_weight: must not be true or false",
        ),
        ({"pool": {"rule": "momentum", "do_arb": 1}}, "pool.do_arb: must be true or false (got 1)"),
        ({"periods": {"train_start": 2018, "train_end": "2019-01-01"}}, "periods.train_start: must be a date, such as"),
        ({"periods": {"train_start": "1514764800", "train_end": "2019-01-01"}}, "periods.train_start: must be a date"),
        (
            {"periods": {"train_start": "2018-01-01", "train_end": "9999-12-31T23:00-10:00"}},
            "periods.train_end: must be between the years 1970 and 2200",
        ),
        (
            {"objective": {"n_periods": 10**8}},
            "objective.n_periods: must be less than or equal to 5000 (got 100000000)",
        ),
        ({"sgd": {"n_parameter_sets": 10**8}}, "sgd.n_parameter_sets: must be less than or equal to 100000"),
        (
            {"sgd": {"n_parameter_sets": 100_000, "batch_size": 100}},
            "sgd: n_parameter_sets = 100,000 times batch_size = 100",
        ),
        ({"parameters": {"memory_days": 1e308}}, "memory_days = [1e+308, 1e+308] is too large or too small"),
        ({"parameters": {"logit_lamb": 1e5}}, "logit_lamb = [100000.0, 100000.0] is too large or too small"),
        ({"fees": {"x": {"y": 1}}}, "fees: unknown key 'x'"),
        ({"data": 3}, "data: must be a table (got 3)"),
    ],
)
def test_errors_only_name_the_key(changes, expected) -> None:
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict(study(**changes))
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = '\xff'", "is not UTF-8 (byte 8 is 0xff)"),
        (b"x = " + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
        (b"x" + b".x" * 5000 + b" = 1", "is nested too deeply"),
        (b"seed = " + b"9" * 5000, "is not TOML"),
        (b"#" * 5_000_000, "has 5,000,000 bytes"),
        (b"\x00\x01\x02", "is not TOML"),
    ],
)
def test_files_that_are_not_studies_are_refused(tmp_path, content, expected) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        Experiment.load(path)
    assert str(path) in str(caught.value)


def test_a_study_with_a_byte_order_mark_loads(tmp_path) -> None:
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + find_study("momentum_fees").read_bytes())
    assert Experiment.load(path).identity == Experiment.load("momentum_fees").identity


@pytest.mark.parametrize("text", ["~nobody_here/study.toml", "x" * 5000, "a\0b"])
def test_invalid_paths_are_refused(text) -> None:
    with pytest.raises(ConfigError, match="no study"):
        Experiment.load(text)
