"""Each check of a rule catches one that breaks its law, and names the law."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from quantsim.errors import QuantsimError
from quantsim.fee_rules import FeeRule
from quantsim.parameters import Transform, common
from quantsim.rules import Observed, Output, Rule, RuleSettings
from quantsim.testing import ConformanceError, check_fee_rule, check_rule

SETTINGS = RuleSettings(chunk_minutes=1440, max_memory_days=3.0)
SMALL: dict[str, Any] = {"n_tokens": 2, "n_boundaries": 16}
K = common.k_per_day
OUTPUTS = Callable[[dict[str, Array], Observed, RuleSettings], Array]


def tilt(params: dict[str, Array], observed: Observed, settings: RuleSettings) -> Array:
    """A sound rule of one line: towards what is dearer than at first."""
    return 0.1 * jnp.exp2(params["log_k"]) * jnp.log(observed.prices / observed.prices[0])


SOUND = Rule("mine", "for a test", (K,), Output.CHANGE, tilt)


def with_prices(function: Callable[[Array], Array]) -> Rule:
    return replace(SOUND, outputs=lambda params, observed, _: jnp.exp2(params["log_k"]) * function(observed.prices))


def of_prices(function: Callable[[Array], Array]) -> Rule:
    return replace(SOUND, outputs=lambda _, observed, __: function(observed.prices))


def with_k(function: Callable[[Array], Array]) -> Rule:
    """The sound rule, whose strength is a function of the raw parameter."""
    return replace(SOUND, outputs=lambda params, observed, _: function(params["log_k"]) * jnp.log(observed.prices))


def with_spec(**fields: Any) -> Rule:
    return replace(SOUND, parameters=(replace(K, **fields),))


def moves(prices: Array) -> Array:
    return jnp.diff(prices, axis=0, prepend=0.9 * prices[:1])


@jax.custom_vjp
def doubled(x: Array) -> Array:
    return 2.0 * x


doubled.defvjp(lambda x: (2.0 * x, None), lambda _, cotangent: (3.0 * cotangent,))

SCALE = itertools.count(1)
ONE_WAY = Transform(lambda value, *_: value, lambda raw, *_: raw + 1.0)
BROKEN: dict[str, tuple[Rule, str, str]] = {
    "no description": (replace(SOUND, description="\n"), "description", "one line of text"),
    "a name twice": (
        replace(SOUND, parameters=(K, K)),
        "parameters",
        "two parameters 'k_per_day'|two parameters 'log_k'",
    ),
    "a range upside down": (with_spec(low=2.0, high=1.0), "parameters", "put low below high"),
    "a range down to zero": (with_spec(low=0.0), "parameters", "above 0 where log=True"),
    "a range beyond the domain": (with_spec(low=-1.0, log=False), "parameters", "must be a positive number"),
    "a transform that does not invert": (with_spec(transform=ONE_WAY), "parameters", "inverse to each other"),
    "one column": (of_prices(lambda p: p[:, 0]), "shape and type", r"must return one of \(K, n\) = \(16, 2\)"),
    "single precision": (of_prices(lambda p: p.astype(jnp.float32)), "shape and type", "must return float64"),
    "a branch on values": (with_prices(lambda p: p if p[0, 0] > 1 else -p), "shape and type", "jnp.where in place"),
    "sums that are none": (replace(SOUND, sums_to_zero=True), "outputs", "sums_to_zero = True"),
    "nan": (
        with_prices(lambda p: jnp.log(p - p.mean(axis=1, keepdims=True))),
        "finite",
        "returns nan at random prices",
    ),
    "tomorrow's price": (with_prices(lambda p: jnp.roll(p, -1, axis=0)), "no look-ahead", "changes when prices after"),
    "the number of boundaries": (
        with_prices(lambda p: p / p.shape[0]),
        "same inputs, same outputs",
        "neither on the number of boundaries",
    ),
    "a number of its own each time": (
        replace(SOUND, outputs=lambda params, seen, _: tilt(params, seen, _) * next(SCALE)),
        "same inputs, same outputs",
        "moves an output by",
    ),
    "a scan mode that matters": (
        replace(SOUND, outputs=lambda params, seen, s: tilt(params, seen, s) * (1 + (s.scan_mode == "associative"))),
        "scan modes",
        "give estimators settings.scan_mode",
    ),
    "a gradient that is stopped": (
        with_k(lambda k: jax.lax.stop_gradient(jnp.exp2(k))),
        "gradients",
        "finite differences",
    ),
    "an adjoint that is wrong": (with_k(lambda k: doubled(k)), "gradients", "a custom derivative that is wrong"),
    "a parameter that is rounded": (with_k(jnp.round), "gradients", "gradients cannot train it"),
    "a gradient that is infinite": (
        with_prices(lambda p: jnp.sqrt(jnp.abs(jnp.log(p / p[0])))),
        "gradients",
        "be finite",
    ),
    "nothing where prices rest": (
        with_prices(lambda p: moves(p) / jnp.abs(moves(p)).max(axis=1, keepdims=True)),
        "finite",
        "nan at constant prices",
    ),
    "an oracle that it does not ask for": (
        replace(SOUND, outputs=lambda params, seen, s: tilt(params, seen, s) + seen.oracle),
        "oracle",
        "fails with TypeError",
    ),
    "weights that are kept too long": (
        replace(
            SOUND,
            output=Output.WEIGHTS,
            outputs=lambda params, seen, _: jax.nn.softmax(params["log_k"] * seen.prices),
            persistence=lambda params, _: params["log_k"],
        ),
        "persistence",
        "at least 0 and below 1",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_rule_that_breaks_a_law_is_an_error_that_names_it(broken: str) -> None:
    rule, law, said = BROKEN[broken]
    with pytest.raises(ConformanceError, match=said) as caught:
        check_rule(rule, SETTINGS, **SMALL)
    assert caught.value.law == law
    assert str(caught.value).startswith(f"{law}: ")
    assert "rule 'mine'" in str(caught.value)


@pytest.fixture
def _settings_of_jax() -> Iterator[None]:
    before = jax.config.jax_default_matmul_precision
    yield
    jax.config.update("jax_default_matmul_precision", before)


@pytest.mark.usefixtures("_settings_of_jax")
def test_a_rule_that_recompiles_is_an_error() -> None:
    precisions = itertools.cycle(["float32", "highest"])

    def outputs(params: dict[str, Array], observed: Observed, settings: RuleSettings) -> Array:
        jax.config.update("jax_default_matmul_precision", next(precisions))
        return tilt(params, observed, settings)

    with pytest.raises(ConformanceError, match=r"one program: rule 'mine' was traced \d+ times"):
        check_rule(replace(SOUND, outputs=outputs), SETTINGS, **SMALL)


SOUND_WITH_KINKS = {
    "kinks": lambda p: jnp.abs(jnp.log(p / p[0])),
    "jumps": lambda p: jnp.where(p > p[0], 0.1, -0.1) * p,
    "kinks exactly here": lambda p: jnp.maximum(p, p[0]),
    "ranks": lambda p: p * jnp.argsort(jnp.argsort(p, axis=1), axis=1),
}


@pytest.mark.parametrize("sound", SOUND_WITH_KINKS)
def test_a_sound_rule_is_left_alone(sound: str) -> None:
    check_rule(with_prices(SOUND_WITH_KINKS[sound]), SETTINGS, **SMALL)


def test_outputs_may_be_unknown_at_first() -> None:
    """Up to ``max_memory_days``; an experiment grants that much history."""
    for rows, is_sound in ((3, True), (4, False)):
        rule = replace(SOUND, outputs=lambda *given, rows=rows: tilt(*given).at[:rows].set(jnp.nan))
        if is_sound:
            check_rule(rule, SETTINGS, **SMALL)
        else:
            with pytest.raises(ConformanceError, match="finite: rule 'mine' returns nan at random prices"):
                check_rule(rule, SETTINGS, **SMALL)


def test_a_rule_for_one_length_of_data_is_an_error() -> None:
    signal = jnp.asarray(np.random.default_rng(0).standard_normal((16, 2)))
    rule = with_prices(lambda p: signal * p)
    check_rule(rule, SETTINGS, **SMALL, any_length=False)
    with pytest.raises(ConformanceError, match="shape and type: rule 'mine' fails with TypeError"):
        check_rule(rule, SETTINGS, **SMALL)


def test_too_few_boundaries_are_told() -> None:
    with pytest.raises(ConformanceError, match="give check_rule a larger n_boundaries"):
        check_rule(SOUND, SETTINGS, n_boundaries=3)


low = replace(common.swap_fee, raw_name="logit_low", human_name="low", default=0.001, opt_in=False)
BROKEN_FEES: dict[str, tuple[Callable[[Array, Array], Array], str, str]] = {
    "thirty percent": (lambda x, p: 30.0 + x * p[:, 0], "outputs", "0.003 is 0.3 %"),
    "a fee for each token": (lambda x, p: 0.01 + 0.0 * p, "shape and type", r"\(K,\) = \(16,\)"),
    "the largest move of all": (
        lambda x, p: 0.01 * jnp.ones(len(p)) * jnp.clip(p.max(), 0, 5),
        "no look-ahead",
        "looks ahead",
    ),
    "a root of nothing": (lambda x, p: 0.01 * jnp.sqrt(jnp.abs(p[:, 0] - p[0, 0])), "gradients", "must be finite"),
}


@pytest.mark.parametrize("broken", BROKEN_FEES)
def test_so_is_a_fee_rule(broken: str) -> None:
    function, law, said = BROKEN_FEES[broken]
    rule = FeeRule("mine", "for a test", (low,), lambda params, seen, _: function(params["logit_low"][0], seen.prices))
    with pytest.raises(ConformanceError, match=said) as caught:
        check_fee_rule(rule, SETTINGS, **SMALL)
    assert caught.value.law == law


def test_a_rule_of_a_file_is_checked_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from quantsim.rules.momentum import RULE\n")
    check_rule(f"{file}:RULE", SETTINGS, **SMALL)
    assert issubclass(ConformanceError, AssertionError)
    assert issubclass(ConformanceError, QuantsimError)
    with pytest.raises(QuantsimError, match="has no 'RULES'; it has RULE"):
        check_rule(f"{file}:RULES")


def test_the_checks_need_no_pytest() -> None:
    check = "import sys, quantsim.testing; sys.exit('pytest' in sys.modules or 'hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
