"""One cheap call of every command, on one tiny study, for tests of what all commands have in common."""

from __future__ import annotations

import contextlib
import json
import socketserver
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from command_support import invoke
from published_support import gradient_entry, result_file
from run_support import TINY_STUDY
from typer.testing import Result

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.runs import watching
from quantsim.commands.app import app
from quantsim.prices import downloading
from quantsim.prices.importing import import_prices

EXIT_CODES = {"dashboard": 130}
"""Of commands that do not end by themselves: Ctrl-C ends them."""


def command_names(command: Any = None, prefix: str = "") -> Iterator[str]:
    """The names of all commands, also of those in groups: ``prices import``."""
    for name, one in (command or typer.main.get_command(app)).commands.items():
        yield prefix + name
        if hasattr(one, "commands"):
            yield from command_names(one, f"{prefix}{name} ")


class EveryCommand:
    """Calls every command in a folder, which holds the study, the store and the files to read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        study = folder / "tiny.toml"
        study.write_text(TINY_STUDY)
        entry = gradient_entry(0, [1.0, 2.0])
        dates = {
            "startDateString": "2019-01-01 00:00:00",
            "endDateString": "2019-05-31 00:00:00",
            "endTestDateString": "2019-07-01 00:00:00",
        }
        published = result_file(folder / "run_0123.json", entry, **dates)
        fingerprint = folder / "fingerprint.json"
        fingerprint.write_text(json.dumps({"tokens": ["BTC", "ETH"], "rule": "momentum", **dates}))
        days = "".join(f"2024-01-{day:02},{40_000 + day}\n" for day in range(1, 29))
        (folder / "BTC_1d.csv").write_text("date,close\n" + days)
        self._prices = folder / "BTC_1d.csv"
        history = folder / "history.csv"
        history.write_text(_history_of_a_pool())
        self._store = folder / "checkpoints.db"
        own, kept = ("--study", study), ("--store", self._store)
        self.arguments: dict[str, tuple[str | Path, ...]] = {
            "init": (folder / "new.toml", "--force"),
            "optuna": (*own, *kept),
            "sgd": (*own, *kept),
            "hybrid": (*own, *kept),
            "run": (study, "--set", 'driver="search"', *kept),
            "walk-forward": (*own, *kept, "--driver", "fixed", "--folds", "2", "--validation-days", "0"),
            "simulate": (*own, *kept),
            "grid": (*own, "--axis", "memory_days=5:20:2"),
            "robust": (*own, *kept, "--kind", "neighbours", "--variations", "2"),
            "fit-volume": (history, "--output", folder / "volume.json"),
            "select": (*own, *kept),
            "validate": (*own, *kept),
            "runs": (*kept,),
            "runs list": (*kept,),
            "runs show": (*kept,),
            "runs compare": ("{search}", "{sgd}", *kept),
            "runs export": ("newest", "--output", folder / "exported.db", *kept),
            "runs import": (folder / "exported.db", "--store", folder / "imported.db"),
            "runs watch": ("newest", *kept),
            "runs tag": ("newest", "a-tag", *kept),
            "runs note": ("newest", "a note", *kept),
            "runs rename": ("newest", "a name", *kept),
            "report": ("best_train", "-o", folder / "report.html", *kept),
            "export": (*own,),
            "import": (published, "--store", folder / "imported.db"),
            "convert": (fingerprint,),
            "space": (*own,),
            "check": ("returns",),
            "dashboard": (*kept, "--port", "0"),
            "runs delete": ("newest", "--yes", *kept),
            "prices": (),
            "prices import": (folder / "BTC_1d.csv", "--to", folder / "prices", "--stamps", "end", "--overwrite"),
            "prices download": ("--tokens", "BTC", "--since", "2024-01-01", "--to", folder / "prices"),
        }

    def call(self, name: str, *options: str) -> Result:
        """Calls a command with options after its arguments."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socketserver.BaseServer, "serve_forever", _interrupted)
            patch.setattr(downloading, "download_prices", self._downloaded)
            patch.setattr(watching, "_GRACE_S", 0.0)  # this process is alive, but adds no fold to a watched run
            return invoke(*name.split(), *map(self._named, self.arguments[name]), *options)

    def _named(self, argument: str | Path) -> str | Path:
        """Puts the key of the newest run of a driver in the place of ``{driver}``."""
        if not str(argument).startswith("{"):
            return argument
        with CheckpointStore(self._store) as store:
            return store.runs(driver=str(argument).strip("{}"))[0].key

    def _downloaded(self, _tokens: Any, _since: str, *, folder: Path, **_: Any) -> Any:
        return import_prices([self._prices], folder, tokens=None, token=None, stamps="end", overwrite=True)


def _history_of_a_pool() -> str:
    """Forty days of a pool whose fee changed."""
    volume = (200_000 * (1.0 + 0.1 * (day % 7)) * (1.5 if day >= 20 else 1.0) for day in range(40))
    rows = []
    for day, each in enumerate(volume):
        rows.append(f"{date(2024, 1, 1) + timedelta(day)},{each},{1e6 + 1e4 * day},{0.001 if day >= 20 else 0.003}")
    return "date,volume_usd,tvl_usd,swap_fee\n" + "\n".join(rows) + "\n"


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def every_command(folder: Path) -> Iterator[EveryCommand]:
    """Yields the caller of all commands, with the environment of a user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QUANTSIM_STORE", "QUANTSIM_STORAGE", "FORCE_COLOR", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        yield EveryCommand(folder)
