from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from walk_forward_support import make_prices

from quantsim import CheckpointStore, Prices


@pytest.fixture(scope="session")
def prices() -> Prices:
    return make_prices()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    with CheckpointStore(tmp_path / "checkpoints.db") as opened:
        yield opened
