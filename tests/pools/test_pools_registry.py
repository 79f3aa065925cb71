"""Pools are found by their files, and the page lists them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantsim.errors import ConfigError
from quantsim.pools import get_pool, pool_names
from quantsim.pools.registry import pool_type

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pools.md"


def test_the_page_lists_every_pool() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) >= set(pool_names())


def test_a_pool_is_named_as_its_file() -> None:
    assert pool_names() == ("batch", "eclp", "hold", "rebalanced", "reclamm", "weighted")
    assert [get_pool(name).name for name in pool_names()] == list(pool_names())


def test_an_unknown_pool_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown pool type 'wieghted'.*'weighted'"):
        get_pool("wieghted")


def test_a_rule_decides_where_no_type_is_given() -> None:
    found = {rule: pool_type({"rule": rule}) for rule in ("momentum", "cow", "hodl", "my.py:cow")}
    assert found == {"momentum": "weighted", "cow": "batch", "hodl": "hold", "my.py:cow": "weighted"}
    assert pool_type({"type": "batch", "rule": "hodl"}) == "batch"
    with pytest.raises(ValueError, match="rule = 'hodl' means type = 'hold'"):
        pool_type({"type": "weighted", "rule": "hodl"})
