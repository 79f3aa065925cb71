from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes a file from a mapping of columns, or from raw text, and returns its path."""

    def writer(name: str, content: dict[str, object] | str) -> Path:
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".parquet":
            pd.DataFrame(content).to_parquet(path, index=False)
        else:
            pd.DataFrame(content).to_csv(path, index=False)
        return path

    return writer


@pytest.fixture(scope="session")
def minute_folder() -> Path:
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "minute"
    if not folder.is_dir():
        pytest.skip("the one-minute data set is not beside this repository (../shared/data/minute)")
    return folder
