"""What the shell completes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from checkpoint_support import fill
from typer.testing import CliRunner

from quantsim.checkpoints import SELECTION_METHODS, CheckpointStore
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


def test_runs_are_completed_by_key_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CheckpointStore(tmp_path / "mine.db") as store:
        first, second = fill(store), fill(store)
        store.rename(first, "good")
    place = f"--store {tmp_path / 'mine.db'}"
    assert completed(f"quantsim validate {place} go") == ["good"]
    assert completed(f"quantsim select {place} --run {second[:5]}") == [second[:8]]
    assert {"good", first[:8], second[:8], "best"} <= set(completed(f"quantsim report {place} "))
    monkeypatch.setenv("QUANTSIM_STORE", str(tmp_path / "none.db"))
    assert completed("quantsim runs show g") == []


def test_every_command_that_takes_a_run_completes_it() -> None:
    def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
        for sub, command in group.commands.items():
            yield f"{name} {sub}", command
            if hasattr(command, "commands"):
                yield from commands(command, f"{name} {sub}")

    taken = [
        (f"{name} {parameter.name}", parameter)
        for name, command in commands(typer.main.get_command(app), "quantsim")
        for parameter in command.params
        if "--run" in parameter.opts or "RUN" in (parameter.metavar or "")
    ]
    assert len(taken) > 15
    # A store that is read from is no store of the command.
    plain = [name for name, one in taken if one._custom_shell_complete is None and name != "quantsim runs import runs"]
    assert plain == []


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
