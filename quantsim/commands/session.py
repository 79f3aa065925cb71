"""Shared by all commands: output streams, handling of errors and interrupts, and opening of inputs."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import sys
import textwrap
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, RenderableType
from rich.logging import RichHandler
from rich.text import Text
from typer.core import TyperGroup

from quantsim.commands.options import JSON, QUIET, VERBOSE
from quantsim.errors import FingerprintWarning, QuantsimError, reason_of
from quantsim.project import ENVIRONMENT, Setting, project_settings

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.config import Experiment

__all__ = [
    "ERR",
    "OUT",
    "CommandGroup",
    "Terminated",
    "hint",
    "load_experiment",
    "note",
    "open_existing_store",
    "open_store",
    "place_of",
    "print_json",
    "raise_if_stopped",
    "say",
    "show",
    "showing_warnings",
    "study_storage",
]

_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}  # names of tokens may look like markup

OUT = Console(**_PLAIN)
"""Console for results."""

ERR = Console(stderr=True, **_PLAIN)
"""Console for progress, notes, errors and logs, so that results can be piped."""

_OF_JAX = "JAX_TRACEBACK_FILTERING"  # part of the note that JAX adds to every exception

EXIT_ERROR = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM

_PIPED_WIDTH = 120  # smallest width of tables in files and pipes


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. Drivers handle it like Ctrl-C, and end cleanly."""


class CommandGroup(TyperGroup):
    """The group of all commands, with uniform handling of errors.

    A :class:`~quantsim.errors.QuantsimError` or a system error, such as a full disk, ends with one message and exit code 2, and
    ``-v`` shows the traceback. Ctrl-C ends with exit code 130, SIGTERM with 143. Notes of the exception are shown. Other
    exceptions are bugs, and are raised.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuses empty values, which come from unset shell variables."""
        for place, argument in enumerate(args):
            option, equals, value = argument.partition("=")
            if not argument.strip() or (option.startswith("--") and equals and not value.strip()):
                name = option if equals else next(filter(None, reversed([one.strip() for one in args[:place]])), "")
                raise typer.BadParameter(f"the value of {name} is empty: give a value, or remove the option", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command, and has its options default to the settings of the project."""
        found = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:
            name, command, _ = found
            settings = {ENVIRONMENT[key]: setting for key, setting in project_settings().items()}
            ctx.default_map = {name: _defaults(command, settings)}
        return found

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with _output(ctx.meta), _logging(verbose=VERBOSE in ctx.meta), _signals():
            try:
                return super().invoke(ctx)
            except QuantsimError as error:
                _show_error(error, str(error), verbose=VERBOSE in ctx.meta)
                raise typer.Exit(EXIT_ERROR) from error
            except OSError as error:
                if error.errno == errno.EPIPE:  # the reader of the output has closed the pipe
                    raise
                what = reason_of(error) + (f": {error.filename}" if error.filename else "")
                _show_error(error, what, verbose=VERBOSE in ctx.meta)
                raise typer.Exit(EXIT_ERROR) from error
            except KeyboardInterrupt as interrupt:
                terminated = isinstance(interrupt, Terminated)
                _line(ERR, "Terminated." if terminated else "Interrupted.", "yellow")
                for line in getattr(interrupt, "__notes__", ()):
                    _line(ERR, line)
                raise typer.Exit(EXIT_TERMINATED if terminated else EXIT_INTERRUPTED) from interrupt


def _defaults(command: Any, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Returns the defaults of a command's options and of its subcommands, and has the help say where they come from.

    Args:
        command: the command.
        settings: environment variable → setting of the project.
    """
    found: dict[str, Any] = {name: _defaults(one, settings) for name, one in getattr(command, "commands", {}).items()}
    for option in command.params:
        setting = settings.get(getattr(option, "envvar", None) or "")
        if setting is not None:
            from quantsim.checkpoints.redact import redact

            found[option.name] = setting.value
            option.show_default = redact(f"{setting.value}, from {setting.origin}")
        elif isinstance(option.show_default, str) and ", from " in option.show_default:
            option.show_default = True
    return found


_given: Mapping[str, Any] = {}  # options of the running command, by the keys of ``options.py``


@contextlib.contextmanager
def _output(given: Mapping[str, Any]) -> Iterator[None]:
    """Has ``say``, ``hint`` and others obey --json and --quiet while a command runs."""
    global _given
    before, _given = _given, given
    try:
        yield
    finally:
        _given = before


def say(text: str = "", style: str = "") -> None:
    """Prints one line of the result, which a terminal shows in several if it is long; nothing with --json."""
    if JSON not in _given:
        _line(OUT, text, style)


def show(renderable: RenderableType) -> None:
    """Prints a table of the result; nothing with --json. In a file or a pipe, ``COLUMNS`` sets the width."""
    if JSON not in _given:
        narrow = OUT.is_terminal or "COLUMNS" in os.environ
        console = OUT if narrow else Console(**_PLAIN, width=max(OUT.width, _PIPED_WIDTH))
        console.print(renderable)


def print_json(values: Any) -> None:
    """Prints the result as JSON, for --json. It must be the only thing on the standard output."""
    typer.echo(json.dumps(values, indent=2, allow_nan=False))  # not with rich, which may break lines and add colours


def hint(text: str) -> None:
    """Prints one line on what to do next; nothing with --json or --quiet."""
    if QUIET not in _given and JSON not in _given:
        OUT.print(Text(text), soft_wrap=True)  # in one line, to be copied


def note(text: str) -> None:
    """Prints one line that is not part of the result, to the standard error."""
    _line(ERR, text, "dim")


def load_experiment(name_or_path: str, settings: Iterable[str] | None = None) -> Experiment:
    """Loads a study by name or file, with changes applied.

    Raises:
        ConfigError: there is no such study, or a key or value is invalid.
    """
    from quantsim.config import Experiment

    with showing_warnings():
        return Experiment.load(name_or_path, settings or ())


@contextlib.contextmanager
def showing_warnings() -> Iterator[None]:
    """Prints fingerprint warnings as notes, and issues other warnings again."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", FingerprintWarning)
        yield
    for one in raised:
        if issubclass(one.category, FingerprintWarning):
            note(f"Warning: {one.message}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def open_store(location: str) -> CheckpointStore:
    """Opens a checkpoint store, and creates it if it does not exist.

    Raises:
        CheckpointError: the store cannot be opened.
    """
    from quantsim.checkpoints import CheckpointStore

    return CheckpointStore(location)


def open_existing_store(location: str, *, migrate: bool = True, read_only: bool = False) -> CheckpointStore:
    """Opens an existing checkpoint store.

    Args:
        location: path or URL.
        migrate: whether a store of an older version gets its missing tables; False to only read it.
        read_only: whether nothing is written, not even to the files beside an SQLite file.

    Raises:
        CheckpointError: the store does not exist or cannot be opened; the message says what to run first.
    """
    from quantsim.checkpoints import CheckpointStore

    return CheckpointStore.open(location, migrate=migrate, read_only=read_only)


def place_of(store: CheckpointStore) -> str:
    """Returns the location of a store as users write it."""
    from quantsim.checkpoints.database.location import path_or_url

    return path_or_url(store.location)


def study_storage(storage: str | None, store: str) -> str:
    """Returns the storage of the Optuna study: the given one, a journal next to a store in a file, or the store's server.

    Raises:
        DriverError: the storage is neither a path of a known kind nor a URL, or cannot be opened.
    """
    from quantsim.storages.location import check_storage, default_storage, is_missing

    if storage is None:
        storage = default_storage(store)
        if is_missing(storage):
            return storage  # if the store cannot be made either, opening it reports that
    check_storage(storage)
    return storage


def _line(console: Console, text: str, style: str = "") -> None:
    if console.is_terminal:
        text = "\n".join(_wrapped(line, console.width) for line in text.split("\n"))
    console.print(Text(text, style=style), soft_wrap=True)


def _wrapped(line: str, width: int) -> str:
    """Breaks a line at spaces only, so that paths and keys stay whole."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _show_error(error: Exception, text: str, *, verbose: bool) -> None:
    from quantsim.checkpoints.redact import redact

    if verbose:
        _line(ERR, redact("".join(traceback.format_exception(error))).rstrip(), "dim")
    _line(ERR, redact(f"Error: {text}"), "bold red")
    for line in _origins(text):
        _line(ERR, redact(f"  {line}"), "red")
    for line in getattr(error, "__notes__", ()):
        if _OF_JAX not in line:
            _line(ERR, redact(f"  {line}"), "red")


def _origins(text: str) -> list[str]:
    """Says of values in an error which file or environment variable they come from."""
    with contextlib.suppress(QuantsimError):
        return [
            f"{key} = {setting.value} is from {setting.origin}"
            for key, setting in project_settings().items()
            if setting.value in text and setting.origin not in text
        ]
    return []


@contextlib.contextmanager
def _logging(*, verbose: bool) -> Iterator[None]:
    """Sends quantsim's log to the error stream while a command runs: warnings, and with ``-v`` all messages."""
    handler: logging.Handler
    if ERR.is_interactive:
        handler = RichHandler(console=ERR, show_path=False, omit_repeated_times=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("quantsim")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Handles Ctrl-C and SIGTERM while a command runs, so that neither is lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _stops.clear()
    unraisable, sys.unraisablehook = sys.unraisablehook, _hide_stops
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # it is ignored under nohup
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable


def _stop(number: int, _frame: FrameType | None) -> None:
    stop = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
    _stops.append(stop)
    raise stop


_stops: list[KeyboardInterrupt] = []


def _hide_stops(unraisable: sys.UnraisableHookArgs) -> None:
    if unraisable.exc_value not in _stops:  # raise_if_stopped raises them again
        sys.__unraisablehook__(unraisable)


def raise_if_stopped() -> None:
    """Raises a Ctrl-C again that Python could not raise where it occurred.

    This happens inside a callback, such as JAX's callback of the garbage collector, where Python only prints the exception.
    """
    if _stops and threading.current_thread() is threading.main_thread():
        raise _stops[-1]
