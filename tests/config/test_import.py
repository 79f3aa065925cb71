"""Effects of importing the package, each in a separate process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import quantsim

PROBE = """
import json, os, sys
before = dict(os.environ)
import quantsim
{code}
print(json.dumps({{
    "modules": sorted(name for name in sys.modules if "." not in name),
    "environment": sorted(set(os.environ.items()) ^ set(before.items())),
    "found": globals().get("found"),
}}))
"""


def probe(code: str = "") -> dict[str, Any]:
    quick = "JAX_DISABLE_MOST_OPTIMIZATIONS"
    clean = {name: value for name, value in os.environ.items() if name == quick or not name.startswith(("JAX", "XLA"))}
    command = [sys.executable, "-W", "error", "-c", PROBE.format(code=code)]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *more = done.stdout.splitlines()
    assert not more, "nothing else is printed"
    result: dict[str, Any] = json.loads(first)
    return result


def test_importing_has_no_effects() -> None:
    result = probe("found = [name in dir(quantsim) for name in quantsim.__all__]")
    assert all(result["found"])
    heavy = {"jax", "jaxlib", "numpy", "pandas", "pyarrow", "optuna", "pydantic", "sqlalchemy", "matplotlib", "scipy"}
    assert not heavy & set(result["modules"])
    assert result["environment"] == []


def test_every_public_name_exists() -> None:
    for name in quantsim.__all__:
        assert getattr(quantsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        quantsim.simulat  # noqa: B018


def test_an_experiment_needs_no_jax_configuration_and_no_optuna() -> None:
    study = {
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": "2018-01-01", "train_end": "2018-06-01"},
        "pool": {"rule": "momentum"},
    }
    result = probe(f"quantsim.Experiment.from_dict({study!r})\nimport jax; found = jax.config.jax_enable_x64")
    assert result["found"] is False
    assert not {"optuna", "sqlalchemy", "matplotlib"} & set(result["modules"])
    assert result["environment"] == []


SIMULATION = """
import jax, jax.numpy as jnp, numpy as np
assert not jax.config.jax_enable_x64
generator = np.random.default_rng(0)
times = np.datetime64("2021-01-01T00:00:00") + 3600 * np.arange(400)
prices = quantsim.Prices.from_arrays(times, np.exp(np.cumsum(0.01 * generator.standard_normal((400, 2)), 0)), ["A", "B"])
experiment = quantsim.Experiment.from_dict({
    "data": {"tokens": ["A", "B"]},
    "periods": {"train_start": "2021-01-05", "train_end": "2021-01-15"},
    "pool": {"rule": "momentum"},
    "fees": {"swap_fee": 0.003},
})
result = quantsim.simulate(experiment, None, prices)
evaluator = quantsim.Evaluator(experiment, prices)
raw = experiment.initial_parameters()
table = evaluator.evaluate(raw)
values, gradients = evaluator.value_and_grad({k: v[None] for k, v in raw.items()}, [96], 240, "returns")
found = {
    "dtypes": sorted({str(a.dtype) for a in (result.value, result.reserves, result.weights, values, *gradients.values())}),
    "digits": abs(float(np.asarray(result.weights).sum(axis=1).max()) - 1.0),
    "same": abs(table["train"]["returns"] - result.metrics["returns"]) + abs(values[0] - result.metrics["returns"]),
    "flag": bool(jax.config.jax_enable_x64),
    "own": str(jnp.ones(3).dtype),
    "market": str(evaluator.market.prices.dtype),
}
"""


def test_simulations_are_in_float64_and_do_not_change_the_jax_setting() -> None:
    found = probe(SIMULATION)["found"]
    assert found["dtypes"] == ["float64"]
    assert found["market"] == "float64"
    assert found["digits"] < 1e-14
    assert found["same"] < 1e-12
    assert found["flag"] is False
    assert found["own"] == "float32"


def test_float64_can_be_enabled() -> None:
    code = "quantsim.enable_float64()\nimport jax, jax.numpy as jnp; found = str(jnp.ones(1).dtype)"
    assert probe(code)["found"] == "float64"
