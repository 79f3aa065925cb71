"""Wrong options: every option of every command without a value, of a wrong type, out of range, with text it does not take."""

from __future__ import annotations

import enum
import typing
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bad_inputs import LONG, TREE, Case
from typer.models import OptionInfo

from quantsim.commands.app import app


def _texts(text: str) -> tuple[str, ...]:
    """The values between bars; the first is the empty one."""
    return tuple(text.replace("LONG", LONG).split(" | "))


_LOCATIONS = (
    " | :// | sqlite://x.db | sqlite:// | sqlite:/x.db | sqlite:x.db | mysql:/host/db | posgresql://host/db | "
    "postgresql://host:port/db | postgresql:/ann:s3cret@host/db | postgresql:ann:s3cret@host/db | "
    "postgres//ann:s3cret@host/db | postgres://ann:s3cret@host/db | http://ann:s3cret@host/db | {inputs}"
)
"""Of a store or a storage: what only looks like a URL, or names no database."""

_TEXTS: dict[str, tuple[str, ...]] = {
    "--study": _texts(" | nonsense | no/such.toml | {inputs} | LONG | ~nobody_here/x.toml"),
    "--set": (
        *_texts(" | = | =1 | fees.swap_fee | nonsense=1 | fees.nonsense=1 | fees=1 | fees.swap_fee= | fees.swap_fee=2"),
        *_texts("fees.swap_fee.deep=1 | fees.swap_fee=0.1\nseed = 3 | data.tokens=BTC | pool.rule=nonsense"),
        *("seed=" + "9" * 5000, f"{'.' * 50}=1", f"parameters{'.deep' * 50}=1", f"parameters.memory_days={'[' * 5000}"),
    ),
    "--param": _texts(" | memory_days | memory_days= | nonsense=1 | memory_days=long | memory_days=-1 | memory_days=0"),
    "--axis": (
        *_texts(" | memory_days | memory_days=1:2 | nonsense=1:2:3 | memory_days=2:1:4 | memory_days=0:9:4:log"),
        *_texts("memory_days=1:9:100000000000 | memory_days=nan:9:4 | memory_days=1:inf:4 | memory_days=1:9:4:log2"),
        *_texts("memory_days=1:9:1.5 | memory_days=1:9:-4 | memory_days[XYZ]=1:9:4 | memory_days=-9:-1:4"),
    ),
    "--fix": _texts(
        " | memory_days | nonsense=1 | memory_days=long | memory_days=-1 | memory_days=true | memory_days=[]"
    ),
    "--from": _texts(" | nonsense | best_of_all | 12345678:1:0 | 1:2 | 1:2:3:4 | zz:1:0 | 00000000:-1:0 | :::"),
    "--store": _texts(f"{_LOCATIONS} | {{inputs}}/text.txt/c.db | LONG.db | {{inputs}}/binary.db"),
    "--storage": _texts(
        f"{_LOCATIONS} | study.txt | {{inputs}}/text.txt/s.journal | LONG.journal | grpc://host | grpc://host:1/x"
    ),
    "--csv": (
        *_texts(" | out.xlsx | out | no/such/folder/out.csv | {inputs} | LONG.csv | {inputs}/text.txt/out.csv"),
        "no text \udcff.csv",
    ),
    "--plot": _texts(" | out.bmp | out | no/such/folder/out.png | {inputs} | LONG.png | {inputs}/text.txt/out.png"),
    "--output": _texts(" | no/such/folder/out.json | {inputs} | LONG.json | {inputs}/text.txt/out.json"),
    "--plots": _texts(" | {inputs}/text.txt | {inputs}/text.txt/pages | LONG"),
    "--tensorboard": _texts(" | {inputs}/text.txt | {inputs}/text.txt/board | LONG"),
    "--mlflow": _texts(" | nonsense | :// | no/such/folder"),
    "--rule": _texts(" | nonsense"),
    "--prices": _texts(" | nonsense | {inputs}/text.txt"),
    "--missed-update": _texts(" | nonsense | -1"),
    "--update-times": _texts(" | missing.csv | {inputs} | {inputs}/text.txt | LONG"),
    "--kind": _texts(" | nonsense | ,"),
    "--driver": _texts(" | nonsense"),
    "--tag": _texts(""),
    "--remove": _texts(""),
    "--method": _texts(" | nonsense | best_validatoin"),
    "--metric": _texts(" | nonsense"),
    "--run": _texts(" | nonsense | ffffffff | 0000000000000000000000000000000000000000"),
    "--from-study": _texts(" | nonsense"),
    "--study-name": _texts(" | LONG"),
    "--host": _texts(" | no host | .. | 256.256.256.256 | nowhere.invalid"),
    "--source": _texts(" | nonsense | {inputs}/text.txt | LONG | http://host/prices"),
    "--rule-file": _texts(" | missing.py | {inputs} | {inputs}/text.txt | LONG"),
    "--compare": _texts(" | nonsense | search,search | search,,sgd | search sgd | ,"),
    "--to": _texts(" | {inputs}/text.txt | {inputs}/text.txt/prices | LONG"),
    "--tokens": _texts(" | BTC,BTC | BTC,,ETH | ,"),
    "--token": _texts(""),
    "--exchange": _texts(" | nonsense"),
    "--since": _texts(" | nonsense | 2023-13-01"),
    "--until": _texts(" | nonsense | 2023-13-01"),
    "--quote": _texts(" | EUR"),
    "--bar": _texts(" | nonsense | 7m | 1w | 0m | -1m | 2d"),
    "--address": _texts(" | nonsense | localhost:port | localhost:99999999"),
}
"""Options of free text → wrong values; ``{inputs}`` is a folder of faulty files. An option that is missing here fails."""

_CONTEXT: dict[tuple[str, str], tuple[str, ...]] = {
    ("optuna", "--address"): ("--backend", "dask"),
    ("walk-forward", "--address"): ("--backend", "dask"),
    ("walk-forward", "--step-days"): ("--train-days", "90", "--test-days", "30"),
    ("walk-forward", "--test-days"): ("--train-days", "90"),
    ("walk-forward", "--train-days"): ("--test-days", "30"),
    ("walk-forward", "--groups"): ("--scheme", "cpcv", "--embargo-days", "9"),
    ("walk-forward", "--test-groups"): ("--scheme", "cpcv", "--embargo-days", "9"),
    ("walk-forward", "--purge-days"): ("--scheme", "cpcv", "--embargo-days", "9"),
    ("walk-forward", "--embargo-days"): ("--scheme", "cpcv"),
    ("robust", "--store"): ("best",),
    ("simulate", "--store"): ("--from", "best"),
    ("export", "--store"): ("best",),
    ("select", "--split-minimum"): ("--method", "best_train_min_test", "--store", "{store}/checkpoints.db"),
    ("validate", ""): ("--store", "{store}/checkpoints.db"),
    ("validate", "--rule-file"): ("--store", "{store}/checkpoints.db"),
    ("validate", "--set"): ("--study", "momentum_fees", "--store", "{store}/checkpoints.db"),
    ("sgd", "--top"): ("--from-study", "any"),
    ("dashboard", "--host"): ("--store", "{store}/checkpoints.db"),
    ("dashboard", "--port"): ("--store", "{store}/checkpoints.db"),
    ("report", "--study"): ("--store", "{store}/checkpoints.db"),
    ("report", "--set"): ("--store", "{store}/checkpoints.db"),
    ("report", "--rule-file"): ("--store", "{store}/checkpoints.db"),
    ("runs export", "--store"): ("--output", "runs.db"),
    ("select", "--rule-file"): ("--store", "{store}/checkpoints.db"),
    ("select", "--set"): ("--study", "momentum_fees", "--store", "{store}/checkpoints.db"),
}
"""(command, option, or "" for an argument) → what else is given, so that the option counts."""

_ARGUMENTS = {
    "run": ("momentum_fees", "--set", "driver=search"),
    "convert": ("{inputs}/fingerprint.json",),
    "fit-volume": ("{inputs}/text.txt",),
    "import": ("{inputs}/text.txt",),
    "prices import": ("{inputs}/text.txt",),
    "runs compare": ("12345678", "87654321"),
    "runs delete": ("12345678",),
    "runs export": ("12345678",),
    "runs import": ("{inputs}/text.txt",),
    "runs note": ("12345678", "text"),
    "runs rename": ("12345678", "name"),
    "runs show": ("12345678",),
    "runs tag": ("12345678", "tag"),
    "runs watch": ("12345678",),
    "prices download": ("--tokens", "BTC", "--since", "2023-01-01"),
}
"""Command → what it cannot do without."""

_COUNTS_LATER = {
    ("import", "--source"),
    ("import", "--store"),
    ("runs export", "--output"),
    ("runs import", "--store"),
    ("runs watch", "--interval"),
    ("simulate", "--missed-update"),
    ("runs", "--driver"),
    ("runs", "--study"),
    ("runs list", "--driver"),
    ("runs list", "--study"),
}
"""(command, option) of what counts only where there is a search to join or a file to read, or selects runs by any text."""

_NEEDS_STORE = ("--from", "--method", "--metric", "--run", "--from-study")


@dataclass(frozen=True)
class Option:
    """One option of a command, as its function declares it."""

    command: str
    flag: str
    kinds: tuple[Any, ...]
    low: float | None
    high: float | None


def options() -> Iterator[Option]:
    """All options of all commands, ``--verbose`` aside."""
    for command, function, parsed in _commands():
        flags = {one.name: one.opts[0] for one in parsed.params}
        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            info = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, OptionInfo)), None)
            if info is not None and name != "verbose":
                yield Option(command, flags[name], tuple(_kinds(typing.get_args(hint)[0])), info.min, info.max)


def _commands() -> Iterator[tuple[str, Callable[..., Any], Any]]:
    """The words of each command, its function, and what parses it; also of groups of commands, and of those inside."""
    for registered in app.registered_commands:
        assert registered.callback is not None
        yield str(registered.name), registered.callback, TREE.commands[str(registered.name)]
    for group in app.registered_groups:
        tree, inside = TREE.commands[str(group.name)], group.typer_instance
        assert inside is not None
        assert inside.registered_callback is not None
        assert inside.registered_callback.callback is not None
        yield str(group.name), inside.registered_callback.callback, tree
        for one in inside.registered_commands:
            assert one.callback is not None
            yield f"{group.name} {one.name}", one.callback, tree.commands[str(one.name)]


def _kinds(hint: Any) -> Iterator[Any]:
    """The types in a hint, and the values of a literal."""
    if inside := typing.get_args(hint):
        for one in inside:
            yield from _kinds(one)
    elif hint is not type(None):
        yield hint


def option_cases() -> Iterator[Case]:
    """Every option of every command: without a value, of a wrong type, out of range, and what text it does not take."""
    seen: Counter[str] = Counter()
    for one in options():
        command, flag = one.command, one.flag
        if one.kinds == (bool,):
            yield Case(f"{command} {flag}=5", (*command.split(), f"{flag}=5"), (flag,))
            continue
        yield Case(f"{command} {flag} without a value", (*command.split(), flag), (flag,))
        values = () if (command, flag) in _COUNTS_LATER else _wrong_options(one)
        if flag in _TEXTS and values:  # all to one command; each other one of many values, as one function reads them
            seen[flag] += 1
            values = values if seen[flag] == 1 else values[:1] + values[1 + seen[flag] % 3 :: 3]
        for value in values:
            around = (*_ARGUMENTS.get(command, ()), *_CONTEXT.get((command, flag), ()))
            if not around and flag in _NEEDS_STORE and command != "grid":
                around = ("--store", "{store}/checkpoints.db")
            shown = value if len(value) < 60 else f"{value[:60]}..."
            yield Case(
                f"{command} {flag}={shown!r}", (*command.split(), *around, f"{flag}={value}"), _told(flag, value)
            )
    for command in sorted(TREE.commands):
        yield Case(f"{command} --nonsense", (command, "--nonsense"), ("--nonsense",))
        around = _CONTEXT.get((command, ""), ())
        yield Case(f"{command} surplus argument", (command, *around, "one", "surplus"), ("surplus", "one", "--storage"))
    yield Case("no such command", ("nonsense",), ("nonsense",))
    for name in ("nonsense", "", "no/such.toml", "{inputs}", LONG):
        yield Case(f"space {name[:60]}", ("space", name), (name, "search space"))
    for start in ("nonsense", "12345678:1:0", ":::", ""):
        yield Case(f"export {start}", ("export", start, "--store", "{store}/checkpoints.db"), (start, "checkpoint"))


def _wrong_options(one: Option) -> tuple[str, ...]:
    if one.kinds in ((int,), (float,)):
        whole = one.kinds == (int,)
        wrong = ["", "many", "true", "nan", *(["1.5", "1" + "0" * 30] if whole else ["inf", "-inf"])]
        if one.low is not None:
            wrong += [repr(one.low - 1), "-" + "9" * 30]
        if one.high is not None:
            wrong += [repr(one.high + 1)]
        return tuple(wrong)
    if all(isinstance(kind, str) or issubclass(kind, enum.Enum) for kind in one.kinds):
        return ("", "nonsense")
    if one.flag not in _TEXTS:
        raise LookupError(f"{one.flag} of {one.command}: say in bad_options.py what this option does not take")
    return _TEXTS[one.flag]


def _told(flag: str, value: str) -> tuple[str, ...]:
    """The option; or the file, key or name that it was given."""
    if flag in ("--set", "--param", "--fix", "--axis"):
        value = value.partition("=")[0].rpartition(".")[2].partition("[")[0].strip() or value
    return tuple(filter(None, (flag, value[:40], *_KINDS.get(flag, ()))))


_KINDS = {
    "--study": ("no study",),
    "--store": ("checkpoint store",),
    "--storage": ("study storage",),
    "--csv": ("cannot be written", "cannot write"),
    "--plot": ("cannot be written", "cannot write"),
    "--output": ("cannot be written", "cannot write"),
    "--plots": ("pages",),
    "--from": ("checkpoint",),
    "--source": ("price source",),
    "--tokens": ("token",),
    "--metric": ("metric",),
    "--method": ("method",),
    "--run": ("run id",),
}
"""Option → what else its messages may call the thing."""
