"""Rules and pools that are given as objects: their names, the hash of their source, and what a stored study does with them."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import quantsim
from quantsim.discovery.objects import digest_of_object, given_object, object_name
from quantsim.errors import ConfigError
from quantsim.parameters import common
from quantsim.rules import Output, Rule, centre
from quantsim.rules.momentum import RULE

BOUND = 0.02


def bounded(slope: Any) -> Any:
    return BOUND * jnp.tanh(slope / BOUND)


class Bound:
    def of(self, slope: Any) -> Any:
        return bounded(slope)


def rule(outputs: Callable[..., Any], **changes: Any) -> Rule:
    values = {"name": "calm", "description": "", "parameters": (common.k_per_day,), "output": Output.CHANGE, **changes}
    return Rule(outputs=outputs, **values)


def scaled(factor: Any) -> Callable[..., Any]:
    def outputs(params: Any, observed: Any, settings: Any) -> Any:
        slope = jnp.diff(jnp.log(observed.prices), axis=0, prepend=jnp.log(observed.prices[:1]))
        return centre(factor * bounded(slope), jnp.exp2(params["log_k"]))

    return outputs


@pytest.fixture(scope="module")
def study() -> quantsim.Experiment:
    return quantsim.Experiment.from_dict(
        {
            "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440, "forward_fill_bars": 8},
            "periods": {"train_start": "2018-04-01", "train_end": "2018-05-01"},
            "pool": {"rule": rule(scaled(1.0))},
            "update": {"max_memory_days": 5.0},
        }
    )


def test_a_study_with_an_object_runs(study: quantsim.Experiment) -> None:
    assert study.rule is not None
    assert study.pool.strategy_name == "calm"
    result = quantsim.simulate(study, {"k_per_day": 1.0})
    assert result.weights[-1] != pytest.approx(result.weights[0])


def test_the_hash_covers_all_that_decides_the_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = digest_of_object(rule(scaled(1.0)))
    assert digest_of_object(rule(scaled(1.0))) == own
    others = [
        rule(scaled(2.0)),
        rule(scaled(jnp.ones(2))),
        rule(scaled(jnp.zeros(2))),
        rule(lambda params, observed, settings: observed.prices),
        rule(jax.jit(scaled(1.0)), parameters=()),
        rule(functools.partial(scaled(1.0), settings=None)),
        rule(lambda params, observed, settings: Bound().of(observed.prices)),
        rule(scaled(1.0), parameters=(dataclasses.replace(common.k_per_day, default=3.0),)),
    ]
    digests = {digest_of_object(one) for one in others}
    monkeypatch.setitem(globals(), "BOUND", 0.03)
    digests |= {digest_of_object(rule(scaled(1.0))), digest_of_object(others[-2])}
    assert len({own, *digests}) == 1 + len(others) + 2


def test_the_hash_tells_functions_on_one_line_and_nested_values_apart() -> None:
    one, other = (lambda params, observed, settings: 1.0 * observed.prices), (lambda *given: 2.0 * given[1].prices)
    assert digest_of_object(rule(one)) != digest_of_object(rule(other))
    assert digest_of_object(rule(scaled(((1,), 2)))) != digest_of_object(rule(scaled(((1, 2),))))


def test_the_hash_does_not_cover_variables_that_are_named_like_an_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    own = digest_of_object(rule(scaled(1.0)))
    monkeypatch.setitem(globals(), "prices", object())  # scaled reads observed.prices
    assert digest_of_object(rule(scaled(1.0))) == own


OF_FILE = """
from quantsim.rules import Output, Rule

def outputs(params, observed, settings):
    return {factor} * observed.prices

RULE = Rule(name="edited", description="", parameters=(), output=Output.CHANGE, outputs=outputs)
"""


def test_an_edited_file_has_a_new_name_when_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: the object that was imported from it runs the old code."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "edited_rule.py"
    file.write_text(OF_FILE.format(factor="1.0"))
    module = importlib.import_module("edited_rule")
    first, name = module.RULE, object_name(module.RULE)
    file.write_text(OF_FILE.format(factor="-10.0"))
    linecache.checkcache()
    assert object_name(first) == name
    importlib.reload(module)
    assert object_name(module.RULE) != name
    assert given_object(object_name(module.RULE)) is module.RULE
    assert given_object(name) is first


def test_what_has_no_hash_is_refused() -> None:
    with pytest.raises(ConfigError, match="'calm' uses a value of type object, which has no hash"):
        digest_of_object(rule(scaled(object())))
    spaces: dict[str, Any] = {}
    exec("def outputs(params, observed, settings): return observed.prices", spaces)  # noqa: S102 - without source
    with pytest.raises(ConfigError, match="the source of outputs of 'calm' is not available"):
        digest_of_object(rule(spaces["outputs"]))


def test_an_object_of_quantsim_is_its_name(study: quantsim.Experiment) -> None:
    assert study.replace(pool={"rule": RULE}).identity == study.replace(pool={"rule": "momentum"}).identity


def test_identities_follow_the_source(study: quantsim.Experiment) -> None:
    assert study.replace(pool={"rule": rule(scaled(1.0))}).identity == study.identity
    other = study.replace(pool={"rule": rule(scaled(2.0))})
    assert other.identity != study.identity
    assert other.pool.rule != study.pool.rule
    assert study.override(["seed=1"]).rule is study.rule


def test_a_stored_study_imports_nothing(study: quantsim.Experiment) -> None:
    config, sources = study.model_dump(mode="json"), study.rule_sources
    name = str(study.pool.rule)
    elsewhere = {"pool": {**config["pool"], "rule": f"{name[:-12]}{'0' * 12}"}}
    read = quantsim.Experiment.from_stored({**config, **elsewhere}, {elsewhere["pool"]["rule"]: "0" * 64})
    assert read.is_only_read
    with pytest.raises(ConfigError, match="give the object again"):
        quantsim.simulate(read)
    again = quantsim.Experiment.from_stored(config, sources, [rule(scaled(1.0))])
    assert again.identity == study.identity
    assert not again.is_only_read
    with pytest.raises(ConfigError, match="is not of the stored study, which has object:calm@"):
        quantsim.Experiment.from_stored(config, sources, [rule(scaled(3.0))])


def test_a_pool_may_be_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).resolve().parents[2] / "examples" / "own_pool.py"
    monkeypatch.syspath_prepend(file.parent)
    pool = importlib.import_module("own_pool").band_pool
    tables = {
        "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440},
        "periods": {"train_start": "2018-04-01", "train_end": "2018-05-01"},
    }
    own = quantsim.Experiment.from_dict({**tables, "pool": {"type": pool}})
    named = quantsim.Experiment.from_dict({**tables, "pool": {"type": f"{file}:{pool.name}"}})
    assert str(own.pool.type).startswith(f"object:{pool.name}@")
    assert [one.raw_name for one in own.layout] == [one.raw_name for one in named.layout]
