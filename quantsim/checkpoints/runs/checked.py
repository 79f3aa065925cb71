"""Checks what users say of runs: names, notes and tags."""

from __future__ import annotations

import re
from collections.abc import Iterable

from quantsim.checkpoints.database.schema import LONGEST_TAG
from quantsim.checkpoints.redact import redact
from quantsim.errors import CheckpointError

__all__ = ["NEWEST", "checked_note", "checked_tags", "checked_title"]

NEWEST = "newest"
"""The key of the run that started last."""

_LONGEST_TITLE, _LONGEST_NOTE = 200, 10_000
_TAG = re.compile(rf"[^\W_][\w.:+-]{{0,{LONGEST_TAG - 1}}}")


def checked_title(title: str) -> str:
    """Returns a name of a run, without surrounding space and with redacted passwords.

    Raises:
        CheckpointError: it is empty, too long, or not one line of printable characters.
    """
    text = redact(title.strip())
    if text == NEWEST:
        raise CheckpointError(f"the name {NEWEST!r} stands for the run that started last: give another one")
    if not text or len(text) > _LONGEST_TITLE or not text.isprintable():
        raise CheckpointError(f"the name {title[:80]!r} must be one line of 1 to {_LONGEST_TITLE} printable characters")
    return text


def checked_note(note: str) -> str:
    """Returns a note, without surrounding space and with redacted passwords; raises CheckpointError if it is too long."""
    text = redact(note.strip())
    if not text or len(text) > _LONGEST_NOTE or not all(char.isprintable() or char in "\n\t" for char in text):
        raise CheckpointError(f"a note must be 1 to {_LONGEST_NOTE:,} printable characters, and this has {len(text):,}")
    return text


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Returns tags without repetition; raises CheckpointError if one is not valid."""
    found = list(dict.fromkeys(tag.strip() for tag in tags))
    for tag in found:
        if not _TAG.fullmatch(tag):
            raise CheckpointError(
                f"the tag {tag[:80]!r} must be 1 to {LONGEST_TAG} letters, digits and . : + - _, the first a letter or a digit"
            )
    return found
