"""docs/fingerprints.md shows the current table of keys."""

from __future__ import annotations

import importlib.util
import re
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


def test_the_page_lists_every_function_of_quantammsim(shared: Path) -> None:
    page = (ROOT / "docs" / "fingerprints.md").read_text(encoding="utf-8")
    definition = re.compile(r"(?:^|\[docs\] (?:@dataclass )?)(?:def|class) ([A-Za-z]\w+)", re.MULTILINE)
    documents = [path.read_text(encoding="utf-8") for path in sorted((shared / "seeds").glob("*.txt"))]
    names = {name for text in documents for name in definition.findall(text)}
    assert {"load_manually", "multi_period_sgd_training", "PeriodSpec"} <= names
    missing = {name for name in names if f"`{name}" not in page}
    assert not missing
