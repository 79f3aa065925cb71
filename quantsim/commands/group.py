"""The group of all commands: defaults of their options, logging, and handling of errors and interrupts."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.logging import RichHandler
from typer.core import TyperGroup

from quantsim.commands.options import VERBOSE
from quantsim.commands.output import ERR, obeying, print_text
from quantsim.commands.signals import Terminated, handling_signals
from quantsim.errors import QuantsimError, reason_of
from quantsim.project import ENVIRONMENT, Setting, project_settings

__all__ = ["CommandGroup"]

_OF_JAX = "JAX_TRACEBACK_FILTERING"  # part of the note that JAX adds to every exception

EXIT_ERROR = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM


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
        with obeying(ctx.meta), _logging(verbose=VERBOSE in ctx.meta), handling_signals():
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
                print_text(ERR, "Terminated." if terminated else "Interrupted.", "yellow")
                for line in getattr(interrupt, "__notes__", ()):
                    print_text(ERR, line)
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


def _show_error(error: Exception, text: str, *, verbose: bool) -> None:
    from quantsim.checkpoints.redact import redact

    if verbose:
        print_text(ERR, redact("".join(traceback.format_exception(error))).rstrip(), "dim")
    print_text(ERR, redact(f"Error: {text}"), "bold red")
    for line in _origins(text):
        print_text(ERR, redact(f"  {line}"), "red")
    for line in getattr(error, "__notes__", ()):
        if _OF_JAX not in line:
            print_text(ERR, redact(f"  {line}"), "red")


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
