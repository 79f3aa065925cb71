"""Every pool of the package, and the example of a user's own, keeps the laws of pools."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantsim.pools import Pool, get_pool, pool_names
from quantsim.testing import check_pool

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_pool.py"


@pytest.mark.parametrize("name", [*pool_names(), f"{OWN}:band_pool"], ids=lambda name: name.rpartition(":")[2])
def test_every_pool_keeps_the_laws_of_pools(name: str) -> None:
    check_pool(name)


def test_the_registry_has_every_file() -> None:
    assert {"batch", "hold", "weighted"} <= set(pool_names())
    for name in pool_names():
        pool = get_pool(name)
        assert isinstance(pool, Pool)
        assert pool.name == name
        assert get_pool(name) is pool
