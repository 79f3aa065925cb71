"""Conversion of parameter tables to raw arrays and back; starting points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantsim.errors import ParameterError, QuantsimError
from quantsim.parameters import Parameter, bind, common, gaussian_sets, to_human, to_raw
from quantsim.parameters.transforms import logit_from_memory_days
from quantsim.rules import get_rule

SPECS = (common.initial_weights, *get_rule("momentum").parameters)


def bound(n_tokens: int = 3, chunk_minutes: float = 60.0) -> tuple[Parameter, ...]:
    return bind(SPECS, ("BTC", "ETH", "SUI")[:n_tokens], chunk_minutes)


HUMAN = {
    "initial_weights": [0.2, 0.5, 0.3],
    "memory_days": [1.0, 20.0, 150.0],
    "alt_memory_days": [3.0, 2.0, 90.0],
    "k_per_day": [0.5, 8.0, 300.0],
}


def raw_of(values: dict[str, Any], n_tokens: int = 3, chunk_minutes: float = 60.0) -> dict[str, np.ndarray]:
    return to_raw(bound(n_tokens, chunk_minutes), values)


def test_human_values_become_raw_ones() -> None:
    raw = raw_of(HUMAN)
    assert set(raw) == {spec.raw_name for spec in SPECS}
    np.testing.assert_allclose(raw["log_k"], [-1.0, 3.0, np.log2(300.0)], rtol=1e-15)
    np.testing.assert_array_equal(raw["logit_lamb"], logit_from_memory_days(np.array(HUMAN["memory_days"]), 60.0))
    shifted = raw["logit_lamb"] + raw["logit_delta_lamb"]
    np.testing.assert_allclose(shifted, logit_from_memory_days(np.array(HUMAN["alt_memory_days"]), 60.0), rtol=1e-14)
    weights = np.exp(raw["initial_weights_logits"])
    np.testing.assert_allclose(weights / weights.sum(), HUMAN["initial_weights"], rtol=1e-15)


@settings(max_examples=40)
@given(
    memory=st.lists(st.floats(0.05, 2000.0), min_size=3, max_size=3),
    alt=st.lists(st.floats(0.05, 2000.0), min_size=3, max_size=3),
    k=st.lists(st.floats(1e-3, 1e4), min_size=3, max_size=3),
    shares=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
    chunk_minutes=st.sampled_from([1, 60, 1440]),
)
def test_to_human_is_the_inverse(
    memory: list[float], alt: list[float], k: list[float], shares: list[float], chunk_minutes: int
) -> None:
    weights = (np.array(shares) / sum(shares)).tolist()
    human = {"initial_weights": weights, "memory_days": memory, "alt_memory_days": alt, "k_per_day": k}
    back = to_human(bound(3, chunk_minutes), raw_of(human, chunk_minutes=chunk_minutes))
    assert set(back) == set(human)
    for name, value in human.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-11, err_msg=name)


def test_raw_and_human_names_mix() -> None:
    mixed = raw_of({"log_k": 3.0, "memory_days": 5.0})
    np.testing.assert_array_equal(mixed["log_k"], np.full(3, 3.0))
    np.testing.assert_array_equal(mixed["logit_lamb"], raw_of({"memory_days": 5.0})["logit_lamb"])


def test_raw_values_pass_untouched() -> None:
    raw = raw_of(HUMAN)
    again = raw_of(dict(raw))
    for name, value in raw.items():
        np.testing.assert_array_equal(again[name], value)
        assert again[name] is not value


def test_a_number_is_used_for_every_token_and_missing_parameters_have_defaults() -> None:
    raw = raw_of({"memory_days": 7.0})
    for value in raw.values():
        assert value.shape == (3,)
        assert value.dtype == np.float64
    human = to_human(bound(), raw)
    np.testing.assert_allclose(human["memory_days"], 7.0, rtol=1e-13)
    np.testing.assert_allclose(human["initial_weights"], 1 / 3, rtol=1e-15)
    for spec in SPECS:
        if spec.human_name not in ("memory_days", "initial_weights"):
            np.testing.assert_allclose(human[spec.human_name], spec.default, rtol=1e-12)


def test_the_order_of_tokens_is_kept() -> None:
    one, other = raw_of({"k_per_day": [1.0, 2.0, 4.0]}), raw_of({"k_per_day": [4.0, 2.0, 1.0]})
    np.testing.assert_array_equal(one["log_k"], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(other["log_k"], [2.0, 1.0, 0.0])


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "misspelt": ({"memory_day": 3.0}, ("'memory_day'", "did you mean 'memory_days'?")),
    "of another rule": ({"zzz": 3.0}, ("'zzz'", "known:", "k_per_day")),
    "given twice": ({"memory_days": 3.0, "logit_lamb": 2.0}, ("'logit_lamb'", "'memory_days'", "one of them")),
    "too many": ({"k_per_day": [1.0, 2.0]}, ("k_per_day", "(2,)", "3 numbers")),
    "a table": ({"k_per_day": [[1.0, 2.0, 3.0]]}, ("k_per_day", "(1, 3)")),
    "ragged": ({"k_per_day": [[1.0], [2.0, 3.0], 4.0]}, ("k_per_day", "3 numbers")),
    "text": ({"k_per_day": "many"}, ("k_per_day", "'many'", "number")),
    "negative memory": ({"memory_days": [1.0, -3.0, 2.0]}, ("memory_days", "-3.0", "positive")),
    "no memory": ({"memory_days": 0.0}, ("memory_days", "0.0", "positive")),
    "zero k": ({"k_per_day": 0.0}, ("k_per_day", "positive")),
    "nan": ({"k_per_day": float("nan")}, ("k_per_day", "nan", "positive")),
    "infinite memory": ({"memory_days": float("inf")}, ("memory_days", "inf")),
    "raw nan": ({"logit_lamb": [0.0, float("nan"), 0.0]}, ("logit_lamb", "nan", "finite")),
    "raw infinite": ({"log_k": float("inf")}, ("log_k", "inf", "finite")),
    "weights that do not add up": ({"initial_weights": [0.5, 0.4, 0.2]}, ("initial_weights", "1.1", "sum to 1")),
    "a weight of zero": ({"initial_weights": [0.5, 0.5, 0.0]}, ("initial_weights", "positive")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused(name: str) -> None:
    values, expected = BAD[name]
    with pytest.raises(ParameterError) as caught:
        raw_of(values)
    for part in expected:
        assert part in str(caught.value)
    assert isinstance(caught.value, QuantsimError)
    assert isinstance(caught.value, ValueError)


MOVED = {"logit_lamb", "log_k"}


def sets_of(n_sets: int, **changes: Any) -> dict[str, np.ndarray]:
    return gaussian_sets(raw_of(HUMAN), n_sets, **{"moved": MOVED, "spread": 0.5, "seed": 11, **changes})


def test_the_first_set_is_the_centre() -> None:
    for name, value in sets_of(4).items():
        assert value.shape == (4, 3)
        np.testing.assert_array_equal(value[0], raw_of(HUMAN)[name])


def test_sets_are_seeded_and_do_not_depend_on_their_number() -> None:
    few, many, other = sets_of(3), sets_of(9), sets_of(3, seed=12)
    for name in few:
        np.testing.assert_array_equal(few[name], many[name][:3])
    alone = sets_of(3, moved={"log_k"})
    np.testing.assert_array_equal(alone["log_k"], few["log_k"])
    assert (few["log_k"][1:] != other["log_k"][1:]).all()
    assert (few["log_k"][1] != few["log_k"][2]).all()


def test_only_moved_parameters_get_noise() -> None:
    for name, value in sets_of(400).items():
        noise = value[1:] - value[0]
        if name in MOVED:
            assert noise.std() == pytest.approx(0.5, rel=0.1)
            assert abs(noise.mean()) < 0.05
        else:
            assert not noise.any()
    assert not any((value - value[0]).any() for value in sets_of(5, spread=0.0).values())
