"""docs/fingerprints.md shows the table of keys as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from quantsim.config.fingerprint.keys import KEYS

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_has_the_tables_of_keys() -> None:
    specification = importlib.util.spec_from_file_location("fingerprint_keys", ROOT / "scripts" / "fingerprint_keys.py")
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    page = (ROOT / "docs" / "fingerprints.md").read_text(encoding="utf-8")
    assert script.page_with(page, script.tables()) == page, "run python scripts/fingerprint_keys.py"
    for key in KEYS:
        assert f"`{key.path.rpartition('.')[2]}`" in page, key.path
