"""Rules that look ahead are found, in every way there is to do it, and sound ones are left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from quantsim.errors import ConfigError
from quantsim.fee_rules import FeeRule
from quantsim.parameters import common
from quantsim.rules import Observed, Output, Rule, RuleSettings, centre
from quantsim.rules.momentum import RULE as MOMENTUM
from quantsim.rules.momentum import momentum_outputs
from quantsim.simulator import conformance
from quantsim.simulator.conformance import Subject, conform

SETTINGS = RuleSettings(chunk_minutes=1440, max_memory_days=30.0)
BOUNDARIES = 150

lead = replace(common.width, raw_name="lead", human_name="lead", default=1e-3, low=1e-3, high=4.0)


def rule_of(function: Callable[[Array], Array], **fields: Any) -> Rule:
    """A rule whose outputs are a function of prices, (K, n)."""
    values = {"output": Output.CHANGE, "outputs": lambda _, observed, __: function(observed.prices), **fields}
    return Rule("mine", "for a test", fields.pop("parameters", ()), **values)


def check(one: Rule | FeeRule) -> str | None:
    return conform(Subject.of(one, SETTINGS, n_tokens=3), BOUNDARIES)


def returns(prices: Array) -> Array:
    return jnp.diff(jnp.log(prices), axis=0, prepend=jnp.log(prices[:1]))


def rolling(values: Array, window: int, centred: bool = False) -> Array:
    before = window // 2 if centred else window - 1
    padded = jnp.pad(values, ((before, window - 1 - before), (0, 0)), mode="edge")
    return jnp.stack([padded[at : at + values.shape[0]] for at in range(window)]).mean(axis=0)


def by_fourier(values: Array, kernel: Array) -> Array:
    """Causal: a convolution with entries of the past alone, but every entry passes through one transform."""
    size = 2 * values.shape[0]
    spectrum = jnp.fft.rfft(values, size, axis=0) * jnp.fft.rfft(kernel, size)[:, None]
    return jnp.fft.irfft(spectrum, size, axis=0)[: values.shape[0]]


def low_pass(values: Array) -> Array:
    spectrum = jnp.fft.rfft(values, axis=0)
    return jnp.fft.irfft(spectrum.at[10:].set(0.0), values.shape[0], axis=0)


def backward_average(values: Array) -> Array:
    return jax.lax.scan(lambda mean, x: (0.9 * mean + 0.1 * x,) * 2, values[-1], values, reverse=True)[1]


def filled_backwards(values: Array, window: int = 20) -> Array:
    known = rolling(values, window)
    return jnp.where(jnp.arange(values.shape[0])[:, None] < window - 1, known[window - 1], known)


def weekly_mean(values: Array) -> Array:
    weeks = jnp.arange(values.shape[0]) // 7
    sums = jnp.zeros((BOUNDARIES // 7 + 1, values.shape[1])).at[weeks].add(values)
    return sums[weeks] / 7


LEAKS: dict[str, Callable[[Array], Array]] = {
    "tomorrow's return": lambda p: jnp.roll(returns(p), -1, axis=0),
    "the last row in front of the first": lambda p: jnp.log(p) - jnp.roll(jnp.log(p), 1, axis=0),
    "the direction of tomorrow": lambda p: jnp.sign(jnp.roll(p, -1, axis=0).at[-1].set(p[-1]) - p) * 0.01,
    "centred average": lambda p: p / rolling(p, 9, centred=True) - 1.0,
    "numpy's convolve, same": lambda p: p - jax.vmap(lambda x: jnp.convolve(x, jnp.full(5, 0.2), "same"), 1, 1)(p),
    "gradient": lambda p: jnp.gradient(jnp.log(p), axis=0),
    "mean of all": lambda p: p / p.mean(axis=0) - 1.0,
    "deviation of all": lambda p: returns(p) / returns(p).std(axis=0),
    "standard scores": lambda p: (p - p.mean(axis=0)) / p.std(axis=0),
    "largest of all": lambda p: p / p.max(axis=0),
    "least and largest": lambda p: (p - p.min(axis=0)) / (p.max(axis=0) - p.min(axis=0)),
    "median of all": lambda p: jnp.where(p > jnp.median(p, axis=0), 0.01, -0.01),
    "rank among all": lambda p: jnp.argsort(jnp.argsort(p, axis=0), axis=0) / p.shape[0],
    "last price": lambda p: p / p[-1],
    "backward average": lambda p: p / backward_average(p) - 1.0,
    "cumulated from the end": lambda p: jnp.cumsum(returns(p)[::-1], axis=0)[::-1],
    "largest yet to come": lambda p: jax.lax.cummax(p, axis=0, reverse=True) / p,
    "low-pass filter": lambda p: p / low_pass(p) - 1.0,
    "filled backwards": lambda p: p / filled_backwards(p) - 1.0,
    "mean of the week": lambda p: p / weekly_mean(p),
    "started at the mean": lambda p: jax.lax.scan(lambda m, x: (0.8 * m + 0.2 * x,) * 2, p.mean(axis=0), p)[1] / p,
    "of one token alone": lambda p: returns(p).at[:-1, 1].set(returns(p)[1:, 1]),
    "one far ahead": lambda p: jnp.roll(returns(p), -60, axis=0),
    "tomorrow's return, once": lambda p: jnp.zeros_like(p).at[103].set(returns(p)[104]),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_rule_that_looks_ahead_is_found(leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it is a millionth of what the rule says."""
    monkeypatch.setattr(conformance, "_MOST_SECONDS", 60.0)  # a busy machine tries all boundaries, too
    with pytest.raises(ConfigError, match=r"rule 'mine' looks ahead: its output at boundary \d+ changes") as caught:
        check(rule_of(lambda prices: centre(returns(prices) + 1e-6 * LEAKS[leak](prices), jnp.ones(3))))
    assert "entry j may use what is observed up to j only" in str(caught.value)


def test_a_leak_that_only_some_parameters_open_is_found() -> None:
    def outputs(params: Any, observed: Observed, settings: RuleSettings) -> Array:
        ahead = jnp.round(jnp.exp2(params["lead"][0])).astype(int)
        return jnp.take(returns(observed.prices), jnp.arange(BOUNDARIES) + ahead, axis=0, mode="clip")

    with pytest.raises(ConfigError, match="looks ahead"):
        check(Rule("mine", "for a test", (lead,), Output.CHANGE, outputs))


def test_the_oracle_is_watched_as_prices_are() -> None:
    def outputs(params: Any, observed: Observed, settings: RuleSettings) -> Array:
        assert observed.oracle is not None
        return jax.nn.softmax(jnp.roll(observed.oracle, -1, axis=0), axis=-1)

    with pytest.raises(ConfigError, match="looks ahead"):
        check(Rule("mine", "for a test", (), Output.WEIGHTS, outputs))


def rank_so_far(prices: Array) -> Array:
    rows = jnp.arange(prices.shape[0])
    known = rows[:, None] >= rows
    return ((prices[:, None] > prices[None]) & known[..., None]).sum(axis=1) / (rows[:, None] + 1.0)


def so_far(values: Array) -> Array:
    return jnp.cumsum(values, axis=0) / jnp.arange(1, values.shape[0] + 1)[:, None]


SOUND: dict[str, Callable[[Array], Array]] = {
    "expanding mean": lambda p: p / so_far(p) - 1.0,
    "expanding standard scores": lambda p: (p - so_far(p)) / jnp.sqrt(so_far(p**2) - so_far(p) ** 2 + 1e-8),
    "largest so far": lambda p: p / jax.lax.cummax(p, axis=0) - 1.0,
    "rank so far": rank_so_far,
    "long average": lambda p: p / jax.lax.scan(lambda m, x: (0.999 * m + 0.001 * x,) * 2, p[0], p)[1] - 1.0,
    "causal filter by Fourier transform": lambda p: p / by_fourier(p, jnp.exp(-jnp.arange(40.0) / 10) / 10) - 1.0,
    "sign of one": lambda p: jnp.sign(by_fourier(jnp.log(p / p[0]), jnp.full(20, 0.05))),
    "cubes of one": lambda p: (by_fourier(jnp.log(p / p[0]), jnp.full(20, 0.05))) ** 3,
    "triangular matrix": lambda p: jnp.tril(jnp.ones((p.shape[0],) * 2)) @ returns(p),
    "scaled by the largest, which cancels": lambda p: returns(p / p.max()),
    "rolling, unknown at first": lambda p: rolling(p, 30).at[:29].set(jnp.nan) / p,
    "threshold": lambda p: jnp.where(p > rolling(p, 10), 0.1, -0.1),
    "first price": lambda p: jnp.log(p / p[0]),
    "ranks of the tokens": lambda p: jnp.argsort(jnp.argsort(p, axis=1), axis=1).astype(p.dtype) - 1.0,
    "huge": lambda p: 1e18 * returns(p),
    "tiny": lambda p: 1e-18 * returns(p),
    "a spike": lambda p: returns(p).at[3].set(1e12),
    "nothing": jnp.zeros_like,
    "noise of its own": lambda p: 0.01 * jax.random.normal(jax.random.key(1), p.shape, p.dtype),
}


@pytest.mark.parametrize("sound", SOUND)
def test_a_sound_rule_is_left_alone(sound: str) -> None:
    check(rule_of(SOUND[sound]))


def test_a_fee_rule_that_looks_ahead_is_found() -> None:
    peek = FeeRule("peek", "", (), lambda _, seen, __: 0.01 * jnp.abs(jnp.gradient(jnp.log(seen.prices[:, 0]))))
    with pytest.raises(ConfigError, match="fee rule 'peek' looks ahead"):
        check(peek)


def fee_rule_of(fee: float) -> FeeRule:
    return FeeRule("flat", "", (), lambda _, seen, __: jnp.full(seen.prices.shape[0], fee))


def test_fees_that_no_pool_can_charge_are_refused() -> None:
    """0.003 is 0.3 %, and neither 0.3 % in basis points nor a fee below zero may pass."""
    check(fee_rule_of(0.003))
    for fee in (-1e-4, 1.0, 30.0):
        with pytest.raises(ConfigError, match=f"fee rule 'flat' returns a fee of {fee:.3g}, .* below 1"):
            check(fee_rule_of(fee))


WRONG: dict[str, tuple[Callable[[Array], Any], str]] = {
    "nothing": (lambda p: None, "returns None (is a return missing?)"),
    "a tuple": (lambda p: (p, p), "returns a tuple, but must return one array"),
    "a number": (lambda p: 0.5, "returns a float"),
    "one column": (lambda p: p[:, 0], "shape (150,), but must return one of (K, n) = (150, 3)"),
    "one row": (lambda p: p[-1], "shape (3,)"),
    "one row less": (lambda p: jnp.diff(p, axis=0), "shape (149, 3)"),
    "turned round": (lambda p: p.T, "shape (3, 150)"),
    "whole numbers": (lambda p: jnp.sign(p).astype(int), "int64, but must return float64"),
    "yes and no": (lambda p: p > 1.0, "bool, but must return float64"),
    "single precision": (lambda p: p.astype(jnp.float32), "float32, but must return float64"),
    "complex numbers": (lambda p: jnp.fft.fft(p, axis=0), "complex128"),
    "an exception": (lambda p: p[: {}["gone"]], "fails with KeyError: 'gone'"),
    "numpy": (lambda p: np.asarray(p), "TracerArrayConversionError"),
    "a branch on values": (lambda p: p if p[0, 0] > 1 else -p, "jnp.where in place of branches"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_returned_arrays_are_checked(wrong: str) -> None:
    function, said = WRONG[wrong]
    with pytest.raises(ConfigError, match="rule 'mine' ") as caught:
        check(rule_of(function))
    assert said in str(caught.value)


def test_a_rule_that_calls_exit_is_an_error() -> None:
    with pytest.raises(ConfigError, match="fails with SystemExit: 3"):
        check(rule_of(lambda p: exit(3)))


def test_sums_and_persistence_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"sums_to_zero = True, but its changes sum to .*centre"):
        check(rule_of(returns, sums_to_zero=True))
    with pytest.raises(ConfigError, match=r"weights that sum to .*divide by their sum"):
        check(rule_of(lambda p: p, output=Output.WEIGHTS))
    shares = rule_of(lambda p: p / p.sum(axis=1, keepdims=True), output=Output.WEIGHTS)
    check(replace(shares, persistence=lambda *_: jnp.full(3, 0.5)))
    with pytest.raises(ConfigError, match=r"the persistence of rule 'mine' returns a float.* \(n,\) = \(3,\)"):
        check(replace(shares, persistence=lambda *_: 0.5))
    with pytest.raises(ConfigError, match=r"the persistence of rule 'mine' .*shape \(2,\)"):
        check(replace(shares, persistence=lambda *_: jnp.full(2, 0.5)))


def test_a_memory_beyond_the_longest_one_is_said() -> None:
    said = check(rule_of(lambda p: jnp.log(p) - so_far(jnp.log(p))))
    assert said is not None
    assert "remembers more than update.max_memory_days = 30" in said
    assert check(rule_of(lambda p: jnp.log(p / rolling(p, 30)))) is None


def test_a_leak_far_from_the_prices_of_the_test_is_found_at_those_of_the_data() -> None:
    subject = Subject.of(rule_of(lambda p: jnp.where(p > 20_000.0, jnp.roll(returns(p), -1, axis=0), 0.0)), SETTINGS, 3)
    with pytest.raises(ConfigError, match="looks ahead"):
        conform(replace(subject, levels=(20_000.0, 300.0, 0.1)), BOUNDARIES)


def test_outputs_that_tell_nothing_are_said() -> None:
    said = check(rule_of(lambda p: jnp.sqrt(-p) + jnp.roll(p, -1, axis=0)))
    assert said is not None
    assert "nan throughout in the test for look-ahead" in said


def test_long_data_are_not_needed_and_a_rule_made_for_them_is_content() -> None:
    """A check runs on a thousand boundaries at most, unless the rule can be given no other number than the real one."""
    seen = []

    def count(prices: Array) -> Array:
        seen.append(prices.shape[0])
        return returns(prices)

    conform(Subject.of(rule_of(count), SETTINGS, 3), 500_000)
    assert seen[0] == 500_000
    assert max(seen[1:]) <= 1024
    signal = jnp.asarray(np.random.default_rng(0).standard_normal((1500, 3)))
    conform(Subject.of(rule_of(lambda prices: signal + returns(prices)), SETTINGS, 3), 1500)


def test_a_second_look_costs_nothing() -> None:
    calls = []

    def outputs(params: Any, observed: Observed, settings: RuleSettings) -> Array:
        calls.append(1)
        return momentum_outputs(params, observed, settings)

    rule = replace(MOMENTUM, outputs=outputs)
    check(rule)
    traced = len(calls)
    check(rule)
    assert len(calls) == traced
