"""The page of all commands and their options, from typer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["commands", "page"]

HEAD = """# Every option of every command

Generated from the command line. [The command line](../commands.md) says where results go and how to read them.
`quantsim COMMAND --help` shows the same in a terminal.
"""


def page() -> str:
    """The text of the page, in Markdown."""
    text = HEAD + "\n".join(_section(name, command, context) for name, command, context in commands())
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](../\1)", text)


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Yields name, command and context, groups before their commands."""
    import typer

    from quantsim.commands.app import app

    root: Any = typer.main.get_command(app)
    yield from _below("quantsim", root, root.context_class(root, info_name="quantsim"))


def _below(name: str, command: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    if not hasattr(command, "list_commands"):
        yield name, command, context
        return
    if name == "quantsim" or command.invoke_without_command:
        yield name, command, context
    for child_name in sorted(command.list_commands(context)):
        child = command.get_command(context, child_name)
        if not child.hidden:
            inner = child.context_class(child, info_name=child_name, parent=context)
            yield from _below(f"{name} {child_name}", child, inner)


def _section(name: str, command: Any, context: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, "[OPTIONS]", *(_without_type(one.get_help_record(context)[0]) for one in arguments)])
    usage += " COMMAND [ARGS]..." if hasattr(command, "list_commands") else ""
    parts = [f"\n## `{name}`\n", f"{_prose(command.help)}\n", f"```text\n{usage}\n```\n"]
    records = [one.get_help_record(context) for one in command.params]
    rows = [f"| `{_cell(_without_type(spelled))}` | {_cell(meaning)} |" for spelled, meaning in filter(None, records)]
    parts.append("| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _without_type(spelled: str) -> str:
    """An argument without the Python type that typer adds to its name."""
    return spelled if spelled.startswith("-") else re.sub(r" <[\w\[\]]+>$", "", spelled)


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("\f", "")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
