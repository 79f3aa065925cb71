"""The page of the bundled studies, from the files themselves: description, comments, and what they set."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from quantsim.config import Experiment

__all__ = ["page"]

HEAD = """# Bundled studies

Each study runs by its name, on bundled prices:

```sh
quantsim run NAME
```

`--study NAME` gives it to any other command. `--set table.key=value` changes a key for one run.
[What the bundled studies found](findings.md) has their results.
"""


def page(folder: Path) -> str:
    """The text of the page, in Markdown, with a section per study."""
    return HEAD + "".join(_section(path) for path in sorted(folder.glob("*.toml")))


def _section(path: Path) -> str:
    findings = (path.parents[1] / "docs" / "findings.md").read_text(encoding="utf-8")
    found = f"[What it found](findings.md#{path.stem})\n\n" if f"## `{path.stem}`\n" in findings else ""
    text = path.read_text(encoding="utf-8")
    study = Experiment.load(path.stem)
    shown = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    return (
        f"\n## `{path.stem}`\n\n{_question(text)}{study.description}\n\n"
        f"{_facts(study, tomllib.loads(text))}\n"
        f"{found}"
        f'??? example "The file"\n\n    ```toml\n{shown}\n    ```\n'
    )


def _question(text: str) -> str:
    """The comments above the first key, which say what the study asks."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return f"**{' '.join(lines)}**\n\n" if lines else ""


def _facts(study: Experiment, tables: dict[str, Any]) -> str:
    splits = study.periods.splits()
    rows = {
        "pool": f"{study.pool.strategy_name} on {', '.join(study.tokens)}",
        "prices": f"`{study.data.source}`"
        + (f", bars of {study.data.bar_minutes} minutes" * bool(study.data.bar_minutes)),
        "decides": f"every {study.update.chunk_minutes / 60:g} hours",
        "periods": "; ".join(
            f"{name} from {start:%Y-%m-%d} to {end:%Y-%m-%d}" for name, (start, end) in splits.items()
        ),
        "swap fee": _fee(study),
        "objective": f"`{study.objective.metric}`" + (" and others" if not study.objective.is_plain else ""),
        "driver": ", ".join(f"`{name}`" for name in _drivers(study, tables)),
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows.items()) + "\n"


def _fee(study: Experiment) -> str:
    if study.fees.rule:
        return f"rule `{study.fees.rule}`"
    if any(pool.tunes_fee for pool in study.pools):
        return "a parameter"
    return f"{100 * study.fees.swap_fee:g} %" if study.fees.swap_fee else "none"


def _drivers(study: Experiment, tables: dict[str, Any]) -> list[str]:
    named = [study.driver] if study.driver else [name for name in ("sgd", "search", "hybrid") if name in tables]
    return [str(name) for name in named] or ["sgd", "search", "hybrid"]
