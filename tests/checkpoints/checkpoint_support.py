"""What several tests of the store use."""

from __future__ import annotations

import sqlite3
from pathlib import Path

BEGIN = {"experiment_id": "e1", "data_id": "d1", "driver": "sgd", "config": {}}


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement on an SQLite file, past the store."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()
