"""Records commands in a terminal of 80 columns, and draws the end of what it shows: docs/images/terminal.svg.

    python scripts/record_terminal.py

The commands are run as a user does, in an empty folder. The numbers of a machine differ from those of another by rounding only.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
COMMAND, LAST_TABLE = "quantsim optuna --trials 200", "Test, "
COLUMNS, LINES = 80, 50

_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|(.)", re.DOTALL)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shown = screen(run(COMMAND, folder))
    first = next(at for at, line in enumerate(shown) if LAST_TABLE in line)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(f"\x1b[32m$\x1b[0m {COMMAND}\n\x1b[2m…\x1b[0m"))
    for line in shown[first:]:
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="quantsim", code_format=without_fonts, unique_id="terminal")
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def run(command: str, folder: str) -> str:
    """Returns all that a command writes to a terminal.

    Raises:
        RuntimeError: it fails.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES))
        program, *arguments = command.split()
        assert program == "quantsim"  # noqa: S101
        os.execv(sys.executable, [sys.executable, str(ROOT / "cli.py"), *arguments])  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # the end, on Linux
            break
        if not part:
            break
        written += part
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"{command!r} ended with status {os.waitstatus_to_exitcode(status)}:\n{written.decode()}")
    return written.decode()


def screen(written: str) -> list[str]:
    """Returns the lines that a terminal shows, with their styles, after the controls that progress bars use."""
    lines: list[list[tuple[str, str]]] = [[]]
    row = column = 0
    style = ""
    for parameters, control, move, character in _CONTROL.findall(written):
        if control == "m":
            style = "" if parameters in ("", "0") else f"{style}\x1b[{parameters}m"
        elif control == "A":
            row = max(row - int(parameters or 1), 0)
        elif control == "K":
            lines[row] = lines[row][:column] if parameters in ("", "0") else []
        elif move == "\r":
            column = 0
        elif move == "\n":
            row += 1
            if row == len(lines):
                lines.append([])
        elif character:
            lines[row].extend([("", " ")] * (column - len(lines[row])))
            lines[row][column : column + 1] = [(style, character)]
            column += 1
    return ["".join(_styled(cells)) for cells in lines]


def _styled(cells: list[tuple[str, str]]) -> Iterator[str]:
    """A piece of text per run of cells of one style."""
    for style, group in itertools.groupby(cells, key=lambda cell: cell[0]):
        yield f"{style}{''.join(character for _, character in group)}\x1b[0m"


if __name__ == "__main__":
    main()
