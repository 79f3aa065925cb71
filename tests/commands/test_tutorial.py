"""The tutorial: each of its commands and cells runs, in its order, and makes the files that it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from command_support import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
TOKENS = 'tokens = ["BTC", "ETH", "LTC"]\n'
INSTALLING = ("python3 -m venv .venv", ". .venv/bin/activate", "pip install -q '.[dashboard,plots]'")


def test_every_command_and_cell_runs(cli, tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w+)(?: title=\"([\w.]+)\")?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [title for _, title, content in blocks if TOKENS in content] == ["first.toml"]
    names: dict[str, object] = {}
    commands = []
    for language, title, content in blocks:
        if title:
            content = content.replace(TOKENS, f"{TOKENS}bar_minutes = 1440\n")  # a fraction of the bars, to save time
            (tmp_path / title).write_text(content, encoding="utf-8")
        elif language == "python":
            exec(compile(content, "tutorial.md", "exec"), names)  # noqa: S102
        elif language == "sh":
            for line in content.splitlines():
                if line not in INSTALLING:
                    program, command, *arguments = shlex.split(line)
                    assert program == "quantsim", line
                    result = cli(command, *arguments)
                    assert result.exit_code == 0, f"{line}\n{result.output}"
                    commands.append(command)
    assert {"simulate", "optuna", "validate", "robust", "sgd", "walk-forward", "report", "check", "export"} <= set(
        commands
    )
    assert {"pool.png", "validation.png", "pool.json", "report.html", "first.toml", "calm.py"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert str(names["found"]).startswith("Simulation('first'")
