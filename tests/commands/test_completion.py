"""What the shell completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantsim.checkpoints import SELECTION_METHODS
from quantsim.commands.app import app
from quantsim.metrics import metric_names
from quantsim.rules import rule_names


def completed(line: str) -> list[str]:
    """What bash would offer after the line."""
    words = line.split(" ")
    environment = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_QUANTSIM_COMPLETE": "complete_bash",
    }
    return CliRunner().invoke(app, [], env=environment, prog_name="quantsim").stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("quantsim opt", ["optuna"]),
        ("quantsim optuna --study momentum_z", ["momentum_zero_fee"]),
        ("quantsim run momentum_z", ["momentum_zero_fee"]),
        ("quantsim select --method best_v", ["best_validation"]),
        ("quantsim export pl", ["plateau"]),
        ("quantsim sgd --from best,pl", ["best,plateau"]),
        ("quantsim select --metric returns,turn", ["returns,turnover"]),
        ("quantsim space momentum", ["momentum"]),
        ("quantsim simulate --param mem", ["memory_days="]),
        ("quantsim simulate --study no_such --param exp", ["exponents="]),
        ("quantsim grid --axis memory_days=1:9:2,k_", ["memory_days=1:9:2,k_per_day="]),
        ("quantsim optuna --set sgd.learning", ["sgd.learning_rate="]),
        ("quantsim optuna --set pool.rule=anti", ["pool.rule=anti_momentum"]),
        ("quantsim robust --kind co", ["costs"]),
        ("quantsim check volat", ["volatility"]),
        ("quantsim prices im", ["import"]),
    ],
)
def test_names_are_completed(line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_all_names_are_offered() -> None:
    assert set(completed("quantsim select --method ")) == {"best", *SELECTION_METHODS}
    assert set(completed("quantsim grid --metric ")) == set(metric_names())
    assert set(completed("quantsim space ")) >= set(rule_names())


def test_files_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.toml").touch()
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "my.toml").write_text('[pool]\nrule = "power_channel"\n')
    assert completed("quantsim optuna --study m")[-2:] == ["mine/", "my.toml"]
    assert completed("quantsim optuna --study mine/") == ["mine/own.toml"]
    assert completed("quantsim simulate --study my.toml --param exp") == ["exponents="]


def test_completing_loads_no_jax() -> None:
    code = (
        "import sys\n"
        "from quantsim.commands import completion\n"
        "functions = ('studies', 'spaces', 'methods', 'metrics', 'names', 'settings')\n"
        "offered = [getattr(completion, name)('') for name in functions]\n"
        "assert all(offered)\n"
        "heavy = {'jax', 'optuna', 'pandas', 'sqlalchemy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
