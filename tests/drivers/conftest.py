from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantsim import CheckpointStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    with CheckpointStore(tmp_path / "checkpoints.db") as opened:
        yield opened
