"""An extension of griffe: roles of Sphinx in docstrings become links where the site has the object, and code where not."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|meth|attr|mod|data|exc|obj):`(~?)([^`<]+?)(?:\s*<([^`>]+)>)?`")


def _linked(match: re.Match[str]) -> str:
    short, text, path = match.groups()
    shown = text.rsplit(".", 1)[-1] if short else text
    path = path or text
    return (
        f'<autoref optional identifier="{path}">`{shown}`</autoref>' if path.startswith("quantsim.") else f"`{shown}`"
    )


_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Roles(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = _ROLE.sub(_linked, obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub("Examples:", text)  # the section of the Google style that holds code
