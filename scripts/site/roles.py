"""An extension of griffe: roles of Sphinx in docstrings become links where the site has the object, else code; so do pages."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Roles", "markdown"]

_ROLE = re.compile(r":(?:func|class|meth|attr|mod|data|exc|obj):`(~?)([^`<]+?)(?:\s*<([^`>]+)>)?`")
_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
_PAGE = re.compile(r"`*docs/(\w+)\.md`*")


class Roles(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring in Markdown, for a page in ``reference/api``."""
    text = _PAGE.sub(r"[\1](../../\1.md)", _ROLE.sub(_linked, text))
    return _EXAMPLE.sub("Examples:", text)  # the section of the Google style that holds code


def _linked(match: re.Match[str]) -> str:
    short, text, path = match.groups()
    path, shown = path or text, f"`{text.rsplit('.', 1)[-1] if short else text}`"
    is_link = path.startswith("quantsim.")
    return f'<autoref optional identifier="{path}">{shown}</autoref>' if is_link else shown
