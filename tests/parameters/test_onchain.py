"""On-chain numbers: exact for every float64, and in the form of the contracts."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantsim.errors import ParameterError
from quantsim.parameters import Parameter, ParameterSpec, bind, common, to_raw
from quantsim.parameters.onchain import OnChain, exact_decimal, fixed_point, fixed_weights, on_chain
from quantsim.parameters.spec import LOG2, MEMORY_DAYS

FINITE = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
NEAR_ONE = st.integers(0, 2**30).map(lambda steps: 1.0 - steps * 2.0**-53)


@settings(max_examples=500)
@example(0.0)
@example(-0.0)
@example(5e-324)
@example(-2.2250738585072009e-308)
@example(1.7976931348623157e308)
@example(math.nextafter(1.0, 0.0))
@given(FINITE | NEAR_ONE)
def test_the_decimal_is_the_exact_value(value: float) -> None:
    text = exact_decimal(value)
    assert set(text) <= set("-0123456789."), "never scientific"
    assert Fraction(text) == Fraction(value)
    back = float(text)
    assert back == value
    assert math.copysign(1.0, back) == math.copysign(1.0, value)


@settings(max_examples=500)
@example(5e-324)
@example(-1.7976931348623157e308)
@example(math.nextafter(1.0, 0.0))
@example(2.0**-19)  # times 10^18 it ends in a half
@example(3 * 2.0**-19)
@example(-(2.0**-19))
@given(FINITE | NEAR_ONE | st.integers(-(2**30), 2**30).map(lambda odd: odd * 2.0**-19))
def test_integers_are_rounded_half_to_even(value: float) -> None:
    assert int(fixed_point(value)) == round(Fraction(value) * 10**18)  # of a Fraction, exact and half to even
    assert fixed_point(value) == str(int(fixed_point(value)))


@settings(max_examples=200)
@given(st.integers(2**52, 2**53).map(lambda mantissa: mantissa * 2.0**-53))
def test_integers_restore_values_if_18_decimals_suffice(value: float) -> None:
    assert float(Fraction(int(fixed_point(value)), 10**18)) == value  # 0.5 to 1, as decays and weights are


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    for convert in (exact_decimal, fixed_point):
        with pytest.raises(ParameterError, match="must be finite"):
            convert(value)


@settings(max_examples=100)
@given(st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=8))
def test_weights_sum_to_one_exactly_on_chain(shares: list[float]) -> None:
    weights = (np.array(shares) / sum(shares)).tolist()
    fixed = fixed_weights(weights)
    assert sum(map(int, fixed)) == 10**18
    for one, weight in zip(fixed, weights, strict=True):
        assert abs(int(one) - int(fixed_point(weight))) < 2000  # a few roundings of a float64
    with pytest.raises(ParameterError, match="must sum to 1"):
        fixed_weights([*weights, 0.1])


SPECS = (common.initial_weights, common.memory_days, common.alt_memory_days, common.k_per_day, common.exponents)
HUMAN = {"memory_days": [2.0, 30.0], "alt_memory_days": [1.0, 60.0], "k_per_day": [3.0, 0.5], "exponents": [0.25, 2.0]}


def exported(parameters: tuple[Parameter, ...], values: dict[str, object], **settings: object) -> dict[str, OnChain]:
    return {one.name: one for one in on_chain(parameters, to_raw(parameters, values), **settings)}


def test_on_chain_parameters_are_lambda_and_kappa() -> None:
    found = exported(bind(SPECS, ("BTC", "ETH"), 60.0), HUMAN)
    assert list(found) == ["initial_weights", "lambda", "alt_lambda", "kappa", "exponents"]
    for name, memory in (("lambda", [2.0, 30.0]), ("alt_lambda", [1.0, 60.0])):
        decay = np.array(found[name].values)
        np.testing.assert_allclose(np.cbrt(6 * decay / (1 - decay) ** 3) * 2 * 60 / 1440, memory, rtol=1e-9)
    np.testing.assert_allclose(found["kappa"].values, [6.0, 15.0], rtol=1e-12)
    np.testing.assert_allclose(found["exponents"].values, [0.25, 2.0], rtol=1e-12)
    assert found["initial_weights"].values == (0.5, 0.5)
    assert not any(one.remarks for one in found.values())


def test_values_beyond_the_limits_of_the_simulation_are_limited_with_a_remark() -> None:
    found = exported(bind(SPECS, ("BTC", "ETH"), 60.0), HUMAN, max_memory_days=20.0, least={"raw_exponents": 1.0})
    at_cap = exported(
        bind(SPECS, ("BTC", "ETH"), 60.0), {**HUMAN, "memory_days": [2.0, 20.0], "alt_memory_days": [1.0, 20.0]}
    )
    for name in ("lambda", "alt_lambda", "kappa"):
        np.testing.assert_allclose(found[name].values, at_cap[name].values, rtol=1e-13)
    np.testing.assert_allclose(found["exponents"].values, [1.0, 2.0], rtol=1e-12)
    assert "max_memory_days = 20" in found["lambda"].remarks[0]
    assert "below 1 count as 1" in found["exponents"].remarks[0]


def test_groups_and_inactive_parameters() -> None:
    fast = bind(SPECS[1:4], ("BTC", "ETH"), 60.0, group="fast", settings={"use_alt_lamb": False})
    slow = bind(SPECS[1:4], ("BTC", "ETH"), 60.0, group="slow", settings={"use_alt_lamb": False})
    values = {"fast.memory_days": 2.0, "slow.memory_days": 10.0, "fast.k_per_day": 1.0, "slow.k_per_day": 1.0}
    found = exported((*fast, *slow), values)
    assert list(found) == ["fast.lambda", "fast.kappa", "slow.lambda", "slow.kappa"]
    np.testing.assert_allclose([found["fast.kappa"].values[0], found["slow.kappa"].values[0]], [2.0, 10.0], rtol=1e-12)


def test_unknown_parameters_keep_their_names() -> None:
    unknown = ParameterSpec("raw_new", "novelty", "", "new", LOG2, 4.0, 1.0, 8.0)
    trend = replace(
        common.memory_days, raw_name="logit_trend_lamb", human_name="trend_memory_days", transform=MEMORY_DAYS
    )
    amplitude = replace(common.k_per_day, raw_name="log_amplitude", human_name="amplitude_per_day")
    found = exported(
        bind((common.memory_days, unknown, trend, amplitude), ("BTC", "ETH"), 60.0),
        {"memory_days": 5.0, "trend_memory_days": 5.0, "amplitude_per_day": 3.0},
    )
    assert found["novelty"].values == (4.0, 4.0)
    assert found["trend_lambda"].values == found["lambda"].values
    np.testing.assert_allclose(found["amplitude"].values, 15.0, rtol=1e-12)


def test_numbers_that_18_decimals_cannot_represent_have_a_remark() -> None:
    parameters = bind((common.memory_days, common.k_per_day), ("BTC",), 1.0)
    raw = {"logit_lamb": np.array([50.0]), "log_k": np.array([-300.0])}
    decay, kappa = on_chain(parameters, raw)
    assert decay.values == (1.0,)
    assert "must be below" in decay.remarks[0]
    assert "kappa" in kappa.remarks[0]
    huge = on_chain(parameters, {"logit_lamb": np.array([0.0]), "log_k": np.array([400.0])})[1]
    assert "too large for a signed 256-bit integer" in huge.remarks[0]
    with pytest.raises(ParameterError, match=r"kappa = \[inf\] \(from log_k\) is not finite"):
        on_chain(parameters, {"logit_lamb": np.array([0.0]), "log_k": np.array([2000.0])})
