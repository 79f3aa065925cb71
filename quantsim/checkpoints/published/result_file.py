"""Reads a result file: a JSON string that contains a JSON list, with the configuration first, then one entry per step.

It reads entry by entry, so that a large file is never in memory as a whole.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantsim.errors import CheckpointError, reason_of

__all__ = ["ResultFile", "place"]

_BLOCK_BYTES = 1 << 20

_STRING_PART = re.compile(r'(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])*+')
_LONGEST_ESCAPE = 6  # characters, of \uXXXX
_LONGEST_LITERAL = len("-Infinity")
_MOST_DIGITS = 1000
_SPACE = " \t\r\n"


class ResultFile:
    """A result file. It can be read once.

    Attributes:
        path: path of the file.
        n_entries: number of entries read so far.
    """

    def __init__(self, path: Path) -> None:
        """Does not open the file yet."""
        self.path = path
        self.n_entries = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read so far, in hexadecimal; of the whole file after all entries are read."""
        return self._hash.hexdigest()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yields the entries of the list, the configuration first. A plain list, not inside a string, is also valid.

        Raises:
            CheckpointError: the file cannot be read, is truncated, or does not hold such a list; the message says where.
        """
        if os.path.lexists(self.path) and not (os.path.isfile(self.path) or os.path.isdir(self.path)):
            raise CheckpointError(
                f"result file {self.path} is not a regular file"
            )  # reading from a pipe might never end
        text = _Text(self._blocks())
        try:
            if text.next_character() == '"':
                text.advance()
                text = _Text(_inside_string(text))
            if text.next_character() != "[":
                raise _Malformed("it does not hold a list")
            text.advance()
            yield from self._list(text)
        except _Truncated as error:
            raise CheckpointError(
                f"result file {self.path} ends inside its list, after {self.n_entries} entries: it is truncated, or is still "
                "being written"
            ) from error
        except _Malformed as error:
            raise CheckpointError(f"{self.path} is not a result file: {error}") from error
        except OSError as error:
            raise CheckpointError(f"result file {self.path} cannot be read: {reason_of(error)}") from error

    def _list(self, text: _Text) -> Iterator[dict[str, Any]]:
        """Yields the entries after the opening bracket."""
        count = 0
        while (character := text.next_character()) != "]":
            if count:
                if character != ",":
                    raise self._broken(
                        count - 1, f"it must be followed by a comma or the end of the list, not {character!r}"
                    )
                text.advance()
                if text.next_character() == "]":
                    raise self._broken(count, "there is none after the comma")
            try:
                entry = text.value()
            except (ValueError, RecursionError) as error:
                reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise self._broken(count, reason) from error
            if not isinstance(entry, dict):
                raise self._broken(count, f"it must be a table, not {type(entry).__name__}")
            yield entry
            count += 1
            self.n_entries = count
        text.advance()
        if (character := text.next_character(end=True)) is not None:
            raise _Malformed(f"{character!r} follows the end of its list")

    def _broken(self, entry: int, reason: str) -> CheckpointError:
        return CheckpointError(f"result file {self.path}: {place(entry)} cannot be read: {reason}")

    def _blocks(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                self._hash.update(block)
                yield self._decoded(decoder, block)
        yield self._decoded(decoder, b"", final=True)

    @staticmethod
    def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(block, final)
        except UnicodeDecodeError as error:
            raise _Malformed(f"it is not UTF-8 ({error.reason})") from error


def place(entry: int) -> str:
    """Names an entry in messages."""
    return "the configuration" if entry == 0 else f"entry {entry} (the configuration is entry 0)"


class _Malformed(Exception):
    """The file does not hold a list in a string; the message says what it holds."""


class _Truncated(Exception):
    """The file ends too early."""


class _Text:
    """A text that is read in blocks, and a position in it."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._buffer = ""
        self._position = 0

    def next_character(self, *, end: bool = False) -> str | None:
        """Skips blanks and peeks at the next character; at the end, returns None with ``end`` and else raises an error."""
        while True:
            while self._position < len(self._buffer) and self._buffer[self._position] in _SPACE:
                self._position += 1
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self.more():
                if end:
                    return None
                raise _Truncated

    def advance(self, n: int = 1) -> None:
        """Consumes characters."""
        self._position += n

    def rest(self) -> str:
        """Returns the text that was read but not consumed."""
        return self._buffer[self._position :]

    def more(self, least: int = 1) -> bool:
        """Reads more text; False at the end."""
        blocks, n_read = [self.rest()], 0
        while n_read < least and (block := next(self._blocks, None)) is not None:
            blocks.append(block)
            n_read += len(block)
        self._buffer, self._position = "".join(blocks), 0
        return n_read > 0

    def value(self) -> Any:
        """Consumes one JSON value.

        Raises:
            ValueError: the text is not a JSON value.
        """
        decoder = json.JSONDecoder(parse_int=_whole_number)
        while True:
            try:
                value, self._position = decoder.raw_decode(self._buffer, self._position)
                return value
            except json.JSONDecodeError as error:
                # More text can only help near the end of the buffer, or inside a string.
                left = len(self._buffer) - error.pos
                if left > _LONGEST_LITERAL and not error.msg.startswith("Unterminated"):
                    raise ValueError(f"{error.msg}, before {self._buffer[error.pos : error.pos + 20]!r}") from error
                if not self.more(least=len(self.rest())):
                    raise _Truncated from error


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{digits[:20]}... is a number of {len(digits)} digits")
    return int(digits)


def _inside_string(outer: _Text) -> Iterator[str]:
    """Yields the content of a JSON string, after its opening quote."""
    while True:
        rest = outer.rest()
        part = _STRING_PART.match(rest)
        end = part.end() if part is not None else 0
        outer.advance(end)
        if end:
            yield json.loads(f'"{rest[:end]}"', strict=False)
        if rest[end : end + 1] == '"':
            outer.advance()
            break
        if len(rest) - end >= _LONGEST_ESCAPE:
            raise _Malformed(f"{rest[end : end + _LONGEST_ESCAPE]!r} in its string is not a JSON escape")
        if not outer.more():
            raise _Truncated
    if outer.next_character(end=True) is not None:
        raise _Malformed("text follows its string")
